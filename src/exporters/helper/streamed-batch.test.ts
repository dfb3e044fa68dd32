import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExportBatch } from '../../component/exporter.ts';
import { until } from '../../testkit/engine-process.ts';
import { BATCH_BYTES_MAX } from './batch-assembler.ts';
import { deliveryConfig, fill, itemNumbers, memoryLog, retryable, startDrain } from './delivery.test-peer.ts';

const PAD_BYTES = 100_000;
/** Requests of ten items, together 40 MB. */
const COUNTS = new Array<number>(40).fill(10);
const CONFIG = {
  ...deliveryConfig({ batch: { sizer: 'bytes', minSize: BATCH_BYTES_MAX + 1, flushTimeoutMs: 200 } }),
  streamsBatches: true as const,
};

function bigLog() {
  return memoryLog({ recordBytes: 1 << 20, budgetBytes: 1 << 30 });
}

/** Reads batches piece by piece, as an exporter does that streams. */
class StreamingExporter {
  readonly batches: { id: string; sizeBytes: number; items: number[]; isStreamed: boolean }[] = [];
  failures: number;

  constructor(failures = 0) {
    this.failures = failures;
  }

  async start(): Promise<void> {}
  async shutdown(): Promise<void> {}

  async export({ batchId, itemCount, sizeBytes, slices, readSlices }: ExportBatch): Promise<void> {
    const items: number[] = [];
    let bytes = 0;
    // Each slice is looked at while it is valid, and not later.
    for (const slice of readSlices?.() ?? slices) {
      items.push(...itemNumbers([slice]));
      bytes += slice.byteLength;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual([items.length, bytes], [itemCount, sizeBytes]);
    this.batches.push({ id: batchId, sizeBytes, items, isStreamed: readSlices !== undefined });
    if (this.failures-- > 0) throw retryable();
  }
}

const range = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);

test('a batch over the bound of memory is read piece by piece, and a retry reads it again', async () => {
  const log = bigLog();
  const writer = await log.openWriter();
  await fill(writer, COUNTS, PAD_BYTES);
  const exporter = new StreamingExporter(1);
  const drain = startDrain(log, exporter, { config: CONFIG });
  await until('three attempts', () => exporter.batches.length === 3);
  const [first, again, rest] = exporter.batches;
  assert.ok(first!.sizeBytes > BATCH_BYTES_MAX && first!.isStreamed);
  assert.deepEqual(again, first);
  assert.deepEqual([...first!.items, ...rest!.items], range(0, 400));
  await drain.end();
});

test('after a restart the same boundary is the same batch, whatever the sizes are then', async () => {
  const log = bigLog();
  const writer = await log.openWriter();
  await fill(writer, COUNTS, PAD_BYTES);
  const failing = new StreamingExporter(1000);
  const before = startDrain(log, failing, { config: CONFIG });
  await until('an attempt', () => failing.batches.length > 0);
  await before.end();

  const small = { ...deliveryConfig({ batch: { minSize: 10 } }), streamsBatches: true as const };
  const exporter = new StreamingExporter();
  const after = startDrain(log, exporter, { config: small });
  await until('all items', () => exporter.batches.reduce((sum, { items }) => sum + items.length, 0) === 400);
  assert.deepEqual(exporter.batches[0], failing.batches[0]);
  assert.ok(exporter.batches.slice(1).every(({ isStreamed }) => !isStreamed));
  await after.end();
});

test('an exporter that does not stream gets batches that fit into memory', async () => {
  const log = bigLog();
  const writer = await log.openWriter();
  await fill(writer, COUNTS, PAD_BYTES);
  const exporter = new StreamingExporter();
  const { streamsBatches: _, ...config } = CONFIG;
  const drain = startDrain(log, exporter, { config });
  await until('all items', () => exporter.batches.reduce((sum, { items }) => sum + items.length, 0) === 400);
  for (const { sizeBytes, isStreamed } of exporter.batches)
    assert.ok(!isStreamed && sizeBytes <= BATCH_BYTES_MAX + (1 << 21), `${sizeBytes} bytes`);
  await drain.end();
});
