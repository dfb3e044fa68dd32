import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import fc from 'fast-check';
import { CRC32C_START, crc32cUpdate, crc32cValue } from './crc32c.ts';
import {
  appendRecord,
  encodeBatchHead,
  encodeHeaders,
  NO_PRODUCER,
  newRecordSet,
  varintBytes,
  writeVarint,
} from './record-batch.ts';

const load = createRequire(import.meta.url);
const Decoder = load('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => { readVarInt(): number };
const decodeBatch = load('kafkajs/src/protocol/recordBatch/v0/decoder') as (decoder: unknown) => Promise<{
  firstSequence: number;
  producerId: string;
  records: {
    key: Buffer | null;
    value: Buffer;
    headers: Record<string, Buffer>;
    offset: string;
    timestamp: string;
  }[];
}>;
const crcOfClient = load('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;

const crc32c = (bytes: Uint8Array) => crc32cValue(crc32cUpdate(CRC32C_START, bytes));

test('CRC-32C has the values of RFC 3720', () => {
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e);
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
});

test('CRC-32C is the same wherever the bytes lie and however they are cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(7), fc.nat(300), (bytes, shift, cut) => {
      const moved = Buffer.alloc(bytes.length + shift)
        .fill(bytes, shift)
        .subarray(shift);
      moved.set(bytes);
      const expected = bytes.length === 0 ? 0 : crcOfClient(Buffer.from(bytes)) >>> 0;
      assert.equal(crc32c(moved), expected);
      const parts = crc32cUpdate(crc32cUpdate(CRC32C_START, moved.subarray(0, cut)), moved.subarray(cut));
      assert.equal(crc32cValue(parts), expected);
    }),
  );
});

test('varints are those of the client library', () => {
  for (const value of [0, 1, 63, 64, 127, 128, 8191, 8192, 1_000_000, 2 ** 30 - 1, 2 ** 30, 2 ** 31 - 1]) {
    const target = Buffer.alloc(8);
    const end = writeVarint(target, 0, value);
    assert.equal(end, varintBytes(value));
    assert.equal(new Decoder(target).readVarInt(), value);
  }
});

const arbitraryRecord = fc.record({
  key: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined }),
  value: fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 4 }),
  headers: fc.array(fc.tuple(fc.stringMatching(/^[a-z.]{1,12}$/), fc.uint8Array({ maxLength: 20 })), {
    maxLength: 3,
  }),
});

test('batches decode with the client library to what went in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryRecord, { minLength: 1, maxLength: 12 }), async (records) => {
      const set = newRecordSet();
      for (const { key, value, headers } of records) appendRecord(set, key, value, encodeHeaders(headers));
      assert.equal(
        set.sizeBytes,
        set.chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      );
      const producer = { id: 2n ** 40n + 7n, epoch: 3, sequence: 1234 };
      const settings = { codecId: 0, recordCount: set.recordCount, timeUnixMs: 1_700_000_000_123, producer };
      const bytes = Buffer.concat([encodeBatchHead(set.chunks, settings), ...set.chunks]);
      assert.equal(bytes.readUInt32BE(17), crcOfClient(bytes.subarray(21)) >>> 0);
      assert.equal(bytes.readInt32BE(8), bytes.length - 12);
      const batch = await decodeBatch(new Decoder(bytes));
      assert.equal(batch.producerId, String(producer.id));
      assert.equal(batch.firstSequence, producer.sequence);
      assert.equal(batch.records.length, records.length);
      for (const [index, { key, value, headers }] of records.entries()) {
        const found = batch.records[index]!;
        assert.deepEqual(found.key === null ? undefined : new Uint8Array(found.key), key);
        assert.ok(Buffer.concat(value).equals(found.value));
        assert.equal(found.offset, String(index));
        assert.equal(found.timestamp, '1700000000123');
        for (const [name, content] of new Map(headers)) {
          const got = found.headers[name]!;
          // A name that comes twice has all its values; `constructor` has what every object has, too.
          const all = Array.isArray(got) ? got : [got];
          assert.ok(all.some((each) => Buffer.isBuffer(each) && each.equals(content)));
        }
      }
    }),
  );
});

test('a batch of nobody says so', () => {
  const set = newRecordSet();
  appendRecord(set, undefined, [Buffer.from('v')], encodeHeaders([]));
  const head = encodeBatchHead(set.chunks, {
    codecId: 4,
    recordCount: 1,
    timeUnixMs: 0,
    producer: NO_PRODUCER,
  });
  assert.equal(head.readBigInt64BE(43), -1n);
  assert.equal(head.readInt16BE(51), -1);
  assert.equal(head.readInt32BE(53), -1);
  assert.equal(head.readInt16BE(21), 4);
});
