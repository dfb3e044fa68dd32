import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SIGNALS, type Signal } from '../component/signal.ts';
import { systemClock } from '../stdx/clock.ts';
import { Prng } from '../stdx/prng.ts';
import { encodedRequest } from '../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../testkit/otlp-flatten.ts';
import { fuzzScan } from './scan.fuzz.ts';

const FUZZ_SECONDS = Number(process.env.FUZZ_SECONDS ?? 5);

function countDecoded(signal: Signal, bytes: Uint8Array): number | undefined {
  try {
    return flattenRequest(signal, bytes).length;
  } catch (error) {
    if (/utf-?8/i.test(String(error))) return undefined;
    throw error;
  }
}

test(`fuzz: mutated requests for ${FUZZ_SECONDS} s give typed errors, or what protobufjs decodes`, (t) => {
  const seed = Number(process.env.FUZZ_SEED ?? systemClock.unixMs() >>> 0);
  const corpus = SIGNALS.flatMap((signal) =>
    fc
      .sample(encodedRequest(signal), { numRuns: 200, seed: seed | 0 })
      .filter((bytes) => bytes.length > 0 && bytes.length < 2000)
      .map((bytes) => ({ signal, bytes })),
  );
  t.diagnostic(`seed ${seed}`);
  const result = fuzzScan({
    prng: new Prng(seed),
    clock: systemClock,
    durationMs: FUZZ_SECONDS * 1000,
    corpus,
    countDecoded,
  });
  t.diagnostic(JSON.stringify(result));
  assert.ok(
    result.accepted > 0 && result.malformed > 0,
    'both outcomes must occur for the run to mean anything',
  );
});
