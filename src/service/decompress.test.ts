import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { PipelineError } from '../component/errors.ts';
import { decompress } from './decompress.ts';

const GZIP = 1;
const DEFLATE = 2;
const ZSTD = 3;

/** "millrace " 400 times, compressed by the reference zstd implementation at level 19 with a checksum. */
const ZSTD_SAMPLE = Buffer.from('KLUv/WQQDYUAAEhtaWxscmFjZSABAASmX47basth', 'base64');
const ZSTD_TEXT = 'millrace '.repeat(400);

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof PipelineError, String(error));
    assert.equal(error.permanent, true);
    return error.code;
  }
  return 'OK';
}

/** A frame with one RLE block of `sizeBytes` zeros for each block: 4 bytes that expand to 128 KiB. */
function zstdBomb(blocks: number): Uint8Array {
  const bytes = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
  for (let i = 0; i < blocks; i++) {
    const header = ((128 << 10) << 3) | (1 << 1) | (i === blocks - 1 ? 1 : 0);
    bytes.push(header & 255, (header >> 8) & 255, (header >> 16) & 255, 0);
  }
  return Uint8Array.from(bytes);
}

test('gzip and deflate bodies of any size come back, from shared memory too', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), fc.integer({ min: 1, max: 40 }), (part, times) => {
      const body = Buffer.concat(Array.from({ length: times }, () => part));
      for (const [code, packed] of [
        [GZIP, zlib.gzipSync(body)],
        [DEFLATE, zlib.deflateSync(body)],
      ] as const) {
        const shared = new Uint8Array(new SharedArrayBuffer(packed.length));
        shared.set(packed);
        assert.deepEqual(Buffer.from(decompress(code, shared, 1 << 20)), body);
      }
    }),
    { numRuns: 50 },
  );
});

test('zstd: a frame of the reference implementation comes back', () => {
  assert.equal(Buffer.from(decompress(ZSTD, ZSTD_SAMPLE, 1 << 20)).toString(), ZSTD_TEXT);
});

test('several frames in one body are one body', () => {
  assert.equal(
    decompress(ZSTD, Buffer.concat([ZSTD_SAMPLE, ZSTD_SAMPLE]), 1 << 20).length,
    2 * ZSTD_TEXT.length,
  );
  const gzip = zlib.gzipSync('abc');
  assert.equal(Buffer.from(decompress(GZIP, Buffer.concat([gzip, gzip]), 100)).toString(), 'abcabc');
});

test('a body at the limit passes and one byte more is too large', () => {
  const body = Buffer.alloc(10_000, 7);
  for (const [code, packed] of [
    [GZIP, zlib.gzipSync(body)],
    [DEFLATE, zlib.deflateSync(body)],
  ] as const) {
    assert.equal(decompress(code, packed, 10_000).length, 10_000);
    assert.equal(
      codeOf(() => decompress(code, packed, 9_999)),
      'BODY_TOO_LARGE',
    );
  }
  assert.equal(decompress(ZSTD, ZSTD_SAMPLE, ZSTD_TEXT.length).length, ZSTD_TEXT.length);
  assert.equal(
    codeOf(() => decompress(ZSTD, ZSTD_SAMPLE, ZSTD_TEXT.length - 1)),
    'BODY_TOO_LARGE',
  );
});

test('bombs end at the limit without memory of their size', () => {
  const before = process.memoryUsage().rss;
  const gzipBomb = zlib.gzipSync(Buffer.alloc(256 << 20));
  assert.equal(
    codeOf(() => decompress(GZIP, gzipBomb, 1 << 20)),
    'BODY_TOO_LARGE',
  );
  assert.equal(
    codeOf(() => decompress(ZSTD, zstdBomb(10_000), 1 << 20)),
    'BODY_TOO_LARGE',
  );
  assert.ok(process.memoryUsage().rss - before < 600 << 20);
});

test('a zstd window of 2 GiB is refused before anything is allocated', () => {
  const frame = zstdBomb(1);
  frame[5] = (21 << 3) | 0;
  assert.equal(
    codeOf(() => decompress(ZSTD, frame, 20 << 20)),
    'BODY_TOO_LARGE',
  );
});

test('truncation at every offset and random mutation give typed errors only', () => {
  const samples = [
    [GZIP, zlib.gzipSync('hello hello hello')],
    [DEFLATE, zlib.deflateSync('hello hello hello')],
    [ZSTD, ZSTD_SAMPLE],
  ] as const;
  for (const [code, packed] of samples) {
    for (let end = 0; end < packed.length; end++) {
      assert.equal(
        codeOf(() => decompress(code, packed.subarray(0, end), 1 << 20)),
        'DECOMPRESSION_FAILED',
        `${code} ${end}`,
      );
    }
  }
  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.nat(), fc.nat(255), ([code, packed], at, value) => {
      const mutated = Uint8Array.from(packed);
      mutated[at % mutated.length] = value;
      codeOf(() => decompress(code, mutated, 1 << 20));
    }),
    { numRuns: 500 },
  );
});
