import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { partitionOfKey } from '../../kafka/partitioners.ts';
import { BATCH_HEAD_BYTES, encodeBatchHead, NO_PRODUCER } from '../../kafka/record-batch.ts';
import { BatchPlan, type PlannedSet, type PlanSettings } from './batch-plan.ts';
import { BatchHeaders } from './record-headers.ts';

const load = createRequire(import.meta.url);
const Decoder = load('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object;
const decodeBatch = load('kafkajs/src/protocol/recordBatch/v0/decoder') as (decoder: object) => Promise<{
  records: { key: Buffer | null; value: Buffer; headers: Record<string, Buffer> }[];
}>;

const TOPIC = 'spans';
const FIXED = [['tenant', Buffer.from('shop')]] as const;

function planOf(changes: Partial<PlanSettings> = {}, bytesMax = 2000): BatchPlan {
  const plan = new BatchPlan({
    headers: new BatchHeaders(FIXED, 'millrace.batch_id', 'log.1-5-9'),
    recordsMax: 0,
    hasher: 'sarama_compat',
    start: 6,
    ...changes,
  });
  plan.openTopic(TOPIC, { partitionCount: 4, open: [0, 1, 3], bytesMax });
  return plan;
}

async function decode({ records }: PlannedSet) {
  const settings = { codecId: 0, recordCount: records.recordCount, timeUnixMs: 1, producer: NO_PRODUCER };
  const head = encodeBatchHead(records.chunks, settings);
  return (await decodeBatch(new Decoder(Buffer.concat([head, ...records.chunks])))).records;
}

const arbitraryRecord = fc.record({
  key: fc.option(fc.uint8Array({ minLength: 1, maxLength: 8 }), { nil: undefined }),
  slices: fc.array(fc.uint8Array({ maxLength: 600 }), { minLength: 1, maxLength: 3 }),
  isBorrowed: fc.boolean(),
});

test('every record is in one set, in order, under its key and headers, and no set exceeds its bounds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryRecord, { maxLength: 40 }), async (records) => {
      const plan = planOf({ recordsMax: 5 }, 2500);
      for (const { key, slices, isBorrowed } of records) plan.add(TOPIC, key, slices, isBorrowed);
      const found: { index: number; key: Buffer | null; value: Buffer; partition: number }[] = [];
      for (const set of plan.sets) {
        assert.ok(set.records.recordCount <= 5);
        assert.ok(BATCH_HEAD_BYTES + set.records.sizeBytes <= 2500);
        assert.equal(
          set.records.sizeBytes,
          set.records.chunks.reduce((sum, chunk) => sum + chunk.length, 0),
        );
        for (const { key, value, headers } of await decode(set)) {
          assert.equal(String(headers.tenant), 'shop');
          const [id, index] = String(headers['millrace.batch_id']).split('/');
          assert.equal(id, 'log.1-5-9');
          found.push({ index: Number(index), key, value, partition: set.partition });
        }
      }
      assert.equal(found.length, records.length);
      for (const { index, key, value, partition } of found) {
        const record = records[index]!;
        assert.ok(Buffer.concat(record.slices).equals(value));
        assert.deepEqual(key === null ? undefined : new Uint8Array(key), record.key);
        if (record.key === undefined) assert.ok([0, 1, 3].includes(partition));
        else assert.equal(partition, partitionOfKey('sarama_compat', record.key, 4));
      }
    }),
  );
});

test('large values are not copied, borrowed ones always are', () => {
  const value = Buffer.alloc(50_000, 7);
  const plan = planOf({}, 1_000_000);
  plan.add(TOPIC, undefined, [value], false);
  assert.ok(plan.sets[0]!.records.chunks.includes(value));
  const borrowed = planOf({}, 1_000_000);
  borrowed.add(TOPIC, undefined, [value], true);
  assert.ok(borrowed.sets[0]!.records.chunks.every((chunk) => chunk.buffer !== value.buffer));
});

test('records without a key stay together until a set is full, then take the next partition that has a leader', () => {
  const plan = planOf({}, 2000);
  for (let record = 0; record < 16; record++) plan.add(TOPIC, undefined, [Buffer.alloc(400)], false);
  assert.deepEqual(
    plan.sets.map(({ partition, records }) => [partition, records.recordCount]),
    [
      [0, 4],
      [1, 4],
      [3, 4],
      [0, 4],
    ],
  );
});

test('round robin gives every partition a record in turn, whatever the key', () => {
  const plan = planOf({ hasher: undefined, start: 1 });
  for (let record = 0; record < 6; record++) plan.add(TOPIC, Buffer.from('same'), [Buffer.from('v')], false);
  assert.deepEqual(
    plan.sets.map(({ partition, records }) => [partition, records.recordCount]),
    [
      [1, 2],
      [3, 2],
      [0, 2],
    ],
  );
});

test('without a name for it there is no header with the batch id', async () => {
  const plan = planOf({ headers: new BatchHeaders([], '', 'id') });
  plan.add(TOPIC, undefined, [Buffer.from('v')], false);
  const [record] = await decode(plan.sets[0]!);
  assert.deepEqual({ ...record!.headers }, {});
});
