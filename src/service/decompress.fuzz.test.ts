import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import { type FuzzSeeds, fuzzDecompress } from './decompress.fuzz.ts';

/** Reference zstd, level 19 with checksum: "millrace " 400 times. */
const ZSTD = Buffer.from('KLUv/WQQDYUAAEhtaWxscmFjZSABAASmX47basth', 'base64');

test('fuzz: mutated bodies give typed errors within the limits of size and time', {
  timeout: 300_000,
}, (t) => {
  const seconds = Number(process.env.FUZZ_SECONDS ?? 5);
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() >>> 0);
  const body = Buffer.from('telemetry, telemetry and again telemetry. '.repeat(2000));
  const seeds: FuzzSeeds = [
    [1, zlib.gzipSync(body)],
    [1, zlib.gzipSync(Buffer.alloc(8 << 20))],
    [2, zlib.deflateSync(body)],
    [3, ZSTD],
    [3, Buffer.concat([ZSTD, ZSTD])],
  ];
  const untilMs = Date.now() + seconds * 1000;
  const result = fuzzDecompress(seeds, seed, () => Date.now() < untilMs);
  t.diagnostic(
    `seed ${seed}: ${result.runs} runs, ${result.accepted} accepted, ${JSON.stringify([...result.refusals])}`,
  );
  assert.ok(result.runs > 100 * seconds, `only ${result.runs} runs`);
  assert.ok(result.accepted > 0 && result.refusals.get('DECOMPRESSION_FAILED')! > 0);
  assert.ok(result.refusals.get('BODY_TOO_LARGE')! > 0, 'the limit was never reached');
  assert.ok(result.slowestMs < 2000, `${result.slowestMs} ms of processor time for one body`);
});
