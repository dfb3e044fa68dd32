import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { KafkaMessage } from './client.ts';
import { CODEC_IDS } from './codecs.ts';
import { type FetchedPart, listBatches, partsOf, readOwnBatches } from './fetched-batches.ts';
import { appendRecord, encodeBatchHead, encodeHeaders, NO_PRODUCER, newRecordSet } from './record-batch.ts';

const load = createRequire(import.meta.url);
const Decoder = load('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => { offset: number };
const { RecordBatch } = load('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(batch: object): Promise<{ buffer: Buffer }>;
};
const clientRecord = load('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => object;
readOwnBatches();
readOwnBatches();
const decodeMessages = load('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as (
  decoder: object,
) => KafkaMessage[] | Promise<KafkaMessage[]>;

/** A batch as a broker keeps it. */
function batchAt(
  offset: number,
  values: readonly string[],
  { isPacked = false, attributes = 0 } = {},
): Buffer {
  const set = newRecordSet();
  for (const value of values) {
    appendRecord(set, undefined, [Buffer.from(value)], encodeHeaders([['h', Buffer.from('1')]]));
  }
  const chunks = isPacked ? [gzipSync(Buffer.concat(set.chunks))] : set.chunks;
  const head = encodeBatchHead(chunks, {
    codecId: (isPacked ? CODEC_IDS.gzip : 0) | attributes,
    recordCount: values.length,
    timeUnixMs: 1_700_000_000_123,
    producer: NO_PRODUCER,
  });
  head.writeBigInt64BE(BigInt(offset), 0);
  return Buffer.concat([head, ...chunks]);
}

/** What an answer holds of a partition. */
function sized(...batches: Buffer[]): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(4), ...batches]);
  bytes.writeInt32BE(bytes.byteLength - 4);
  return bytes;
}

async function valuesOf(parts: readonly FetchedPart[], fromOffset = 0): Promise<[number, string][]> {
  const values: [number, string][] = [];
  for (const part of parts) {
    const packed = part.isPacked ? await part.unpacked() : undefined;
    for (const { offset, value } of part.records(fromOffset, packed)) values.push([offset, String(value)]);
  }
  return values;
}

test('the client gets an entry for each batch, whose records are read later', async () => {
  const bytes = sized(batchAt(5, ['a', 'b']), batchAt(9, ['c'], { isPacked: true }), batchAt(10, ['d', 'e']));
  const decoder = new Decoder(Buffer.concat([bytes, Buffer.from('behind')]));
  const messages = await decodeMessages(decoder);
  assert.equal(decoder.offset, bytes.byteLength);
  assert.deepEqual(
    messages.map(({ offset }) => offset),
    ['6', '9', '11'],
  );
  const all = await valuesOf(partsOf(messages));
  assert.deepEqual(all, [
    [5, 'a'],
    [6, 'b'],
    [9, 'c'],
    [10, 'd'],
    [11, 'e'],
  ]);
  assert.deepEqual(await valuesOf(partsOf(messages), 6), all.slice(1));
});

test('a batch that is cut off at any byte is left out', () => {
  const whole = batchAt(0, ['first']);
  const both = Buffer.concat([whole, batchAt(1, ['second'])]);
  for (let size = 0; size <= both.byteLength; size++) {
    const count = size === both.byteLength ? 2 : size >= whole.byteLength ? 1 : 0;
    assert.equal(listBatches(both.subarray(0, size)).length, count, String(size));
  }
});

test('ends of transactions are told from records, with how they ended', async () => {
  const set = newRecordSet();
  appendRecord(set, Buffer.from([0, 0, 0, 0]), [Buffer.alloc(6)], encodeHeaders([]));
  const producer = { id: 77n, epoch: 0, sequence: -1 };
  const settings = { codecId: 16 | 32, recordCount: 1, timeUnixMs: 0, producer };
  const end = Buffer.concat([encodeBatchHead(set.chunks, settings), ...set.chunks]);
  const [record, mark] = (await decodeMessages(
    new Decoder(sized(batchAt(0, ['a'], { attributes: 16 }), end)),
  )) as (KafkaMessage & { isControlRecord: boolean; batchContext: object })[];
  assert.deepEqual(record!.batchContext, { producerId: '-1', inTransaction: true });
  assert.equal(record!.isControlRecord, false);
  assert.deepEqual(mark!.batchContext, { producerId: '77', inTransaction: true });
  assert.equal(mark!.isControlRecord, true);
  assert.deepEqual(mark!.key, Buffer.from([0, 0, 0, 0]));
});

test('messages of the older format are read by the client', async () => {
  const message = Buffer.alloc(34);
  message.writeBigInt64BE(3n, 0);
  message.writeInt32BE(22, 8);
  message.writeInt8(1, 16);
  message.writeBigInt64BE(1234n, 18);
  message.writeInt32BE(-1, 26);
  message.writeInt32BE(0, 30);
  const [part] = partsOf(await decodeMessages(new Decoder(sized(message))));
  const [record] = part!.records(0);
  assert.equal(part!.lastOffset, 3);
  assert.deepEqual({ ...record }, { offset: 3, timeUnixMs: 1234, value: Buffer.alloc(0), headers: {} });
});

const arbitraryRecord = fc.record({
  key: fc.option(fc.string({ maxLength: 10 }), { nil: null }),
  value: fc.option(fc.string({ maxLength: 200 }), { nil: null }),
  timestampDelta: fc.integer({ min: -1000, max: 2 ** 40 }),
  headers: fc.dictionary(fc.constantFrom('a', 'bc', 'constructor', '__proto'), fc.string({ maxLength: 9 })),
});

test('batches that the client wrote are read to what went in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryRecord, { minLength: 1, maxLength: 9 }), async (records) => {
      const batch = await RecordBatch({
        firstTimestamp: 1_700_000_000_123,
        lastOffsetDelta: records.length - 1,
        records: records.map((record, offsetDelta) => clientRecord({ ...record, offsetDelta })),
      });
      const [part] = listBatches(batch.buffer);
      const read = part!.records(0);
      assert.equal(read.length, records.length);
      for (const [index, { value, timestampDelta, headers }] of records.entries()) {
        const found = read[index]!;
        assert.equal(found.offset, index);
        assert.equal(found.timeUnixMs, 1_700_000_000_123 + timestampDelta);
        assert.deepEqual(found.value, value === null ? null : Buffer.from(value));
        const texts = Object.entries(found.headers).map(([name, content]) => [name, String(content)]);
        assert.deepEqual(Object.fromEntries(texts), { ...headers });
      }
    }),
  );
});

test('bytes that were changed are an error or other records, and never an endless loop', () => {
  const bytes = batchAt(0, ['value one', 'value two', 'value three']);
  fc.assert(
    fc.property(fc.nat(bytes.byteLength - 1), fc.nat(255), (at, byte) => {
      const changed = Buffer.from(bytes);
      changed[at] = byte;
      try {
        for (const part of listBatches(changed)) {
          if (!part.isPacked) for (const { headers } of part.records(0)) Object.keys(headers);
        }
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
  );
});
