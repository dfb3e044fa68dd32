/**
 * G6: an exporter, a pipeline or a storage leaves the configuration while items wait for it. Guarantee: what waits is
 * told with its size and how to remove it, is kept, and arrives when its owner comes back.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type EnginePorts,
  type EngineProcess,
  engineConfig,
  freePort,
  freePorts,
  metricSum,
  until,
} from '../engine-process.ts';
import { deliveredSpans } from '../file-sink.ts';
import { SPANS_PER_REQUEST, spanKey } from '../ledger-client.ts';
import { requestType } from '../otlp-root.ts';
import {
  afterwards,
  CLEAN_EXIT,
  fileSink,
  ledgerClient,
  startEngine,
  tempDirectory,
} from './storage.test-peer.ts';

const TRACES = { signals: ['traces'] };

/** An OTLP/HTTP backend that remembers the spans it got. */
async function backend(t: TestContext, port: number): Promise<Set<string>> {
  const keys = new Set<string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const decoded = requestType('traces').decode(Buffer.concat(chunks)) as unknown as {
        resource_spans: { scope_spans: { spans: { trace_id: Uint8Array }[] }[] }[];
      };
      for (const { scope_spans } of decoded.resource_spans)
        for (const { spans } of scope_spans) for (const { trace_id } of spans) keys.add(spanKey(trace_id));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  afterwards(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return keys;
}

/** To a backend that may be away; `storage` as in `sending_queue`. */
function away(port: number, storage?: string): Record<string, unknown> {
  return {
    'otlphttp/away': {
      endpoint: `http://127.0.0.1:${port}`,
      compression: 'none',
      retry_on_failure: { initial_interval: '100ms', max_interval: '200ms' },
      ...(storage === undefined ? {} : { sending_queue: { storage } }),
    },
  };
}

async function orphaned(engine: EngineProcess, ports: EnginePorts, name: 'bytes' | 'items'): Promise<number> {
  return metricSum(await engine.metrics(ports.metrics), `millrace_orphaned_log_${name}`);
}

async function stop(engine: EngineProcess): Promise<void> {
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
}

test('an exporter that was removed with a backlog gets it when it comes back', {
  timeout: 60_000,
}, async (t) => {
  const directory = tempDirectory(t);
  const dataDir = join(directory, 'data');
  const sink = join(directory, 'a.bin');
  const ports = await freePorts();
  const port = await freePort();
  const both = engineConfig(ports, { ...fileSink(sink), ...away(port) }, TRACES);
  const one = engineConfig(ports, fileSink(sink), TRACES);
  const client = ledgerClient(t, ports.http, 2, 20_000);

  let engine = await startEngine(t, { config: both, dataDir });
  client.start();
  await until('acknowledgements', () => client.acked.size > 30);
  await client.stop();
  await stop(engine);
  const backlog = client.acked.size * SPANS_PER_REQUEST;

  for (let round = 0; round < 2; round++) {
    engine = await startEngine(t, { config: one, dataDir });
    assert.match(engine.log, /items wait for an exporter that is not in the configuration any more/);
    assert.match(engine.log, /rm -r '.*otlphttp%2faway'/);
    assert.equal((await orphaned(engine, ports, 'items')) >= backlog, true, engine.log);
    assert.ok((await orphaned(engine, ports, 'bytes')) > 30 * 20_000);
    await until('the exporter that is left to have everything', async () => {
      return metricSum(await engine.metrics(ports.metrics), 'otelcol_exporter_queue_size') === 0;
    });
    client.start();
    const before = client.acked.size;
    await until('more acknowledgements', () => client.acked.size > before + 10);
    await client.stop();
    // The log sweeps what everybody has got; nothing of this has everybody.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await stop(engine);
  }

  const got = await backend(t, port);
  engine = await startEngine(t, { config: both, dataDir });
  assert.ok(!engine.log.includes('any more'), engine.log);
  await until('everything at the backend', () => client.ackedSpans().every((key) => got.has(key)));
  await stop(engine);
  engine = await startEngine(t, { config: one, dataDir });
  assert.ok(!engine.log.includes('any more'), 'an exporter that had got everything is no orphan');
  await stop(engine);
  const delivered = deliveredSpans(sink);
  assert.ok(client.ackedSpans().every((key) => delivered.has(key)));
});

test('a backlog that was removed as the log line says holds nothing up', { timeout: 40_000 }, async (t) => {
  const dataDir = join(tempDirectory(t), 'data');
  const ports = await freePorts();
  const client = ledgerClient(t, ports.http, 1);
  const config = engineConfig(ports, { nop: {}, ...away(await freePort()) }, TRACES);
  let engine = await startEngine(t, { config, dataDir });
  client.start();
  await until('acknowledgements', () => client.acked.size > 5);
  await client.stop();
  await stop(engine);
  engine = await startEngine(t, { config: engineConfig(ports, { nop: {} }, TRACES), dataDir });
  const path = /rm -r '([^']+)'/.exec(engine.log)?.[1];
  assert.ok(path !== undefined && existsSync(path), engine.log);
  await stop(engine);
  rmSync(path, { recursive: true });
  engine = await startEngine(t, { config: engineConfig(ports, { nop: {} }, TRACES), dataDir });
  assert.ok(!engine.log.includes('any more'), engine.log);
  assert.equal(await orphaned(engine, ports, 'bytes'), 0);
  await stop(engine);
});

test('the log of a pipeline and of a storage that left are told, kept, and drained on their return', {
  timeout: 60_000,
}, async (t) => {
  const directory = tempDirectory(t);
  const dataDir = join(directory, 'data');
  const ports = await freePorts();
  const port = await freePort();
  const file_storage = { directory: join(directory, 'elsewhere'), create_directory: true };
  const full = engineConfig(ports, away(port, 'file_storage'), { ...TRACES, extensions: { file_storage } });
  const without = engineConfig(ports, { nop: {} }, { signals: ['logs'] });
  const client = ledgerClient(t, ports.http, 1);

  let engine = await startEngine(t, { config: full, dataDir });
  client.start();
  await until('acknowledgements', () => client.acked.size > 5);
  await client.stop();
  await stop(engine);

  for (let round = 0; round < 2; round++) {
    engine = await startEngine(t, { config: without, dataDir });
    await until('the orphan', () => engine.log.includes('belongs to no pipeline'));
    assert.match(engine.log, /otlphttp\/away/);
    assert.match(engine.log, /rm -r '.*elsewhere\/logs\/traces@file_storage~0'/);
    assert.equal(await orphaned(engine, ports, 'items'), client.acked.size * SPANS_PER_REQUEST);
    assert.ok((await orphaned(engine, ports, 'bytes')) > 0);
    await stop(engine);
  }

  const got = await backend(t, port);
  engine = await startEngine(t, { config: full, dataDir });
  await until('everything at the backend', () => client.ackedSpans().every((key) => got.has(key)));
  await stop(engine);
  engine = await startEngine(t, { config: without, dataDir });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.ok(!engine.log.includes('belongs to no pipeline'), 'a log that was drained is no orphan');
  assert.equal(await orphaned(engine, ports, 'bytes'), 0);
  await stop(engine);
});
