import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { PipelineError } from '../component/errors.ts';
import { bigintOfWords, decodeUtf8, lengthEnd, skipField, skipVarint, WireReader } from './wire-reader.ts';

const { Writer } = protobuf;
const uint64 = fc.oneof(
  fc.bigInt(0n, (1n << 64n) - 1n),
  fc.constantFrom(0n, 127n, 128n, (1n << 32n) - 1n, 1n << 53n, (1n << 63n) - 1n, (1n << 64n) - 1n),
);

function longOf(value: bigint, unsigned: boolean) {
  return {
    low: Number(BigInt.asIntN(32, value)),
    high: Number(BigInt.asIntN(32, value >> 32n)),
    unsigned,
  };
}

function malformedAt(offset: number, body: () => void): void {
  assert.throws(
    body,
    (error: unknown) =>
      error instanceof PipelineError &&
      error.code === 'OTLP_MALFORMED' &&
      error.permanent &&
      error.message.endsWith(`at byte ${offset}`),
  );
}

test('integers written by protobufjs are read exactly', () => {
  fc.assert(
    fc.property(uint64, fc.integer(), (value, small) => {
      const bytes = Writer.create()
        .uint64(longOf(value, true) as never)
        .fixed64(longOf(value, true) as never)
        .sint32(small)
        .int32(small)
        .fixed32(small >>> 0)
        .bool(small > 0)
        .finish();
      const reader = new WireReader(bytes);
      reader.readVarint64();
      assert.equal(bigintOfWords(reader.lo, reader.hi, false), value);
      reader.readFixed64();
      assert.equal(bigintOfWords(reader.lo, reader.hi, true), BigInt.asIntN(64, value));
      assert.equal(reader.readSint32(), small);
      assert.equal(reader.readInt32(), small);
      assert.equal(reader.readFixed32(), small >>> 0);
      assert.equal(reader.readBool(), small > 0);
      assert.equal(reader.pos, bytes.length);
    }),
  );
});

test('doubles, strings and bytes written by protobufjs are read exactly, from shared memory too', () => {
  fc.assert(
    fc.property(
      fc.double(),
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.uint8Array(),
      (value, text, blob) => {
        const encoded = Writer.create().double(value).string(text).bytes(blob).finish();
        const shared = new Uint8Array(new SharedArrayBuffer(encoded.length));
        shared.set(encoded);
        for (const bytes of [encoded, shared]) {
          const reader = new WireReader(bytes);
          assert.ok(Object.is(reader.readDouble(), value));
          assert.equal(reader.readString(), text);
          assert.deepEqual(Buffer.from(reader.readBytes()), Buffer.from(blob));
        }
      },
    ),
  );
});

test('C1: a truncated varint, one of 11 bytes and one over 64 bits are malformed', () => {
  malformedAt(0, () => skipVarint(Uint8Array.of(0x80), 0, 1));
  malformedAt(1, () => skipVarint(new Uint8Array(12).fill(0x80), 1, 12));
  malformedAt(0, () => skipVarint(Uint8Array.of(...new Array(9).fill(0xff), 0x02), 0, 10));
  malformedAt(2, () => new WireReader(new Uint8Array(2), 2).readVarint64());
});

test('C1: an overlong zero is zero for every reader of a varint', () => {
  const bytes = Uint8Array.of(0x80, 0x80, 0x00);
  assert.equal(skipVarint(bytes, 0, 3), 3);
  assert.equal(new WireReader(bytes).readVarint32(), 0);
  assert.equal(new WireReader(bytes).readLength(), 0);
  assert.equal(lengthEnd(bytes, 0, 3), 3);
});

test('C2: lengths past the end, of 2^32-1, 2^63 and 2^64-1 are malformed before anything is allocated', () => {
  const lengths = [
    [0x05, 1, 2, 3],
    [0xff, 0x01, 1, 2],
    [0xff, 0xff, 0xff, 0xff, 0x0f],
    [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  ];
  for (const length of lengths) {
    const bytes = Uint8Array.from([0, ...length]);
    malformedAt(1, () => lengthEnd(bytes, 1, bytes.length));
    malformedAt(1, () => new WireReader(bytes, 1).readLength());
  }
});

test('a length of any size ends where protobufjs says, and equals readLength', () => {
  for (const size of [0, 1, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152]) {
    const bytes = Writer.create().bytes(new Uint8Array(size)).finish();
    assert.equal(lengthEnd(bytes, 0, bytes.length), bytes.length);
    assert.equal(new WireReader(bytes).readLength(), size);
    malformedAt(0, () => lengthEnd(bytes, 0, bytes.length - 1));
  }
});

test('tags: field 0, wire types 6 and 7 and numbers over 29 bits are malformed, 2^29-1 is not', () => {
  for (const tag of [0x00, 0x02, 0x0e, 0x0f])
    malformedAt(0, () => new WireReader(Uint8Array.of(tag)).readTag());
  malformedAt(0, () => new WireReader(Uint8Array.of(0x82, 0x80, 0x80, 0x80, 0x10)).readTag());
  const largest = Writer.create().uint32(0xffff_fff8).finish();
  assert.equal(new WireReader(largest).readTag(), 0xffff_fff8);
});

test('C4: groups are skipped by their number; unmatched, unclosed and 100 000 nested ones are errors', () => {
  const nested = Uint8Array.of(0x0b, 0x13, 0x08, 0x96, 0x01, 0x14, 0x0c, 0x77);
  assert.equal(skipField(nested, 0x0b, 1, nested.length, 0), 7);
  malformedAt(1, () => skipField(Uint8Array.of(0x0b, 0x14), 0x0b, 1, 2, 0));
  malformedAt(1, () => skipField(Uint8Array.of(0x0b, 0x08), 0x0b, 1, 1, 0));
  malformedAt(1, () => skipField(Uint8Array.of(0x0c), 0x0c, 1, 1, 0));
  const deep = new Uint8Array(100_000).fill(0x0b);
  assert.throws(
    () => skipField(deep, 0x0b, 1, deep.length, 0),
    (error: unknown) => error instanceof PipelineError && error.code === 'OTLP_LIMIT_EXCEEDED',
  );
});

test('C6: invalid UTF-8 becomes U+FFFD, short and long, and a byte order mark stays', () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  const short = Uint8Array.of(0x61, 0xff, 0x62, 0x00);
  assert.equal(decodeUtf8(short, 0, 4), 'a\ufffdb\0');
  const long = new Uint8Array([...encode('x'.repeat(40)), 0xed, 0xa0, 0x80]);
  assert.equal(decodeUtf8(long, 0, long.length), `${'x'.repeat(40)}\ufffd\ufffd\ufffd`);
  const marked = encode('\ufeffmarked');
  assert.equal(decodeUtf8(marked, 0, marked.length), '\ufeffmarked');
});
