/** A cursor that was moved back: everything since then goes out again, as data that no backend has seen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryLog } from '../../queue/log/memory-log.ts';
import { until } from '../../testkit/engine-process.ts';
import {
  deliveryConfig,
  fill,
  memoryLog,
  retryable,
  ScriptedExporter,
  startDrain,
} from './delivery.test-peer.ts';

const range = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);
/** Boundaries that depend on nothing but the items. */
const config = deliveryConfig({ numConsumers: 1, batch: { minSize: 5, maxSize: 5 } });

function retainingLog(): MemoryLog {
  return new MemoryLog({ ...memoryLog().descriptor, retain: { logs: [] } });
}

test('behind a rewind the same boundaries have ids of their own, and keep them through a crash', async () => {
  const log = retainingLog();
  await fill(log.openWriter(), [20, 20]);
  const first = new ScriptedExporter();
  let drain = startDrain(log, first, { config });
  await until('delivery', () => drain.cursor.ordinal === 40);
  await drain.end();
  log.rewindCursor('test', 10);
  log.openWriter();
  // The backend is away: what was tried is what is tried after the crash.
  const away = new ScriptedExporter(async () => {
    throw retryable();
  });
  drain = startDrain(log, away, { config });
  await until('an attempt', () => away.attempts.length > 0);
  await drain.end();
  log.crash();
  log.openWriter();
  const second = new ScriptedExporter();
  drain = startDrain(log, second, { config });
  await until('delivery', () => drain.cursor.ordinal === 40);
  await drain.end();

  assert.deepEqual(second.delivered, range(10, 40));
  const ids = (exporter: ScriptedExporter) => exporter.attempts.map(({ batchId }) => batchId);
  assert.equal(ids(second)[0], ids(away)[0]);
  const before = new Set(ids(first));
  assert.equal(before.size, 8);
  assert.deepEqual(
    ids(second).filter((id) => before.has(id)),
    [],
  );
  // The boundaries themselves are those of before: without a generation the ids would be equal.
  assert.ok(ids(second).every((id) => before.has(id.replace('.r1-', '-'))));
});

test('each rewind has another generation, and what is new behind it has the latest', async () => {
  const log = retainingLog();
  const writer = log.openWriter();
  await fill(writer, [5]);
  const seen = new Set<string>();
  for (let round = 0; round < 3; round++) {
    const exporter = new ScriptedExporter();
    const drain = startDrain(log, exporter, { config });
    await until('delivery', () => drain.cursor.ordinal === 5);
    await drain.end();
    for (const { batchId } of exporter.attempts) {
      assert.equal(seen.has(batchId), false, batchId);
      seen.add(batchId);
    }
    if (round < 2) log.rewindCursor('test', 0);
  }
  await fill(writer, [5]);
  const exporter = new ScriptedExporter();
  const drain = startDrain(log, exporter, { config });
  await until('delivery', () => drain.cursor.ordinal === 10);
  await drain.end();
  assert.match(exporter.attempts[0]!.batchId, /\.r2-5-9$/);
});
