import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { varint32Bytes, WireWriter } from './wire-writer.ts';

const { Reader } = protobuf;

test('every scalar reads back with protobufjs', () => {
  const word = fc.integer();
  fc.assert(
    fc.property(word, word, fc.double(), fc.integer(), (lo, hi, double, small) => {
      const writer = new WireWriter(1);
      writer.writeVarint64(lo, hi);
      writer.writeFixed64(lo, hi);
      writer.writeVarint32(lo >>> 0);
      writer.writeFixed32(hi >>> 0);
      writer.writeDouble(double);
      writer.writeSint32(small);
      writer.writeVarint64(small, small >> 31);
      const reader = Reader.create(writer.toBytes());
      for (const value of [reader.uint64(), reader.fixed64()] as unknown as { low: number; high: number }[]) {
        assert.deepEqual([value.low | 0, value.high | 0], [lo, hi]);
      }
      assert.equal(reader.uint32(), lo >>> 0);
      assert.equal(reader.fixed32(), hi >>> 0);
      assert.ok(Object.is(reader.double(), double));
      assert.equal(reader.sint32(), small);
      assert.equal(reader.int32(), small);
      assert.equal(reader.pos, writer.pos);
    }),
  );
});

test('strings of every width and length, lone surrogates replaced', () => {
  const units = fc.array(fc.nat(0xffff), { maxLength: 60 }).map((codes) => String.fromCharCode(...codes));
  fc.assert(
    fc.property(fc.oneof(units, fc.string({ unit: 'binary', maxLength: 300 })), (text) => {
      const writer = new WireWriter(1);
      writer.writeStringField(0x0a, text);
      writer.writeStringField(0x0a, 'behind');
      const reader = Reader.create(writer.toBytes());
      assert.equal(reader.uint32(), 0x0a);
      assert.equal(reader.string(), Buffer.from(text).toString());
      assert.equal(reader.uint32(), 0x0a);
      assert.equal(reader.string(), 'behind');
    }),
  );
});

test('nested messages get their shortest length whatever was guessed', () => {
  for (const size of [0, 1, 127, 128, 16_383, 16_384, 2_097_152]) {
    for (const guess of [1, 2, 3, 4, 5]) {
      const writer = new WireWriter(1);
      const outer = writer.beginMessage(0x0a, guess);
      const inner = writer.beginMessage(0x12, guess);
      writer.writeRaw(new Uint8Array(size).fill(7));
      writer.endMessage(inner);
      writer.writeBytesField(0x1a, Uint8Array.of(9, 8, 7), 1, 3);
      writer.endMessage(outer);
      writer.writeVarint32(0x77);
      const bytes = writer.toBytes();
      const expected = protobuf.Writer.create()
        .uint32(0x0a)
        .fork()
        .uint32(0x12)
        .bytes(new Uint8Array(size).fill(7))
        .uint32(0x1a)
        .bytes(Uint8Array.of(8, 7))
        .ldelim()
        .uint32(0x77)
        .finish();
      assert.ok(Buffer.from(bytes).equals(expected), `size ${size}, guess ${guess}`);
    }
  }
});

test('the length of a varint', () => {
  for (const value of [
    0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455, 268_435_456, 0xffff_ffff,
  ]) {
    assert.equal(varint32Bytes(value), protobuf.Writer.create().uint32(value).finish().length);
  }
});

test('toBytes is a copy, view is not, reset keeps the buffer', () => {
  const writer = new WireWriter(16);
  writer.writeVarint32(5);
  const copy = writer.toBytes();
  const view = writer.view();
  writer.reset();
  writer.writeVarint32(6);
  assert.deepEqual([copy[0], view[0]], [5, 6]);
});
