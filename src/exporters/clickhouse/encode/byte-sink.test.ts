import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteSink } from './byte-sink.ts';
import { isValidUtf8 } from './utf8.ts';

const strict = new TextDecoder('utf-8', { fatal: true });

function isDecodable(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Bytes that are nearly UTF-8: pieces of well-formed and of broken sequences. */
const nearlyUtf8 = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
      fc
        .constantFrom(
          [0xc0, 0x80],
          [0xed, 0xa0, 0x80],
          [0xf4, 0x90, 0x80, 0x80],
          [0xe2, 0x82],
          [0xff],
          [0x80],
          [0xf0, 0x8f, 0xbf, 0xbf],
        )
        .map((bytes) => Buffer.from(bytes)),
      fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
    ),
    { maxLength: 12 },
  )
  .map((parts) => new Uint8Array(Buffer.concat(parts)));

test('UTF-8 is judged as the platform decoder judges it', () => {
  fc.assert(
    fc.property(nearlyUtf8, (bytes) => {
      assert.equal(isValidUtf8(bytes, 0, bytes.length), isDecodable(bytes));
    }),
    { numRuns: 2000 },
  );
});

test('a string is length and bytes; what is not UTF-8 is replaced as the platform decoder does', () => {
  fc.assert(
    fc.property(nearlyUtf8, fc.nat(200), (bytes, padding) => {
      const padded = new Uint8Array([...new Uint8Array(padding).fill(97), ...bytes]);
      const sink = new ByteSink();
      sink.appendString(padded, 0, padded.length);
      const wanted = Buffer.from(new TextDecoder('utf-8', { ignoreBOM: true }).decode(padded));
      const content = sink.content().subarray(wanted.length < 128 ? 1 : 2);
      assert.deepEqual(Buffer.from(content), wanted);
    }),
    { numRuns: 1000 },
  );
});

test('repeating gives the same unit again and again, also when the buffer has to grow', () => {
  for (const times of [1, 2, 3, 7, 5000]) {
    const sink = new ByteSink();
    sink.appendBytes(Buffer.from('head'), 0, 4);
    const from = sink.pos;
    sink.appendString(Buffer.from('unit'), 0, 4);
    sink.repeatFrom(from, times);
    assert.equal(Buffer.from(sink.content()).toString('latin1'), `head${'\u0004unit'.repeat(times)}`);
  }
});
