import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../testkit/engine-process.ts';
import {
  deliveryConfig,
  fill,
  hang,
  memoryLog,
  permanent,
  retryable,
  ScriptedExporter,
  startDrain,
} from './delivery.test-peer.ts';

const sorted = (items: readonly number[]) => [...items].sort((a, b) => a - b);

test('retries wait as retry_on_failure says and carry the same bytes and id', async () => {
  const log = memoryLog();
  await fill(log.openWriter(), [3]);
  const exporter = new ScriptedExporter((_, __, attempt) =>
    attempt < 4 ? Promise.reject(retryable()) : undefined,
  );
  const retry = { initialIntervalMs: 20, multiplier: 2, maxIntervalMs: 60 };
  const drain = startDrain(log, exporter, { config: deliveryConfig({ retry }) });
  await until('delivery', () => drain.cursor.ordinal === 3);
  const waits = exporter.attempts.slice(1).map(({ atMs }, i) => atMs - exporter.attempts[i]!.atMs);
  for (const [i, wanted] of [20, 40, 60, 60].entries()) {
    assert.ok(waits[i]! >= wanted - 1.5, `wait ${i} took ${waits[i]} ms instead of ${wanted}`);
    assert.ok(waits[i]! < wanted + 500, `wait ${i} took ${waits[i]} ms instead of ${wanted}`);
  }
  assert.equal(new Set(exporter.attempts.map(({ batchId, bytes }) => batchId + bytes)).size, 1);
  assert.equal(drain.counter('millrace_exporter_retries'), 4);
  assert.equal(drain.counter('otelcol_exporter_sent_spans'), 3);
  await drain.end();
});

test('Retry-After stretches the wait; negative, tiny and NaN ones do not shorten it', async () => {
  for (const [hintMs, atLeastMs] of [
    [80, 78],
    [-5, 18],
    [1, 18],
    [Number.NaN, 18],
  ] as const) {
    const log = memoryLog();
    await fill(log.openWriter(), [1]);
    const exporter = new ScriptedExporter((_, __, attempt) =>
      attempt === 0 ? Promise.reject(retryable('busy', hintMs)) : undefined,
    );
    const drain = startDrain(log, exporter, { config: deliveryConfig({ retry: { initialIntervalMs: 20 } }) });
    await until('delivery', () => drain.cursor.ordinal === 1);
    const waitMs = exporter.attempts[1]!.atMs - exporter.attempts[0]!.atMs;
    assert.ok(waitMs >= atLeastMs && waitMs < atLeastMs + 500, `hint ${hintMs}: waited ${waitMs} ms`);
    await drain.end();
  }
});

test('a Retry-After of a year is clamped to five minutes', async () => {
  const log = memoryLog();
  await fill(log.openWriter(), [1]);
  const exporter = new ScriptedExporter(() => Promise.reject(retryable('busy', 365 * 86_400_000)));
  const drain = startDrain(log, exporter);
  await until('a failed attempt', () => drain.logger.lines.length > 0);
  assert.equal(drain.logger.lines[0]!.fields.interval_ms, 300_000);
  await drain.end();
});

test('a permanent error drops the batch at once, counts it and goes on', async () => {
  const log = memoryLog();
  await fill(log.openWriter(), [1, 1, 1]);
  const exporter = new ScriptedExporter((batch) =>
    batch.batchId.endsWith('-1-1') ? Promise.reject(permanent()) : undefined,
  );
  const drain = startDrain(log, exporter, { config: deliveryConfig({ batch: { maxSize: 1 } }) });
  await until('the end', () => drain.cursor.ordinal === 3);
  assert.deepEqual(sorted(exporter.delivered), [0, 2]);
  assert.equal(exporter.attempts.length, 3);
  assert.equal(drain.counter('otelcol_exporter_send_failed_spans'), 1);
  assert.equal(drain.counter('millrace_exporter_batches', 'dropped'), 1);
  await drain.end();
});

test('without retry_on_failure the first error drops; an unclassified error is retried', async () => {
  const drop = memoryLog();
  await fill(drop.openWriter(), [2]);
  const failing = new ScriptedExporter(() => Promise.reject(retryable()));
  const dropping = startDrain(drop, failing, { config: deliveryConfig({ retry: { enabled: false } }) });
  await until('the drop', () => dropping.cursor.ordinal === 2);
  assert.equal(failing.attempts.length, 1);
  await dropping.end();

  const keep = memoryLog();
  await fill(keep.openWriter(), [2]);
  const broken = new ScriptedExporter((_, __, attempt) =>
    attempt === 0 ? Promise.reject(new TypeError('bug of an exporter')) : undefined,
  );
  const keeping = startDrain(keep, broken);
  await until('delivery', () => keeping.cursor.ordinal === 2);
  assert.deepEqual(broken.delivered, [0, 1]);
  await keeping.end();
});

/** A clock that jumps on by itself at every reading, so that hours of retries pass in milliseconds. */
function jumpingClock(stepMs: number) {
  let nowMs = 0;
  return {
    unixMs: () => nowMs,
    monotonicMs: () => {
      nowMs += stepMs;
      return nowMs;
    },
  };
}

test('max_elapsed_time not set: for ever on a durable log, five minutes otherwise; set: as set; 0: for ever', async () => {
  const cases = [
    { isDurable: true, maxElapsedMs: undefined, drops: false },
    { isDurable: true, maxElapsedMs: 0, drops: false },
    { isDurable: true, maxElapsedMs: 120_000, drops: true },
    { isDurable: false, maxElapsedMs: undefined, drops: true },
    { isDurable: false, maxElapsedMs: 0, drops: false },
  ];
  for (const { isDurable, maxElapsedMs, drops } of cases) {
    const log = memoryLog();
    await fill(log.openWriter(), [2]);
    const exporter = new ScriptedExporter((_, __, attempt) =>
      attempt < 30 ? Promise.reject(retryable()) : undefined,
    );
    const drain = startDrain(log, exporter, {
      config: deliveryConfig({ retry: { initialIntervalMs: 1, maxIntervalMs: 1, maxElapsedMs } }),
      isDurable,
      clock: jumpingClock(20_000),
    });
    await until('the end', () => drain.cursor.ordinal === 2);
    const name = JSON.stringify({ isDurable, maxElapsedMs });
    assert.equal(drain.counter('otelcol_exporter_send_failed_spans'), drops ? 2 : 0, name);
    assert.deepEqual(exporter.delivered, drops ? [] : [0, 1], name);
    await drain.end();
  }
});

test('an attempt without an answer ends at the timeout and is tried again', async () => {
  const log = memoryLog();
  await fill(log.openWriter(), [2]);
  const exporter = new ScriptedExporter((_, signal, attempt) => (attempt < 2 ? hang(signal) : undefined));
  const drain = startDrain(log, exporter, { config: deliveryConfig({ timeoutMs: 30 }) });
  await until('delivery', () => drain.cursor.ordinal === 2);
  assert.equal(exporter.attempts.length, 3);
  assert.ok(drain.logger.lines.every(({ fields }) => fields.code === 'EXPORT_TIMEOUT'));
  await drain.end();
});

test('a timeout longer than timers can be does not end attempts at once', async () => {
  const log = memoryLog();
  await fill(log.openWriter(), [1]);
  const exporter = new ScriptedExporter((_, signal) =>
    Promise.race([hang(signal), new Promise<void>((resolve) => setTimeout(resolve, 30))]),
  );
  const drain = startDrain(log, exporter, { config: deliveryConfig({ timeoutMs: 60 * 86_400_000 }) });
  await until('delivery', () => drain.cursor.ordinal === 1);
  assert.equal(exporter.attempts.length, 1);
  await drain.end();
});

test('B8: a partial success is never sent again; what was refused counts as failed, not as sent', async () => {
  const log = memoryLog();
  await fill(log.openWriter(), [10]);
  const exporter = new ScriptedExporter(() => Promise.resolve({ rejectedCount: 3 }));
  const drain = startDrain(log, exporter);
  await until('delivery', () => drain.cursor.ordinal === 10);
  assert.equal(exporter.attempts.length, 1);
  assert.equal(drain.counter('otelcol_exporter_sent_spans'), 7);
  assert.equal(drain.counter('otelcol_exporter_send_failed_spans'), 3);
  await drain.end();
});
