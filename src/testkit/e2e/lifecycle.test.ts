/**
 * G1, G2, G3, G11, A11: stopping under load, stopping with a dead or hung backend, starting before the backend
 * exists, a second engine on the same directory.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  EngineProcess,
  engineConfig,
  freePort,
  freePorts,
  metricSum,
  STOP_WITHIN_MS,
  until,
} from '../engine-process.ts';
import { deliveredSpans } from '../file-sink.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { afterwards } from './storage.test-peer.ts';

function tempDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-life-'));
  afterwards(t, () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const CLEAN_EXIT = { code: 0, signal: null };

test('G1: SIGTERM under load finishes what was taken and exits 0, five times', {
  timeout: 180_000,
}, async (t) => {
  const directory = tempDirectory(t);
  const sink = join(directory, 'delivered.bin');
  const ports = await freePorts();
  const config = engineConfig(
    ports,
    { file: { path: sink, format: 'proto', append: true } },
    { signals: ['traces'] },
  );
  const client = new LedgerClient({ port: ports.http, producers: 4 });
  afterwards(t, () => client.close());
  for (let cycle = 0; cycle < 5; cycle++) {
    const engine = await EngineProcess.start({ config, dataDir: join(directory, 'data') });
    afterwards(t, () => engine.kill());
    const ackedBefore = client.acked.size;
    client.start();
    await until('load', () => client.acked.size > ackedBefore + 50);
    const startedMs = Date.now();
    assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
    assert.ok(Date.now() - startedMs < STOP_WITHIN_MS, 'stopped after the deadline');
    await client.stop();
  }
  const engine = await EngineProcess.start({ config, dataDir: join(directory, 'data') });
  afterwards(t, () => engine.kill());
  await until('the log to drain', async () => {
    return metricSum(await engine.metrics(ports.metrics), 'otelcol_exporter_queue_size') === 0;
  });
  await engine.kill('SIGTERM');
  const delivered = deliveredSpans(sink);
  assert.ok(client.acked.size > 100, `only ${client.acked.size} requests`);
  assert.deepEqual(
    client.ackedSpans().filter((key) => !delivered.has(key)),
    [],
  );
});

/** A backend that takes connections and never says a word. */
async function silentServer(port: number): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Looks the package up without loading it: chDB takes signal handlers over in any process that does. */
function hasChdb(): boolean {
  try {
    createRequire(import.meta.url).resolve('chdb');
    return true;
  } catch {
    return false;
  }
}

async function countSpans(port: number): Promise<number> {
  const query = 'SELECT uniqExact(TraceId) FROM otel.otel_traces';
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: query }).catch(
    () => undefined,
  );
  return response?.ok ? Number(await response.text()) : -1;
}

test('G2, G11: a backend that is absent, then hung, then there gets everything', {
  timeout: 180_000,
}, async (t) => {
  if (!hasChdb()) return t.skip('npm package chdb is not installed');
  const directory = tempDirectory(t);
  const ports = await freePorts();
  const storePort = await freePort();
  const clickhouse = {
    endpoint: `http://127.0.0.1:${storePort}`,
    database: 'otel',
    timeout: '3s',
    retry_on_failure: { initial_interval: '200ms', max_interval: '500ms' },
  };
  const start = {
    config: engineConfig(ports, { clickhouse }, { signals: ['traces'] }),
    dataDir: join(directory, 'data'),
  };
  const client = new LedgerClient({ port: ports.http, producers: 1 });
  afterwards(t, () => client.close());

  let engine = await EngineProcess.start(start);
  afterwards(t, () => engine.kill());
  for (let sequence = 0; sequence < 20; sequence++)
    assert.equal(await client.send(ledgerRequest(0, sequence)), 200);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, `backend absent:\n${engine.log}`);

  const silent = await silentServer(storePort);
  engine = await EngineProcess.start(start);
  for (let sequence = 20; sequence < 40; sequence++)
    assert.equal(await client.send(ledgerRequest(0, sequence)), 200);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const startedMs = Date.now();
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, `backend hung:\n${engine.log}`);
  assert.ok(Date.now() - startedMs < STOP_WITHIN_MS, 'a hung backend held the stop up');
  await new Promise((resolve) => silent.close(resolve));

  engine = await EngineProcess.start(start);
  const storeStart = {
    config: engineConfig(
      await freePorts(),
      { nop: {} },
      {
        signals: ['traces'],
        extensions: { embedded_clickhouse: { endpoint: `127.0.0.1:${storePort}` } },
      },
    ),
    dataDir: join(directory, 'store'),
  };
  const store = await EngineProcess.start(storeStart, 30_000);
  afterwards(t, () => store.kill());
  await until(
    'all spans in ClickHouse',
    async () => (await countSpans(storePort)) === 40 * SPANS_PER_REQUEST,
  );
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assert.deepEqual(await store.kill('SIGTERM'), CLEAN_EXIT, store.log);
});

test('G3: a second signal ends the engine at once and safely', { timeout: 180_000 }, async (t) => {
  const directory = tempDirectory(t);
  const ports = await freePorts();
  const hung = await silentServer(await freePort());
  afterwards(t, () => hung.close());
  const { port } = hung.address() as { port: number };
  const clickhouse = { endpoint: `http://127.0.0.1:${port}`, timeout: '30s' };
  const start = {
    config: engineConfig(ports, { clickhouse }, { signals: ['traces'] }),
    dataDir: join(directory, 'data'),
  };
  const engine = await EngineProcess.start(start);
  const client = new LedgerClient({ port: ports.http, producers: 1 });
  afterwards(t, () => client.close());
  assert.equal(await client.send(ledgerRequest(0, 0)), 200);
  engine.child.kill('SIGINT');
  engine.child.kill('SIGTERM');
  const startedMs = Date.now();
  assert.deepEqual(await engine.exit(), CLEAN_EXIT, engine.log);
  assert.ok(Date.now() - startedMs < 7000, 'waited for the backend');
  const again = await EngineProcess.start(start);
  afterwards(t, () => again.kill());
  const queued = metricSum(await again.metrics(ports.metrics), 'millrace_exporter_queue_items');
  assert.equal(queued, SPANS_PER_REQUEST, 'the acknowledged spans are still queued');
  assert.equal((await again.kill('SIGTERM')).code, 0);
});

test('A11: a second engine on the same directory exits 1, the first goes on', {
  timeout: 180_000,
}, async (t) => {
  const directory = tempDirectory(t);
  const dataDir = join(directory, 'data');
  const ports = await freePorts();
  const first = await EngineProcess.start({ config: engineConfig(ports, { nop: {} }), dataDir });
  afterwards(t, () => first.kill());
  const second = EngineProcess.spawn({ config: engineConfig(await freePorts(), { nop: {} }), dataDir });
  assert.deepEqual(await second.exit(), { code: 1, signal: null });
  assert.match(second.log, /in use by another process/);
  const client = new LedgerClient({ port: ports.http, producers: 1 });
  afterwards(t, () => client.close());
  assert.equal(await client.send(ledgerRequest(0, 0)), 200);
  assert.deepEqual(await first.kill('SIGKILL'), { code: null, signal: 'SIGKILL' });
  const third = await EngineProcess.start({ config: engineConfig(ports, { nop: {} }), dataDir });
  assert.deepEqual(await third.kill('SIGTERM'), CLEAN_EXIT);
});
