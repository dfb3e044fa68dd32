import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DeliveryConfig } from '../../component/factory.ts';
import type { MemoryLog } from '../../queue/log/memory-log.ts';
import { type AssembledBatch, assembleBoundary, BatchAssembler } from './batch-assembler.ts';
import { fill, itemNumbers, memoryLog, numberedRequest } from './delivery.test-peer.ts';

type Limits = DeliveryConfig['queue']['batch'];

function limits(changes: Partial<Limits>): Limits {
  return { flushTimeoutMs: 200, minSize: 1, maxSize: 0, sizer: 'items', ...changes };
}

/** Every batch of the log, the last one by its age. */
function readAll(log: MemoryLog, batch: Limits, startOrdinal = 0): AssembledBatch[] {
  const assembler = new BatchAssembler(log.openReader(), 'traces', batch, startOrdinal);
  const batches: AssembledBatch[] = [];
  for (let nowMs = 0; ; nowMs += batch.flushTimeoutMs) {
    const next = assembler.next(nowMs);
    if (next !== undefined) batches.push(next);
    else if (assembler.dueInMs(nowMs) === undefined) return batches;
  }
}

const range = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);

async function filled(counts: readonly number[], options: { recordBytes?: number; padBytes?: number } = {}) {
  const log = memoryLog(options.recordBytes === undefined ? {} : { recordBytes: options.recordBytes });
  await fill(log.openWriter(), counts, options.padBytes);
  return log;
}

test('a batch closes at min_size items and not before', async () => {
  const log = await filled([4, 4, 4, 4, 4]);
  const assembler = new BatchAssembler(log.openReader(), 'traces', limits({ minSize: 10 }), 0);
  const first = assembler.next(0);
  assert.deepEqual(first?.boundary, { first: 0, end: 12 });
  assert.deepEqual(itemNumbers(first.slices), range(0, 12));
  assert.equal(assembler.next(0), undefined);
  assert.equal(assembler.position, 20, 'the rest is read and waits');
});

test('an open batch is due flush_timeout after its first item, not after its last', async () => {
  const log = memoryLog();
  const writer = log.openWriter();
  const assembler = new BatchAssembler(log.openReader(), 'traces', limits({ minSize: 100 }), 0);
  assert.equal(assembler.dueInMs(0), undefined);
  await fill(writer, [1]);
  assert.equal(assembler.next(1000), undefined);
  await fill(writer, [1]);
  assert.equal(assembler.next(1150), undefined);
  assert.equal(assembler.dueInMs(1150), 50);
  assert.equal(assembler.next(1199.9), undefined);
  const batch = assembler.next(1200);
  assert.deepEqual(batch?.boundary, { first: 0, end: 2 });
  assert.equal(assembler.dueInMs(1200), undefined);
});

test('once the pace is known, a batch is read about when it is full, not again and again before', async () => {
  const log = memoryLog();
  const writer = log.openWriter();
  const assembler = new BatchAssembler(log.openReader(), 'traces', limits({ minSize: 160 }), 0);
  let nowMs = 10_000;
  const readsOf: number[] = [];
  // Ten items every ten milliseconds: a batch fills in 160 ms, which is before it is due.
  for (let [reads, nextMs] = [0, nowMs]; readsOf.length < 12; nowMs += 10) {
    await fill(writer, [10]);
    if (nowMs < nextMs) continue;
    reads++;
    while (assembler.next(nowMs) !== undefined) {
      readsOf.push(reads);
      reads = 0;
    }
    nextMs = nowMs + assembler.nextReadInMs(nowMs);
  }
  assert.ok(readsOf[0]! > 2, 'the first batch teaches the pace');
  assert.ok(Math.max(...readsOf.slice(2)) <= 2, `reads of each batch: ${readsOf.join()}`);
  assert.ok(nowMs - 10_000 < 12 * 160 * 1.25, 'and none of them is late for it');
});

test('a pause makes the pace unknown again, and a pace that changed is found out within half a second', async () => {
  const log = memoryLog();
  const writer = log.openWriter();
  const slow = limits({ minSize: 100, flushTimeoutMs: 10_000 });
  const assembler = new BatchAssembler(log.openReader(), 'traces', slow, 0);
  for (const nowMs of [0, 5000]) {
    await fill(writer, [100]);
    assert.ok(assembler.next(nowMs) !== undefined);
  }
  await fill(writer, [1]);
  assert.equal(assembler.next(5000), undefined);
  assert.equal(assembler.nextReadInMs(5000), 500, '100 items in five seconds so far');
  await fill(writer, [99]);
  assert.ok(assembler.next(60_000) !== undefined);
  await fill(writer, [1]);
  assert.equal(assembler.next(60_000), undefined);
  assert.equal(assembler.nextReadInMs(60_000), 40);
});

test('a request larger than max_size is cut, and each part is a request with its resource and scope', async () => {
  const log = await filled([25]);
  const batches = readAll(log, limits({ minSize: 10, maxSize: 10 }));
  assert.deepEqual(
    batches.map(({ boundary }) => boundary),
    [
      { first: 0, end: 10 },
      { first: 10, end: 20 },
      { first: 20, end: 25 },
    ],
  );
  for (const { boundary, slices, itemCount } of batches) {
    assert.deepEqual(itemNumbers(slices), range(boundary.first, boundary.end));
    assert.equal(itemCount, boundary.end - boundary.first);
    assert.ok(Buffer.concat(slices).includes('service 0'), 'the resource is in every part');
  }
});

test('a request that fits into a batch of its own is not cut in two', async () => {
  const log = await filled([6, 6, 6]);
  const batches = readAll(log, limits({ minSize: 10, maxSize: 10 }));
  assert.deepEqual(
    batches.map(({ boundary }) => boundary.end),
    [6, 12, 18],
  );
});

test('max_size in bytes holds for what is sent, whatever the mixture of small and large requests', async () => {
  // One large request followed by many small items: an average over the last request would let it overflow.
  const log = memoryLog({ recordBytes: 1 << 20 });
  const writer = log.openWriter();
  await fill(writer, [1], 140_000);
  await fill(writer, [100], 1000);
  await fill(writer, [1], 10);
  await fill(writer, [3], 90_000);
  const batches = readAll(log, limits({ minSize: 150_000, maxSize: 150_000, sizer: 'bytes' }));
  for (const { sizeBytes, slices } of batches) {
    assert.equal(
      sizeBytes,
      slices.reduce((sum, slice) => sum + slice.byteLength, 0),
    );
    assert.ok(sizeBytes <= 150_000, `${sizeBytes} bytes`);
  }
  assert.deepEqual(
    batches.flatMap(({ slices }) => itemNumbers(slices)),
    range(0, 105),
  );
});

test('a single item larger than max_size bytes goes alone', async () => {
  const log = memoryLog({ recordBytes: 1 << 20 });
  const writer = log.openWriter();
  await fill(writer, [1, 1], 10);
  await fill(writer, [1], 50_000);
  await fill(writer, [1, 1], 10);
  const batches = readAll(log, limits({ minSize: 1000, maxSize: 1000, sizer: 'bytes' }));
  assert.deepEqual(
    batches.map(({ boundary }) => [boundary.first, boundary.end]),
    [
      [0, 2],
      [2, 3],
      [3, 5],
    ],
  );
});

test('any requests, limits, damage and gaps: nothing twice, damage is counted, boundaries read again alike', async () => {
  const scenario = fc.record({
    counts: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 25 }),
    recordBytes: fc.constantFrom(300, 2000, 10_000),
    padBytes: fc.constantFrom(0, 60),
    damaged: fc.array(fc.nat(30), { maxLength: 4 }),
    removed: fc.array(fc.nat(30), { maxLength: 3 }),
    limits: fc
      .record({
        sizer: fc.constantFrom('items' as const, 'bytes' as const),
        minSize: fc.integer({ min: 0, max: 60 }),
        more: fc.option(fc.nat(60)),
      })
      .map(({ sizer, minSize, more }) => {
        const unit = sizer === 'bytes' ? 50 : 1;
        return limits({
          sizer,
          minSize: minSize * unit,
          maxSize: more === null ? 0 : (minSize + more) * unit,
        });
      }),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      const log = await filled(given.counts, given);
      const total = given.counts.reduce((sum, count) => sum + count, 0);
      const damaged = new Set<number>();
      // A gap is what a segment leaves that was set aside: reported then, not counted again here.
      const gone = new Set<number>();
      const lose = (index: number, into: Set<number>) => {
        const { firstOrdinal, endOrdinal } = log.records[index]!;
        for (const item of range(firstOrdinal, endOrdinal)) into.add(item);
      };
      for (const index of given.damaged) {
        if (index >= log.records.length) continue;
        lose(index, damaged);
        Object.assign(log.records[index]!, {
          damaged: true,
          payload: new Uint8Array(0),
          entryEnds: new Uint32Array(0),
          entryItemEnds: new Uint32Array(0),
        });
      }
      for (const index of given.removed) {
        // The last record stays: behind it nothing shows that something is missing.
        if (index >= log.records.length - 1) continue;
        lose(index, gone);
        log.records.splice(index, 1);
      }
      const batches = readAll(log, given.limits);
      const kept = range(0, total).filter((item) => !damaged.has(item) && !gone.has(item));
      assert.deepEqual(
        batches.flatMap(({ slices }) => itemNumbers(slices)),
        kept,
      );
      assert.equal(
        batches.reduce((sum, { lostCount }) => sum + lostCount, 0),
        [...damaged].filter((item) => !gone.has(item)).length,
      );
      let end = 0;
      for (const batch of batches) {
        assert.ok(range(end, batch.boundary.first).every((item) => gone.has(item)));
        end = batch.boundary.end;
        const { maxSize, sizer } = given.limits;
        if (maxSize > 0 && batch.itemCount > 1)
          assert.ok(
            (sizer === 'items' ? batch.itemCount : batch.sizeBytes) <= maxSize,
            'larger than max_size',
          );
        const again = assembleBoundary(log.openReader(), 'traces', batch.boundary);
        const gaps = range(batch.boundary.first, batch.boundary.end).filter((item) => gone.has(item));
        assert.deepEqual(again, { ...batch, isFull: false, lostCount: batch.lostCount + gaps.length });
      }
      assert.equal(end, total);
    }),
    { numRuns: 150 },
  );
});

test('a boundary that the log no longer holds is all lost, and one whose end is gone is lost in part', async () => {
  const log = await filled([5, 5, 5], { recordBytes: 10 });
  log.records.pop();
  const reader = log.openReader();
  assert.deepEqual(assembleBoundary(reader, 'traces', { first: 10, end: 15 }), {
    boundary: { first: 10, end: 15 },
    slices: [],
    parts: undefined,
    itemCount: 0,
    sizeBytes: 0,
    receivedUnixMs: 0,
    lostCount: 5,
    isFull: false,
    records: [],
  });
  const half = assembleBoundary(reader, 'traces', { first: 7, end: 15 });
  assert.deepEqual(itemNumbers(half.slices), [7, 8, 9]);
  assert.equal(half.lostCount, 5);
});

test('whole requests of a record are one slice of it: nothing is copied or framed again', async () => {
  const log = await filled([3, 3, 3], { recordBytes: 1 << 20 });
  const [batch] = readAll(log, limits({ minSize: 9 }));
  assert.equal(batch?.slices.length, 1);
  const sent = [0, 3, 6].map((first) => Buffer.from(numberedRequest(first, 3)));
  assert.deepEqual(Buffer.from(batch.slices[0]!), Buffer.concat(sent));
});
