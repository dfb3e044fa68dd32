/** A1, A4, G1 and G2 with traces that wait on disk for their decision. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Prng } from '../../stdx/prng.ts';
import {
  type EnginePorts,
  type EngineProcess,
  freePorts,
  metricSum,
  STOP_WITHIN_MS,
  until,
} from '../engine-process.ts';
import { deliveredSpans } from '../file-sink.ts';
import { type LedgerClient, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { isKept, samplingConfig } from './sampling.test-peer.ts';
import {
  CLEAN_EXIT,
  drained,
  engineOnFullDisk,
  fileSink,
  ledgerClient,
  startEngine,
  tempDirectory,
} from './storage.test-peer.ts';

const CYCLES = 30;
const PRODUCERS = 4;
/** Shorter than an answer takes: there is always a request on its way. */
const PAUSE_MS = 2;
const POINTS = [
  'pipeline.decoded',
  'pipeline.before_commit',
  'pipeline.before_ack',
  'holding.journal_flushed',
  'holding.copied',
  'exporter.frozen',
  'exporter.sent',
];

/** All traces are decided, and what is kept of them is where it belongs. */
async function decided(
  engine: EngineProcess,
  bed: { ports: EnginePorts; client: LedgerClient; sink: string },
) {
  const { metrics } = bed.ports;
  await until(
    'all decisions',
    async () => metricSum(await engine.metrics(metrics), 'millrace_sampling_pending_traces') === 0,
  );
  // The copy of the last decisions is a step behind them.
  const kept = bed.client.ackedSpans().filter(isKept);
  await until('every span that is kept', async () => {
    const delivered = deliveredSpans(bed.sink);
    return kept.every((key) => delivered.has(key));
  });
  await drained(engine, metrics);
}

/** @returns duplicate spans. */
function check(client: LedgerClient, sink: string): number {
  const delivered = deliveredSpans(sink);
  const kept = client.ackedSpans().filter(isKept);
  assert.deepEqual(
    kept.filter((key) => !delivered.has(key)),
    [],
    'acknowledged spans of kept traces that were not delivered',
  );
  assert.deepEqual(
    [...delivered.keys()].filter((key) => !isKept(key)),
    [],
    'spans of dropped traces that came out',
  );
  assert.ok(kept.length > 100, `${kept.length} kept spans prove little`);
  return [...delivered.values()].reduce((sum, times) => sum + times - 1, 0);
}

test(`${CYCLES} crashes lose no acknowledged span of a kept trace`, { timeout: 540_000 }, async (t) => {
  const directory = tempDirectory(t);
  const sink = join(directory, 'delivered.bin');
  const ports = await freePorts();
  const exporter = { path: sink, format: 'proto', append: true, sending_queue: { batch: { min_size: 64 } } };
  const start = { config: samplingConfig(ports, { file: exporter }), dataDir: join(directory, 'data') };
  const client = ledgerClient(t, ports.http, PRODUCERS, 100, PAUSE_MS);
  const prng = new Prng(20_261_122);
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const point = cycle % 2 === 0 ? undefined : POINTS[(cycle >> 1) % POINTS.length]!;
    const failpoints = point === undefined ? '' : `${point}=kill@${1 + prng.nextInt(6)}`;
    let engine: EngineProcess;
    try {
      engine = await startEngine(t, { ...start, failpoints });
    } catch (error) {
      // What an earlier cycle left pending is decided from the first moment on, which may be the point's.
      if (point === undefined || !String(error).includes('before it was ready')) throw error;
      continue;
    }
    client.start();
    if (point === undefined) await sleep(100 + prng.nextInt(600));
    else await until(`${failpoints}, under load`, () => engine.hasExited);
    const { signal } = await engine.kill();
    assert.equal(signal, 'SIGKILL', `cycle ${cycle} (${failpoints}):\n${engine.log}`);
    await client.stop();
  }
  const engine = await startEngine(t, start);
  await decided(engine, { ports, client, sink });
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  const duplicates = check(client, sink);
  const inFlightMax = 10 * (64 + PRODUCERS * SPANS_PER_REQUEST);
  assert.ok(duplicates <= (CYCLES + 1) * inFlightMax, `${duplicates} duplicates`);
  t.diagnostic(`${client.acked.size} requests acknowledged, ${duplicates} duplicates`);
});

test('a stop leaves pending traces for the next start, which decides them', {
  timeout: 180_000,
}, async (t) => {
  const directory = tempDirectory(t);
  const sink = join(directory, 'delivered.bin');
  const ports = await freePorts();
  const config = samplingConfig(ports, fileSink(sink), { decision_wait: '3s' });
  const start = { config, dataDir: join(directory, 'data') };
  const client = ledgerClient(t, ports.http, PRODUCERS, 100, PAUSE_MS);
  for (let cycle = 0; cycle < 5; cycle++) {
    const engine = await startEngine(t, start);
    client.start();
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
    await client.stop();
  }
  const engine = await startEngine(t, start);
  await decided(engine, { ports, client, sink });
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assert.equal(check(client, sink), 0, 'duplicates');
});

test('pending traces that may not outlive the process are dropped when it stops', {
  timeout: 180_000,
}, async (t) => {
  const directory = tempDirectory(t);
  const sink = join(directory, 'delivered.bin');
  const ports = await freePorts();
  const options = { decision_wait: '60s', drop_pending_traces_on_shutdown: true };
  const start = { config: samplingConfig(ports, fileSink(sink), options), dataDir: join(directory, 'data') };
  const client = ledgerClient(t, ports.http, PRODUCERS, 100, PAUSE_MS);
  const engine = await startEngine(t, start);
  client.start();
  await until('some acknowledgements', () => client.acked.size >= 50);
  await client.stop();
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  const again = await startEngine(t, start);
  assert.equal(metricSum(await again.metrics(ports.metrics), 'millrace_sampling_pending_traces'), 0);
  assert.deepEqual(await again.kill('SIGTERM'), CLEAN_EXIT, again.log);
  assert.equal(deliveredSpans(sink).size, 0);
});

test('a full disk while traces are pending refuses, and decisions go on when space returns', {
  timeout: 180_000,
}, async (t) => {
  const bed = await engineOnFullDisk(t, samplingConfig);
  if (bed === undefined) return;
  const { engine, client, ballast, sink, ports } = bed;
  await new Promise((resolve) => setTimeout(resolve, 2000));
  assert.ok(!engine.hasExited, engine.log);
  rmSync(ballast);
  const ackedBefore = client.acked.size;
  await until('acknowledgements behind the full disk', () => client.acked.size > ackedBefore + 20);
  await client.stop();
  assert.deepEqual([...client.statuses.keys()].sort(), [200, 503]);
  await decided(engine, { ports, client, sink });
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assert.equal(check(client, sink), 0, 'duplicates');
});

test('a full disk does not hold up the stop of a sampler', { timeout: 180_000 }, async (t) => {
  const bed = await engineOnFullDisk(t, samplingConfig);
  if (bed === undefined) return;
  const { engine, client, ballast, sink, ports, start } = bed;
  const startedMs = Date.now();
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assert.ok(Date.now() - startedMs < STOP_WITHIN_MS, 'stopped after the deadline');
  await client.stop();
  rmSync(ballast);
  const again = await startEngine(t, start);
  await decided(again, { ports, client, sink });
  assert.deepEqual(await again.kill('SIGTERM'), CLEAN_EXIT, again.log);
  check(client, sink);
});
