import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import fc from 'fast-check';
import { setFailpoints } from '../../stdx/failpoint.ts';
import { Prng } from '../../stdx/prng.ts';
import { until } from '../../testkit/engine-process.ts';
import {
  deliveryConfig,
  fill,
  hang,
  itemNumbers,
  memoryLog,
  permanent,
  retryable,
  ScriptedExporter,
  startDrain,
} from './delivery.test-peer.ts';
import { SendSlots } from './send-slots.ts';

const range = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);
const sorted = (items: readonly number[]) => [...items].sort((a, b) => a - b);
const oneAtATime = { batch: { maxSize: 1 } };

afterEach(() => setFailpoints(undefined));

test('everything that is flushed is delivered once, in order, and the cursor ends behind it', async () => {
  const log = memoryLog();
  const writer = log.openWriter();
  const exporter = new ScriptedExporter();
  const drain = startDrain(log, exporter, { config: deliveryConfig({ numConsumers: 1 }) });
  for (let round = 0; round < 5; round++) await fill(writer, [3, 1, 7]);
  await until('delivery', () => drain.cursor.ordinal === 55);
  assert.deepEqual(exporter.delivered, range(0, 55));
  assert.equal(drain.counter('otelcol_exporter_sent_spans'), 55);
  assert.equal(drain.counter('otelcol_exporter_send_failed_spans'), 0);
  await drain.end();
});

test('num_consumers bounds the sends of all logs of an exporter together, and reaches the bound', async () => {
  // Two deliveries share the slots: while one freezes its boundaries the other must not take the same slots.
  const logs = [memoryLog(), memoryLog()];
  const slots = new SendSlots(3);
  const exporter = new ScriptedExporter(() => new Promise((resolve) => setTimeout(resolve, 2)));
  const config = deliveryConfig({ numConsumers: 3, ...oneAtATime });
  const drains = logs.map((log) => startDrain(log, exporter, { config, slots }));
  for (const log of logs) await fill(log.openWriter(), [40]);
  await until('delivery', () => drains.every(({ cursor }) => cursor.ordinal === 40));
  assert.equal(exporter.inFlightMax, 3);
  assert.equal(slots.free, 3);
  for (const drain of drains) await drain.end();
});

test('bytes in flight are bounded, and one batch larger than the bound still goes', async () => {
  const log = memoryLog({ recordBytes: 200 << 20, budgetBytes: 400 << 20 });
  const writer = log.openWriter();
  // Batches close at 32 MiB, so two of these may be held at the same time, whatever num_consumers says.
  for (let i = 0; i < 3; i++) await fill(writer, [1], 33 << 20);
  let release!: () => void;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const exporter = new ScriptedExporter(() => gate);
  const drain = startDrain(log, exporter, { config: deliveryConfig({ timeoutMs: 0 }) });
  await until('two sends', () => exporter.inFlight === 2);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(exporter.inFlight, 2);
  release();
  await until('the rest', () => drain.cursor.ordinal === 3);
  await drain.end();
});

test('the cursor moves only over the finished prefix', async () => {
  const log = memoryLog();
  await fill(log.openWriter(), [4]);
  const release: (() => void)[] = [];
  const exporter = new ScriptedExporter(
    (batch) =>
      new Promise((resolve) => {
        release[Number(batch.batchId.split('-').at(-1))] = resolve;
      }),
  );
  const drain = startDrain(log, exporter, { config: deliveryConfig({ timeoutMs: 0, ...oneAtATime }) });
  await until('four sends', () => exporter.inFlight === 4);
  for (const [which, ordinal] of [
    [2, 0],
    [1, 0],
    [0, 3],
    [3, 4],
  ] as const) {
    release[which]!();
    await until(`batch ${which}`, () => !drain.cursor.frozen.some(({ first }) => first === which));
    assert.equal(drain.cursor.ordinal, ordinal);
  }
  await drain.end();
});

test('a batch that is stuck holds back no more than the cursor can remember', async () => {
  const log = memoryLog({ recordBytes: 1 << 20 });
  await fill(log.openWriter(), [6000]);
  let release!: () => void;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const exporter = new ScriptedExporter((batch) => (batch.batchId.endsWith('-0-0') ? gate : undefined));
  const drain = startDrain(log, exporter, { config: deliveryConfig({ timeoutMs: 0, ...oneAtATime }) });
  await until('the bound', () => drain.cursor.freezable === 0 && exporter.inFlight === 1);
  assert.equal(drain.cursor.ordinal, 0);
  release();
  await until('the rest', () => drain.cursor.ordinal === 6000);
  assert.deepEqual(sorted(exporter.delivered), range(0, 6000));
  await drain.end();
});

test('after a crash the frozen batches go first, with the same bytes and ids, then the rest', async () => {
  const log = memoryLog({ recordBytes: 300 });
  await fill(log.openWriter(), [5, 9, 2, 11, 4]);
  const exporter = new ScriptedExporter((_, signal) => hang(signal));
  const config = deliveryConfig({ numConsumers: 3, timeoutMs: 0, batch: { maxSize: 4 } });
  const first = startDrain(log, exporter, { config });
  await until('three sends', () => exporter.inFlight === 3);
  const before = exporter.attempts.splice(0);
  await first.end();
  log.crash();

  exporter.answer = () => undefined;
  // As in the engine: the exporter's thread runs before the log's writer has opened, when nothing is readable.
  const second = startDrain(log, exporter, { config });
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.deepEqual(exporter.attempts, [], 'nothing can be read yet');
  assert.equal(second.counter('millrace_log_dropped_items'), 0, 'and nothing is lost');
  log.openWriter();
  await until('delivery', () => second.cursor.ordinal === 31);
  const again = exporter.attempts.slice(0, 3);
  assert.deepEqual(
    again.map(({ batchId, bytes }) => ({ batchId, bytes })),
    before.map(({ batchId, bytes }) => ({ batchId, bytes })),
  );
  assert.deepEqual(sorted(exporter.delivered), range(0, 31));
  await second.end();
});

test('items in damaged records are counted as lost, gaps are stepped over, the others are delivered', async () => {
  const log = memoryLog({ recordBytes: 10 });
  const writer = log.openWriter();
  await fill(writer, [5, 5, 5, 5]);
  const damaged = log.records[1]!;
  const empty = new Uint32Array(0);
  log.records[1] = {
    ...damaged,
    damaged: true,
    payload: new Uint8Array(0),
    entryEnds: empty,
    entryItemEnds: empty,
  };
  log.records.splice(2, 1);
  const exporter = new ScriptedExporter();
  const drain = startDrain(log, exporter, { config: deliveryConfig({ batch: { minSize: 100 } }) });
  await until('delivery', () => drain.cursor.ordinal === 20);
  assert.deepEqual(exporter.delivered, [...range(0, 5), ...range(15, 20)]);
  assert.equal(drain.counter('millrace_log_dropped_items', 'damaged'), 5);
  await drain.end();
});

test('a gap at the end of the log is passed without spinning and does not count as queued', async () => {
  const log = memoryLog({ recordBytes: 10 });
  const writer = log.openWriter();
  await fill(writer, [5, 5]);
  log.records.pop();
  const exporter = new ScriptedExporter();
  const drain = startDrain(log, exporter, { config: deliveryConfig({ batch: { minSize: 1 } }) });
  await until('the cursor behind the gap', () => drain.cursor.ordinal === 10);
  await fill(writer, [5]);
  await until('delivery', () => drain.cursor.ordinal === 15);
  assert.deepEqual(exporter.delivered, [...range(0, 5), ...range(10, 15)]);
  assert.equal(drain.counter('millrace_log_dropped_items', 'damaged'), 0);
  await drain.end();
});

for (const obeys of [true, false]) {
  test(`stop while a send hangs ${obeys ? 'until it is aborted' : 'for good'}: at once, the batch stays`, async () => {
    const log = memoryLog();
    await fill(log.openWriter(), [5]);
    const exporter = new ScriptedExporter((_, signal) =>
      obeys ? hang(signal) : new Promise(() => undefined),
    );
    const drain = startDrain(log, exporter, { config: deliveryConfig({ timeoutMs: 0 }) });
    await until('the send', () => exporter.inFlight === 1);
    const startedMs = performance.now();
    await drain.end();
    assert.ok(performance.now() - startedMs < 5000);
    assert.equal(drain.cursor.ordinal, 0);
    assert.deepEqual(drain.cursor.frozen, [{ first: 0, end: 5 }]);
    assert.equal(drain.counter('otelcol_exporter_send_failed_spans'), 0);
  });
}

test('stop while boundaries are being frozen sends nothing afterwards', async () => {
  const log = memoryLog();
  const exporter = new ScriptedExporter((_, signal) => hang(signal));
  const drain = startDrain(log, exporter, { config: deliveryConfig({ timeoutMs: 0 }) });
  const { cursor } = drain;
  const freeze = cursor.freeze.bind(cursor);
  let stopped: Promise<void> | undefined;
  cursor.freeze = async (boundaries) => {
    await freeze(boundaries);
    stopped = drain.delivery.stop();
  };
  await fill(log.openWriter(), [5]);
  await until('the stop', () => stopped !== undefined);
  await stopped;
  await drain.running;
  assert.equal(exporter.attempts.length, 0);
  assert.deepEqual(cursor.frozen, [{ first: 0, end: 5 }]);
  await drain.end();
});

test('B18: an exporter that hangs does not disturb another one on the same log', async () => {
  const log = memoryLog({ cursorNames: ['hangs', 'works'] });
  const writer = log.openWriter();
  const config = deliveryConfig({ numConsumers: 2, timeoutMs: 0, ...oneAtATime });
  const hanging = startDrain(log, new ScriptedExporter((_, signal) => hang(signal)), {
    config,
    cursorName: 'hangs',
  });
  const working = new ScriptedExporter();
  const drain = startDrain(log, working, { config, cursorName: 'works' });
  for (let i = 0; i < 20; i++) await fill(writer, [10]);
  await until('delivery', () => drain.cursor.ordinal === 200);
  assert.deepEqual(sorted(working.delivered), range(0, 200));
  assert.equal(hanging.cursor.ordinal, 0);
  assert.equal(hanging.cursor.frozen.length, 2);
  await hanging.end();
  await drain.end();
});

for (const point of ['exporter.frozen', 'exporter.before_finish']) {
  test(`a failure at ${point} ends the run with that error and leaves the batch in the log`, async () => {
    const log = memoryLog();
    await fill(log.openWriter(), [5]);
    setFailpoints(`${point}=throw`);
    const slots = new SendSlots(4);
    const drain = startDrain(log, new ScriptedExporter(), { slots });
    await assert.rejects(drain.running, /failpoint/);
    assert.deepEqual(drain.cursor.frozen, [{ first: 0, end: 5 }]);
    assert.equal(slots.free, 4);
    await drain.delivery.stop();
    await drain.reader.close();
  });
}

test('any mixture of errors, crashes and sizes: every item is delivered at least once or counted as dropped', async () => {
  const scenario = fc.record({
    counts: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 12 }),
    maxSize: fc.integer({ min: 1, max: 15 }),
    numConsumers: fc.integer({ min: 1, max: 5 }),
    seed: fc.nat(),
    crashes: fc.nat(2),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ counts, maxSize, numConsumers, seed, crashes }) => {
      const prng = new Prng(seed);
      const log = memoryLog({ recordBytes: 1000 });
      await fill(log.openWriter(), counts);
      const total = counts.reduce((sum, count) => sum + count, 0);
      const dropped = new Set<number>();
      const exporter = new ScriptedExporter(async (batch) => {
        const drawn = prng.nextInt(4);
        if (drawn === 1) await new Promise((resolve) => setTimeout(resolve, prng.nextInt(4)));
        if (drawn === 2) throw retryable();
        if (drawn === 3 && prng.nextInt(3) === 0) {
          for (const item of itemNumbers(batch.slices)) dropped.add(item);
          throw permanent();
        }
      });
      const config = deliveryConfig({
        numConsumers,
        batch: { maxSize, minSize: maxSize },
        retry: { maxIntervalMs: 2 },
      });
      for (let crash = 0; crash < crashes; crash++) {
        const drain = startDrain(log, exporter, { config });
        await new Promise((resolve) => setTimeout(resolve, prng.nextInt(6)));
        await drain.end();
        log.crash();
        log.openWriter();
      }
      const drain = startDrain(log, exporter, { config });
      await until('the end', () => drain.cursor.ordinal === total, 30_000);
      const seen = new Set([...exporter.delivered, ...dropped]);
      assert.deepEqual(sorted([...seen]), range(0, total));
      const bytesById = new Map<string, string>();
      for (const { batchId, bytes } of exporter.attempts) {
        assert.equal(bytesById.get(batchId) ?? bytes, bytes, `batch ${batchId} changed its bytes`);
        bytesById.set(batchId, bytes);
      }
      await drain.end();
    }),
    { numRuns: 40, endOnFailure: true },
  );
});
