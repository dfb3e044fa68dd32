import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type ClientKeys,
  clientKeys,
  encodeClientContext,
  parseContextSource,
} from '../../component/client-context.ts';
import type { DeliveryConfig } from '../../component/factory.ts';
import type { MemoryLog } from '../../queue/log/memory-log.ts';
import { type AssembledBatch, assembleBoundary, BatchAssembler } from './batch-assembler.ts';
import { PARTS_MAX, Partition } from './batch-partition.ts';
import {
  deliveryConfig,
  itemNumbers,
  memoryLog,
  numberedRequest,
  ScriptedExporter,
  startDrain,
} from './delivery.test-peer.ts';

type Limits = DeliveryConfig['queue']['batch'];

const STORED = clientKeys(['x-tenant', 'x-user'].map(parseContextSource));
const BY_TENANT = clientKeys([parseContextSource('x-tenant')]);

function contextOf(tenant: string | undefined, user = ''): Uint8Array | undefined {
  const metadata = new Map<string, readonly string[]>([['x-user', [user]]]);
  if (tenant !== undefined) metadata.set('x-tenant', [tenant]);
  return encodeClientContext({ address: undefined, metadata, auth: new Map() }, STORED);
}

interface Sent {
  tenant: string | undefined;
  user?: string;
  items: number;
}

async function filled(requests: readonly Sent[], recordBytes = 4096): Promise<MemoryLog> {
  const log = memoryLog({ recordBytes });
  const writer = log.openWriter();
  for (const { tenant, user, items } of requests) {
    const payload = numberedRequest(writer.appendedOrdinal, items);
    assert.ok(writer.tryAppend(payload, items, 1000, false, contextOf(tenant, user)));
  }
  await writer.commit();
  return log;
}

function readAll(log: MemoryLog, limits: Partial<Limits>, keys: ClientKeys = BY_TENANT): AssembledBatch[] {
  const batch: Limits = { flushTimeoutMs: 200, minSize: 1, maxSize: 0, sizer: 'items', ...limits };
  const assembler = new BatchAssembler(log.openReader(), 'traces', batch, 0, new Partition(keys));
  const batches: AssembledBatch[] = [];
  for (let nowMs = 0; ; nowMs += batch.flushTimeoutMs) {
    const next = assembler.next(nowMs);
    if (next !== undefined) batches.push(next);
    else if (assembler.dueInMs(nowMs) === undefined) return batches;
  }
}

const tenantsOf = (batch: AssembledBatch) =>
  [...batch.parts!.values()].map(({ client }) => client!.metadata.get('x-tenant')?.[0]);

test('requests of one client go together whatever came in between, and a full part ends the boundary', async () => {
  const log = await filled([
    { tenant: 'a', items: 3 },
    { tenant: 'b', items: 1 },
    { tenant: 'a', user: 'other', items: 3 },
    { tenant: undefined, items: 1 },
    { tenant: 'a', items: 4 },
    { tenant: 'b', items: 2 },
  ]);
  const [first, second] = readAll(log, { minSize: 10 }) as [AssembledBatch, AssembledBatch];
  assert.deepEqual(first.boundary, { first: 0, end: 12 });
  assert.deepEqual(tenantsOf(first), ['a', 'b', undefined]);
  const [a, b, none] = [...first.parts!.values()];
  assert.deepEqual(itemNumbers(a!.slices), [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]);
  assert.deepEqual([itemNumbers(b!.slices), itemNumbers(none!.slices)], [[3], [7]]);
  assert.deepEqual(
    [...second.parts!.values()].map(({ slices }) => itemNumbers(slices)),
    [[12, 13]],
  );
});

test('neighbours of one client are one slice of the record', async () => {
  const log = await filled([
    { tenant: 'a', items: 2 },
    { tenant: 'a', items: 2 },
    { tenant: 'b', items: 2 },
    { tenant: 'a', items: 2 },
  ]);
  const [batch] = readAll(log, { minSize: 100 }) as [AssembledBatch];
  assert.deepEqual(
    [...batch.parts!.values()].map(({ slices }) => slices.length),
    [2, 1],
  );
});

test('an empty header and none are two clients', async () => {
  const log = await filled([
    { tenant: '', items: 1 },
    { tenant: undefined, items: 1 },
  ]);
  assert.deepEqual(tenantsOf(readAll(log, { minSize: 10 })[0]!), ['', undefined]);
});

test('a boundary has no more parts than can be sent, and loses nothing by it', async () => {
  const count = PARTS_MAX + 500;
  const requests = Array.from({ length: count }, (_, i) => ({ tenant: `t${i}`, items: 1 }));
  const batches = readAll(await filled(requests, 1 << 20), { minSize: 1 << 20 });
  assert.deepEqual(
    batches.map(({ parts }) => parts!.size),
    [PARTS_MAX, 500],
  );
  assert.equal(batches.at(-1)!.boundary.end, count);
});

test('other keys give parts with other ids, even where the values are the same', async () => {
  const log = await filled([{ tenant: 'a', user: '', items: 2 }]);
  const ids = (keys: ClientKeys) => [...readAll(log, {}, keys)[0]!.parts!.keys()];
  assert.deepEqual(ids(BY_TENANT), ids(BY_TENANT));
  const withAbsent = clientKeys(['x-tenant', 'x-absent'].map(parseContextSource));
  assert.notDeepEqual(ids(BY_TENANT), ids(withAbsent));
  assert.notDeepEqual(ids(BY_TENANT), ids(STORED));
});

test('every item is in one part, that of its client, and a boundary read again has the same parts', async () => {
  const request = fc.record({
    tenant: fc.option(fc.constantFrom('a', 'b', 'c', ''), { nil: undefined }),
    items: fc.integer({ min: 1, max: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 30 }),
      fc.record({
        minSize: fc.integer({ min: 1, max: 30 }),
        more: fc.integer({ min: -1, max: 10 }),
        recordBytes: fc.integer({ min: 200, max: 4000 }),
      }),
      async (requests, { minSize, more, recordBytes }) => {
        const maxSize = more < 0 ? 0 : minSize + more;
        const log = await filled(requests, recordBytes);
        const owners = requests.flatMap(({ tenant, items }) => Array.from({ length: items }, () => tenant));
        const batches = readAll(log, { minSize, maxSize });
        let end = 0;
        for (const batch of batches) {
          assert.equal(batch.boundary.first, end);
          end = batch.boundary.end;
          const parts = [...batch.parts!.values()];
          const items = parts.flatMap(({ slices }) => itemNumbers(slices));
          assert.deepEqual(
            items.sort((a, b) => a - b),
            Array.from({ length: end - batch.boundary.first }, (_, i) => batch.boundary.first + i),
          );
          for (const part of parts) {
            const own = itemNumbers(part.slices);
            assert.deepEqual(
              own,
              own.toSorted((a, b) => a - b),
            );
            assert.equal(part.itemCount, own.length);
            assert.ok(maxSize === 0 || own.length <= maxSize);
            for (const item of own) assert.equal(part.client!.metadata.get('x-tenant')?.[0], owners[item]);
          }
          const again = assembleBoundary(
            log.openReader(),
            'traces',
            batch.boundary,
            new Partition(BY_TENANT),
          );
          const print = ({ parts: own }: AssembledBatch) =>
            [...own!].map(([id, { slices }]) => [id, Buffer.concat(slices).toString('hex')]);
          assert.deepEqual(print(again), print(batch));
        }
        assert.equal(end, owners.length);
      },
    ),
    { numRuns: 100 },
  );
});

test('with one send at a time all parts go out, and a client that is refused holds up no other', async () => {
  const requests = ['a', 'b', 'c', 'a', 'b', 'c'].map((tenant) => ({ tenant, items: 2 }));
  for (const numConsumers of [1, 2]) {
    const log = await filled(requests);
    let isDown = numConsumers > 1;
    const exporter = new ScriptedExporter(({ client }) => {
      const isRefused = isDown && client!.metadata.get('x-tenant')?.[0] === 'a';
      return isRefused ? Promise.reject(new Error('later')) : undefined;
    });
    const config = deliveryConfig({ numConsumers, batch: { minSize: 100, partition: BY_TENANT } });
    const drain = startDrain(log, exporter, { config });
    const untilDelivered = async (count: number) => {
      for (let i = 0; exporter.delivered.length < count && i < 500; i++)
        await new Promise((r) => setTimeout(r, 5));
      assert.equal(exporter.delivered.length, count);
    };
    if (isDown) {
      await untilDelivered(8);
      assert.equal(drain.cursor.ordinal, 0, 'the boundary is not finished before all of its parts');
      isDown = false;
    }
    await untilDelivered(12);
    await drain.end();
    assert.equal(drain.cursor.ordinal, 12);
    assert.ok(exporter.inFlightMax <= numConsumers);
    assert.equal(new Set(exporter.attempts.map(({ batchId }) => batchId)).size, 3);
  }
});

test('after a crash the parts of a frozen boundary are sent under the same ids with the same bytes', async () => {
  const log = await filled(['a', 'b', 'a', 'b'].map((tenant) => ({ tenant, items: 3 })));
  const config = deliveryConfig({ batch: { minSize: 100, partition: BY_TENANT } });
  const first = new ScriptedExporter(({ client }, signal) =>
    client!.metadata.get('x-tenant')?.[0] === 'a'
      ? undefined
      : new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
  );
  const before = startDrain(log, first, { config });
  for (let i = 0; first.attempts.length < 2 && i < 500; i++) await new Promise((r) => setTimeout(r, 5));
  await before.end();
  const second = new ScriptedExporter();
  const after = startDrain(log, second, { config });
  for (let i = 0; second.delivered.length < 12 && i < 500; i++) await new Promise((r) => setTimeout(r, 5));
  await after.end();
  const sent = (exporter: ScriptedExporter) =>
    new Map(exporter.attempts.map(({ batchId, bytes }) => [batchId, bytes] as const));
  assert.equal(sent(first).size, 2);
  assert.deepEqual([...sent(second)].sort(), [...sent(first)].sort());
  assert.equal(after.cursor.ordinal, 12);
});
