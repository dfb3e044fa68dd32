import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import * as zlib from 'node:zlib';
import { Prng } from '../../stdx/prng.ts';
import { BODY_COMPRESSIONS, type BodyCompression, bodyCompressor, HAS_ZSTD } from './body-compression.ts';
import { testBatch } from './otlp-exporters.test-peer.ts';
import { loadSnappy, maskedCrc32c } from './snappy-codec.ts';

const snappyjs = createRequire(import.meta.url)('snappyjs') as { uncompress(bytes: Uint8Array): Uint8Array };
const snappy = loadSnappy();
const prng = new Prng(7);
const BODIES: [string, readonly Uint8Array[]][] = [
  ['nothing', []],
  ['one byte', [Uint8Array.of(7)]],
  ['telemetry', testBatch('traces', 5, 300).slices],
  ['noise', [Uint8Array.from({ length: 200_000 }, () => prng.nextInt(256))]],
  ['an empty slice between', [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2)]],
];

const DECODERS: Record<BodyCompression, (bytes: Buffer) => Uint8Array> = {
  none: (bytes) => bytes,
  gzip: zlib.gunzipSync,
  zlib: zlib.inflateSync,
  deflate: zlib.inflateSync,
  zstd: (bytes) => zlib.zstdDecompressSync(bytes),
  snappy: (bytes) => snappyjs.uncompress(bytes),
  'x-snappy-framed': (bytes) => snappy.unframe(bytes, 1 << 24),
};

for (const compression of BODY_COMPRESSIONS) {
  test(`${compression}: every body comes back`, async () => {
    if (compression === 'zstd' && !HAS_ZSTD) {
      assert.throws(() => bodyCompressor(compression, undefined), /zstd needs Node.js 22.15/);
      return;
    }
    const compress = bodyCompressor(compression, undefined);
    for (const [name, slices] of BODIES) {
      const packed = Buffer.concat(await compress(slices));
      assert.ok(Buffer.concat(slices).equals(DECODERS[compression](packed)), name);
    }
  });
}

test('a level is obeyed', async () => {
  const slices = testBatch('traces', 5, 300).slices;
  const sizeAt = async (level: number) =>
    Buffer.concat(await bodyCompressor('gzip', level)(slices)).byteLength;
  assert.ok((await sizeAt(9)) < (await sizeAt(1)));
  assert.ok((await sizeAt(0)) > Buffer.concat(slices).byteLength);
});

test('the checksum is CRC-32C, masked', () => {
  // Check value of CRC-32C (Castagnoli) for "123456789".
  const crc = 0xe3069283;
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  assert.equal(maskedCrc32c(Buffer.from('123456789')), masked);
});

test('frames are laid out as the format says', () => {
  const [identifier, head, data] = snappy.frames([Buffer.from('ab')]) as [Uint8Array, Buffer, Uint8Array];
  assert.equal(Buffer.from(identifier).toString('hex'), 'ff060000734e61507059');
  assert.equal(head[0], 1, 'too small to be worth compressing');
  assert.equal(head.readUIntLE(1, 3), 6);
  assert.equal(Buffer.from(data).toString(), 'ab');
  const zeros = snappy.frames([Buffer.alloc(150_000)]);
  assert.deepEqual(
    [1, 3, 5].map((at) => zeros[at]![0]),
    [0, 0, 0],
    'three frames of at most 64 KiB, compressed',
  );
});

test('damaged, endless and foreign frames are refused', () => {
  const stream = Buffer.concat(snappy.frames([Buffer.alloc(150_000, 'ab')]));
  assert.throws(() => snappy.unframe(stream, 100_000), /too long/);
  for (let at = 10; at < stream.length; at++) {
    const cut = stream.subarray(0, at);
    const isWhole = (() => {
      try {
        return snappy.unframe(cut, 1 << 20).length % 65_536 === 0;
      } catch {
        return true;
      }
    })();
    assert.ok(isWhole, `cut at ${at}`);
  }
  const damaged = Buffer.from(stream);
  damaged[14]! ^= 1;
  assert.throws(() => snappy.unframe(damaged, 1 << 20), /damaged/);
  assert.throws(() => snappy.unframe(Uint8Array.of(2, 4, 0, 0, 0, 0, 0, 0), 9), /unknown kind/);
});
