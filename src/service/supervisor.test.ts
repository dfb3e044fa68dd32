import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PipelineError } from '../component/errors.ts';
import { loadCollectorConfig } from '../config/collector-config.ts';
import { numberedRequest, RecordingLogger } from '../exporters/helper/delivery.test-peer.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { systemClock } from '../stdx/clock.ts';
import { afterwards } from '../testkit/e2e/storage.test-peer.ts';
import { engineConfig, freePorts, metricSum, until } from '../testkit/engine-process.ts';
import { Engine } from './engine.ts';

const SPANS = 3;

interface Running {
  engine: Engine;
  logger: RecordingLogger;
  fatal: PipelineError[];
  send(timeoutMs?: number): Promise<{ status: number; text: string }>;
  metrics(): Promise<string>;
}

/** The real engine in this process, with real worker threads that follow the failpoints. */
async function startEngine(t: TestContext, failpoints: string, dataDir?: string): Promise<Running> {
  const directory = dataDir ?? mkdtempSync(join(tmpdir(), 'millrace-supervisor-'));
  const ports = await freePorts();
  const loaded = loadCollectorConfig(`yaml:${engineConfig(ports, { nop: {} })}`, BUILTIN.values());
  assert.ok(loaded.plan !== undefined);
  const logger = new RecordingLogger();
  const fatal: PipelineError[] = [];
  const engine = new Engine({
    command: {
      command: 'run',
      configs: [],
      sets: [],
      dataDir: directory,
      durability: 'disk',
      workerCount: 1,
      diskBudgetBytes: undefined,
      retain: undefined,
      isWatching: false,
      warnings: [],
    },
    plan: loaded.plan,
    registry: BUILTIN,
    clock: systemClock,
    logger,
    version: 'test',
    failpoints,
    onFatal: (error) => fatal.push(error),
  });
  afterwards(t, async () => {
    await engine.stop(systemClock.monotonicMs() + 3000);
    rmSync(directory, { recursive: true, force: true });
  });
  await engine.start();
  return {
    engine,
    logger,
    fatal,
    send: async (timeoutMs = 15_000) => {
      const response = await fetch(`http://127.0.0.1:${ports.http}/v1/traces`, {
        method: 'POST',
        body: numberedRequest(0, SPANS),
        headers: { 'content-type': 'application/x-protobuf' },
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.status, text: Buffer.from(await response.arrayBuffer()).toString() };
    },
    metrics: async () => (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text(),
  };
}

/** Items in the log of the signal that its exporter has not finished. */
const queued = (text: string) => metricSum(text, 'otelcol_exporter_queue_size', ['data_type="traces"']);

for (const action of ['throw', 'exit']) {
  test(`F5: a pipeline worker that ends by ${action} is replaced; its frames go to the successor, nothing acked is lost`, async (t) => {
    const running = await startEngine(t, `pipeline.frame_read=${action}@3`);
    // Each incarnation reads two frames and dies of the third, which its successor reads first.
    for (let i = 0; i < 7; i++) assert.equal((await running.send()).status, 200, `request ${i}`);
    await until('delivery', async () => queued(await running.metrics()) === 0);
    const text = await running.metrics();
    assert.equal(metricSum(text, 'millrace_worker_restarts'), 3);
    assert.equal(metricSum(text, 'otelcol_receiver_accepted_spans'), 7 * SPANS);
    assert.equal(metricSum(text, 'otelcol_exporter_sent_spans'), 7 * SPANS);
    // A thread that throws still hands over its last figures; one that exits takes them with it.
    if (action === 'throw') assert.equal(metricSum(text, 'millrace_pipeline_requests', ['outcome="ok"']), 7);
    assert.deepEqual(running.fatal, []);
  });
}

test('F5: requests in flight while a worker dies are all answered, and again taken later', async (t) => {
  const running = await startEngine(t, 'pipeline.frame_read=exit@40');
  const statuses: number[] = [];
  const clients = Array.from({ length: 16 }, async () => {
    for (let i = 0; i < 8; i++) statuses.push((await running.send()).status);
  });
  await Promise.all(clients);
  assert.equal(statuses.length, 128);
  assert.ok(
    statuses.every((status) => status === 200 || status === 503),
    String(statuses),
  );
  assert.equal((await running.send()).status, 200);
  const text = await running.metrics();
  const acked = statuses.filter((status) => status === 200).length + 1;
  assert.equal(metricSum(text, 'otelcol_receiver_accepted_spans'), acked * SPANS);
  assert.ok(metricSum(text, 'millrace_worker_restarts') >= 2);
  await until('delivery', async () => queued(await running.metrics()) === 0);
  // A request that was answered retryably may have been stored as well; one that was acked must have been.
  assert.ok(metricSum(await running.metrics(), 'otelcol_exporter_sent_spans') >= acked * SPANS);
});

test('F5: an exporter worker that dies after freezing sends the frozen batch after its restart', async (t) => {
  const running = await startEngine(t, 'exporter.frozen=exit');
  for (let i = 0; i < 3; i++) {
    assert.equal((await running.send()).status, 200);
    // Fetched before the next death: a thread that exits takes the figures since the last scrape with it.
    const sent = async () => metricSum(await running.metrics(), 'otelcol_exporter_sent_spans');
    await until(`delivery ${i + 1}`, async () => (await sent()) === (i + 1) * SPANS);
  }
  const text = await running.metrics();
  assert.equal(metricSum(text, 'millrace_worker_restarts'), 3);
  // The cursor's word follows its file, which is written lazily.
  await until('the cursor', async () => queued(await running.metrics()) === 0);
  assert.equal(metricSum(text, 'millrace_log_dropped_items'), 0);
  assert.deepEqual(running.fatal, []);
});

test('F6: a request that kills two workers is refused for good, and the next one is taken', async (t) => {
  const running = await startEngine(t, 'pipeline.frame_read=exit');
  const poison = await running.send();
  assert.equal(poison.status, 400);
  assert.match(poison.text, /could not be processed/);
  assert.ok(running.logger.lines.some(({ message }) => message.includes('killed two workers')));
  assert.equal(metricSum(await running.metrics(), 'millrace_worker_restarts'), 2);
});

test('F7: a worker in an endless loop is found within six seconds and replaced; its request is answered', async (t) => {
  const running = await startEngine(t, 'pipeline.frame_read=hang@2');
  assert.equal((await running.send()).status, 200);
  const startedMs = performance.now();
  assert.equal((await running.send()).status, 200);
  const tookMs = performance.now() - startedMs;
  // The watch looks after at most six; the successor has to start, on a machine that may be busy.
  assert.ok(tookMs > 4000 && tookMs < 15_000, `${tookMs} ms`);
  assert.ok(running.logger.lines.some(({ message }) => message.includes('hangs')));
  // The scrape does not wait for ever for a thread that does not answer.
  assert.equal(metricSum(await running.metrics(), 'otelcol_receiver_accepted_spans'), 2 * SPANS);
});

test('a worker that waits for a slow disk does not hang: its request is answered once it is flushed', async (t) => {
  const running = await startEngine(t, 'pipeline.flushing=stall:6500');
  const startedMs = performance.now();
  assert.equal((await running.send()).status, 200);
  // One that follows at once is flushed by another thread, also when the first one was.
  await sleep(50);
  assert.equal((await running.send()).status, 200);
  assert.ok(performance.now() - startedMs > 6000, 'the flush was not waited for');
  assert.deepEqual(
    running.logger.lines.filter(({ message }) => message.includes('worker')),
    [],
  );
});

test('a worker that dies again and again uses up the budget: fatal, once, and everything is answered', async (t) => {
  const running = await startEngine(t, 'pipeline.before_release=throw');
  const { status } = await running.send(20_000);
  assert.equal(status, 503);
  await until('the end', () => running.fatal.length > 0);
  assert.deepEqual(
    running.fatal.map(({ code }) => code),
    ['WORKER_LOST'],
  );
});

test('a commit that fails is fatal: the request and later ones are refused retryably', async (t) => {
  const running = await startEngine(t, 'pipeline.before_commit=throw');
  assert.equal((await running.send()).status, 503);
  assert.deepEqual(
    running.fatal.map(({ code }) => code),
    ['STORAGE_FAILED'],
  );
  assert.equal((await running.send()).status, 503);
  assert.equal(running.fatal.length, 1);
});

test('a worker that cannot start stops the engine with its reason, at once', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-supervisor-'));
  await assert.rejects(startEngine(t, 'nonsense', dataDir), (error: PipelineError) => {
    assert.equal(error.code, 'START_FAILED');
    assert.match(error.message, /failpoint/);
    return true;
  });
});
