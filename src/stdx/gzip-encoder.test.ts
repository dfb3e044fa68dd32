import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import { generateRequest, RequestGenerator } from '../testkit/generators.ts';
import { GzipEncoder } from './gzip-encoder.ts';
import { Prng } from './prng.ts';

const WINDOW_BYTES = 1 << 15;
const BLOCK_BYTES = 256 << 10;

function encode(encoder: GzipEncoder, pieces: Iterable<Uint8Array>): Buffer {
  const output: Uint8Array[] = [];
  for (const piece of pieces) for (const out of encoder.add(piece)) output.push(out.slice());
  for (const out of encoder.end()) output.push(out.slice());
  encoder.reset();
  return Buffer.concat(output);
}

function assertReadable(encoder: GzipEncoder, bytes: Uint8Array, what: string): Buffer {
  const file = encode(encoder, [bytes]);
  assert.ok(zlib.gunzipSync(file).equals(bytes), what);
  return file;
}

function cut(bytes: Uint8Array, prng: Prng, pieceBytesMax: number): Uint8Array[] {
  const pieces = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const end = Math.min(at + prng.nextInt(pieceBytesMax + 1), bytes.byteLength);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

/** Random bytes between copies of what came before, of lengths and distances up to the limits of the format. */
function repetitive(prng: Prng, sizeBytes: number, letters: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; ) {
    const count = Math.min(prng.nextInt(prng.nextInt(4) === 0 ? 700 : 12) + 1, sizeBytes - at);
    const distance = prng.nextInt(prng.nextInt(2) === 0 ? 40 : WINDOW_BYTES + 2) + 1;
    const isCopy = distance <= at && prng.nextInt(3) > 0;
    for (let i = 0; i < count; i++, at++) bytes[at] = isCopy ? bytes[at - distance]! : prng.nextInt(letters);
  }
  return bytes;
}

test('every size around the limits of words, copies, windows and blocks comes back', () => {
  const encoder = new GzipEncoder();
  const prng = new Prng(11);
  const sizes = [0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 257, 258, 259, 260, 262, 516, 517];
  for (const limit of [WINDOW_BYTES, BLOCK_BYTES, WINDOW_BYTES + BLOCK_BYTES, WINDOW_BYTES + 2 * BLOCK_BYTES])
    for (let off = -9; off <= 9; off++) sizes.push(limit + off);
  for (const size of sizes) {
    assertReadable(encoder, new Uint8Array(size), `${size} zeros`);
    assertReadable(encoder, repetitive(prng, size, 256), `${size} bytes`);
  }
});

test('bytes of any make come back', () => {
  const encoder = new GzipEncoder();
  for (let seed = 1; seed <= 60; seed++) {
    const prng = new Prng(seed);
    const size = prng.nextInt(seed % 10 === 0 ? 1_500_000 : 40_000);
    const letters = [1, 2, 3, 20, 256][prng.nextInt(5)]!;
    assertReadable(encoder, repetitive(prng, size, letters), `seed ${seed}`);
  }
});

test('bytes that repeat nothing hardly become more', () => {
  const prng = new Prng(5);
  const bytes = Uint8Array.from({ length: 700_000 }, () => prng.nextInt(256));
  const file = assertReadable(new GzipEncoder(), bytes, 'random');
  assert.ok(file.byteLength < 1.002 * bytes.byteLength + 600, `${file.byteLength} bytes`);
});

test('frequencies that double ask for codes longer than the format allows', () => {
  const parts: Buffer[] = [];
  for (let letter = 0; letter < 18; letter++) parts.push(Buffer.alloc(2 ** letter, letter));
  const bytes = Buffer.concat(parts);
  // In an order without repetitions, so that they stay literals.
  const prng = new Prng(3);
  for (let i = bytes.byteLength - 1; i > 0; i--) {
    const other = prng.nextInt(i + 1);
    [bytes[i], bytes[other]] = [bytes[other]!, bytes[i]!];
  }
  assertReadable(new GzipEncoder(), bytes, 'doubling frequencies');
});

test('a file depends on its bytes alone: not on their pieces, nor on files before it, finished or not', () => {
  const prng = new Prng(7);
  const bytes = repetitive(prng, 900_000, 90);
  const expected = encode(new GzipEncoder(), [bytes]);
  const encoder = new GzipEncoder();
  for (const pieceBytesMax of [1_000, 50_000, 800_000]) {
    assert.ok(
      encode(encoder, cut(bytes, prng, pieceBytesMax)).equals(expected),
      `pieces of ${pieceBytesMax}`,
    );
    for (const _ of encoder.add(repetitive(prng, 400_000, 90)));
    encoder.reset();
  }
});

test('requests become nearly as small as by zlib at its lowest level', () => {
  const encoder = new GzipEncoder();
  for (const signal of ['traces', 'logs', 'metrics'] as const)
    for (const encoding of ['proto', 'json'] as const) {
      const generator = new RequestGenerator({ signal, encoding, itemsPerRequest: 500, seed: 1 });
      const requests = [0, 1, 2, 3].map((seq) => generator.next(seq, 1_760_000_000_000 + seq));
      const bytes = Buffer.concat(requests);
      const file = assertReadable(encoder, bytes, `${signal} ${encoding}`);
      const fast = zlib.gzipSync(bytes, { level: 1 }).byteLength;
      assert.ok(file.byteLength < 1.08 * fast, `${signal} ${encoding}: ${file.byteLength}, zlib ${fast}`);
    }
});

test('a single small request is not larger than by zlib by more than the head of a block', () => {
  const bytes = generateRequest({ signal: 'traces', itemsPerRequest: 1, seed: 1 });
  const file = assertReadable(new GzipEncoder(), bytes, 'small');
  const fast = zlib.gzipSync(bytes, { level: 1 }).byteLength;
  assert.ok(file.byteLength < fast + 80, `${file.byteLength}, zlib ${fast}`);
});
