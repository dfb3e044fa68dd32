/** A4 and A5 with the real program: a disk without space, and the disk budget that several signals share. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Signal } from '../../component/signal.ts';
import {
  type EnginePorts,
  engineConfig,
  freePort,
  freePorts,
  metricSum,
  STOP_WITHIN_MS,
  until,
} from '../engine-process.ts';
import { ledgerRequest } from '../ledger-client.ts';
import { requestType } from '../otlp-root.ts';
import {
  assertDelivered,
  CLEAN_EXIT,
  diskBytes,
  drained,
  engineOnFullDisk,
  startEngine,
  tempDirectory,
} from './storage.test-peer.ts';

const MIB = 1 << 20;

async function post(port: number, signal: Signal, body: Uint8Array<ArrayBuffer>) {
  const response = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body,
  });
  await response.arrayBuffer();
  return { status: response.status, retryAfter: response.headers.get('retry-after') };
}

const unsampled = (ports: EnginePorts, exporters: Record<string, unknown>) =>
  engineConfig(ports, exporters, { signals: ['traces'] });

test('A4: a full disk refuses retryably, and space that returns is used without a restart', {
  timeout: 180_000,
}, async (t) => {
  const bed = await engineOnFullDisk(t, unsampled);
  if (bed === undefined) return;
  const { engine, client, ballast, sink, ports } = bed;
  for (let i = 0; i < 20; i++) {
    const { status, retryAfter } = await post(ports.http, 'traces', new Uint8Array(ledgerRequest(50, i)));
    if (status === 200) continue;
    assert.equal(status, 503);
    assert.ok(Number(retryAfter) >= 1, `Retry-After: ${retryAfter}`);
  }
  await sleep(2000);
  assert.ok(!engine.hasExited, engine.log);
  rmSync(ballast);
  const ackedBefore = client.acked.size;
  await until('acknowledgements behind the full disk', () => client.acked.size > ackedBefore + 20);
  await client.stop();
  assert.deepEqual([...client.statuses.keys()].sort(), [200, 503]);
  assert.equal(client.connectionErrors, 0);
  await drained(engine, ports.metrics);
  assert.ok(!engine.log.includes('worker ended'), engine.log);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assertDelivered(client, sink);
});

test('A4: a full disk does not hold the stop up, and the next start has everything', {
  timeout: 180_000,
}, async (t) => {
  const bed = await engineOnFullDisk(t, unsampled);
  if (bed === undefined) return;
  const { engine, client, ballast, sink, ports, start } = bed;
  const startedMs = Date.now();
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assert.ok(Date.now() - startedMs < STOP_WITHIN_MS, 'stopped after the deadline');
  await client.stop();
  rmSync(ballast);
  const again = await startEngine(t, start);
  await drained(again, ports.metrics);
  assert.deepEqual(await again.kill('SIGTERM'), CLEAN_EXIT, again.log);
  assertDelivered(client, sink);
});

/** The embedded ClickHouse of another engine; false where its package is not installed. */
async function startStore(t: TestContext, directory: string, port: number): Promise<boolean> {
  try {
    // Only looked up: chDB takes signal handlers over in any process that loads it.
    createRequire(import.meta.url).resolve('chdb');
  } catch {
    return false;
  }
  const extensions = { embedded_clickhouse: { endpoint: `127.0.0.1:${port}` } };
  await startEngine(t, {
    config: engineConfig(await freePorts(), { nop: {} }, { signals: ['traces'], extensions }),
    dataDir: join(directory, 'store'),
  });
  return true;
}

/** One item with a text of so many bytes. */
function largeRequest(signal: Signal, bytes: number): Uint8Array<ArrayBuffer> {
  const type = requestType(signal);
  const text = 'x'.repeat(bytes);
  const bodies: Record<Signal, object> = {
    traces: {},
    logs: { resource_logs: [{ scope_logs: [{ log_records: [{ body: { string_value: text } }] }] }] },
    metrics: {
      resource_metrics: [
        {
          scope_metrics: [
            { metrics: [{ name: 'm', description: text, gauge: { data_points: [{ as_double: 1 }] } }] },
          ],
        },
      ],
    },
  };
  return new Uint8Array(type.encode(type.fromObject(bodies[signal])).finish());
}

test('A5: three signals without a backend keep to one disk budget together, and go on when it is back', {
  timeout: 180_000,
}, async (t) => {
  const budgetBytes = 48 * MIB;
  const segmentBytes = (budgetBytes * 0.25) / 6 / 2;
  const directory = tempDirectory(t);
  const dataDir = join(directory, 'data');
  const ports = await freePorts();
  const storePort = await freePort();
  const clickhouse = {
    endpoint: `http://127.0.0.1:${storePort}`,
    database: 'otel',
    retry_on_failure: { initial_interval: '200ms', max_interval: '500ms', max_elapsed_time: '0s' },
  };
  const engine = await startEngine(t, {
    config: engineConfig(ports, { clickhouse }),
    dataDir,
    flags: ['--disk-budget', '48MiB', '--workers', '2'],
  });
  const bodies = {
    traces: new Uint8Array(ledgerRequest(0, 0, 25_000)),
    logs: largeRequest('logs', 100_000),
    metrics: largeRequest('metrics', 100_000),
  };
  const taken = { traces: 0, logs: 0, metrics: 0 };
  const fill = async (signal: Signal) => {
    for (let refused = 0; refused < 5; ) {
      const { status, retryAfter } = await post(ports.http, signal, bodies[signal]);
      if (status === 200) taken[signal] += 1;
      else {
        assert.equal(status, 503);
        assert.ok(Number(retryAfter) >= 1);
        refused += 1;
      }
    }
  };
  await Promise.all([fill('traces'), fill('logs'), fill('metrics'), fill('traces'), fill('logs')]);
  const fullBytes = diskBytes(dataDir);
  t.diagnostic(`${JSON.stringify(taken)} requests in ${fullBytes >> 10} KiB`);
  assert.ok(fullBytes <= budgetBytes + segmentBytes, `${fullBytes} bytes on disk`);
  assert.ok(fullBytes > budgetBytes * 0.7, `refused at ${fullBytes} bytes`);
  assert.ok(Math.min(...Object.values(taken)) > 20, JSON.stringify(taken));
  const scrape = await engine.metrics(ports.metrics);
  assert.equal(metricSum(scrape, 'otelcol_exporter_queue_capacity', ['data_type="logs"']), budgetBytes);
  assert.ok(metricSum(scrape, 'otelcol_exporter_queue_size') > 0);
  assert.ok(metricSum(scrape, 'otelcol_exporter_enqueue_failed_spans') > 0);

  if (!(await startStore(t, directory, storePort))) return t.diagnostic('npm package chdb is not installed');
  await until(
    'all signals to be taken again',
    async () => {
      const results = await Promise.all(
        (['traces', 'logs', 'metrics'] as const).map((signal) => post(ports.http, signal, bodies[signal])),
      );
      return results.every(({ status }) => status === 200);
    },
    40_000,
  );
  await drained(engine, ports.metrics);
  await until('the disk to be given back', () => diskBytes(dataDir) < budgetBytes / 2);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
});
