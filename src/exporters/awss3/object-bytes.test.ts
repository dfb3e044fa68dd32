import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { Prng } from '../../stdx/prng.ts';
import { Compressors } from './compressors.ts';
import { HeadMemory, readHead } from './object-bytes.ts';

/** Pieces whose memory is written over when the next one is asked for, as those of a log are. */
async function* overwritten(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  const memory = Buffer.alloc(Math.max(0, ...pieces.map((piece) => piece.byteLength)));
  for (const piece of pieces) {
    memory.fill(0xee);
    memory.set(piece);
    yield memory.subarray(0, piece.byteLength);
  }
}

async function joined(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const FORMATS = [
  ['gzip', zlib.gunzipSync],
  // Node.js has it from 22.15 on.
  ...('zstdDecompressSync' in zlib ? [['zstd', zlib.zstdDecompressSync] as const] : []),
] as const;

for (const [format, decompress] of FORMATS) {
  test(`${format}: objects are whole, one after the other and side by side, by the same compressors`, async () => {
    const compressors = new Compressors(format);
    const prng = new Prng(3);
    const noise = (sizeBytes: number) =>
      Buffer.from(Array.from({ length: sizeBytes }, () => prng.nextInt(256)));
    const objects = [
      [Buffer.from('one'), Buffer.from('two')],
      [],
      // More than a chunk of output, several times.
      Array.from({ length: 7 }, () => noise(200_000)),
      [Buffer.alloc(3_000_000, 'a')],
      [Buffer.from('last')],
    ];
    for (let round = 0; round < 3; round++) {
      for (const pieces of objects)
        assert.ok(
          decompress(await joined(compressors.compress(overwritten(pieces)))).equals(Buffer.concat(pieces)),
        );
      const all = await Promise.all(
        [...objects, ...objects].map(async (pieces) => joined(compressors.compress(overwritten(pieces)))),
      );
      for (const [index, bytes] of all.entries())
        assert.ok(decompress(bytes).equals(Buffer.concat(objects[index % objects.length]!)));
    }
    compressors.close();
  });

  test(`${format}: an object that is left in the middle leaves nothing in the next one`, async () => {
    const compressors = new Compressors(format);
    const prng = new Prng(4);
    const noise = Buffer.from(Array.from({ length: 2_000_000 }, () => prng.nextInt(256)));
    for (let round = 0; round < 4; round++) {
      for await (const _ of compressors.compress(overwritten([noise, noise]))) break;
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield noise;
        throw new Error('the log is damaged');
      }
      await assert.rejects(joined(compressors.compress(broken())), /the log is damaged/);
      const bytes = await joined(compressors.compress(overwritten([Buffer.from('whole')])));
      assert.equal(String(decompress(bytes)), 'whole');
    }
    compressors.close();
  });
}

test('a head has the beginning, or all, and what follows it comes behind it', async () => {
  const memory = new HeadMemory();
  const piece = fc.uint8Array({ maxLength: 50 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 12 }),
      fc.integer({ min: 1, max: 300 }),
      async (pieces, max) => {
        const expected = Buffer.concat(pieces);
        const head = await readHead(overwritten(pieces), max, memory);
        const bytes = Buffer.from(head.bytes);
        assert.ok(bytes.byteLength <= max);
        if (head.whole === undefined) assert.ok(bytes.equals(expected));
        else assert.ok((await joined(head.whole)).equals(expected));
        head.end();
        head.reuse();
      },
    ),
  );
});

test('heads that are read at the same time have memory of their own', async () => {
  const memory = new HeadMemory();
  const heads = await Promise.all(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((text) => readHead(overwritten([Buffer.from(text)]), 100, memory)),
  );
  assert.deepEqual(
    heads.map(({ bytes }) => String(Buffer.from(bytes))),
    ['a', 'b', 'c', 'd', 'e', 'f'],
  );
  for (const head of heads) head.reuse();
  const large = Buffer.alloc(1_500_000, 'x');
  const grown = await readHead(overwritten([large, large]), 5_000_000, memory);
  assert.ok(Buffer.concat([large, large]).equals(grown.bytes));
});
