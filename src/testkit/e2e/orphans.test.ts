/**
 * G6: an exporter, a pipeline or a storage leaves the configuration while items wait for it. Guarantee: what waits is
 * told with its size and how to remove it, is kept, and arrives when its owner comes back.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runCursors } from '../../service/cursors.ts';
import { systemClock } from '../../stdx/clock.ts';
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
  timeout: 180_000,
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
    await engine.said(/items wait for an exporter that is not in the configuration any more/);
    await engine.said(/millrace cursors remove 'traces~0' 'otlphttp\/away' --data-dir '/);
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

/** The command, in this process. */
async function cursors(...argv: string[]): Promise<{ exitCode: number; out: string; error: string }> {
  const written = { out: '', error: '' };
  const exitCode = await runCursors({
    argv,
    clock: systemClock,
    writeOut: (text) => {
      written.out += text;
    },
    writeError: (text) => {
      written.error += text;
    },
  });
  return { exitCode, ...written };
}

test('a backlog that was removed as the log line says holds nothing up', { timeout: 180_000 }, async (t) => {
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
  const words =
    /millrace cursors (remove '[^"\n]+')/.exec(engine.log)?.[1]?.replaceAll("'", '').split(' ') ?? [];
  assert.match((await cursors(...words)).error, /in use/, 'not below a running engine');
  await stop(engine);
  const logs = [
    ...new Set((await cursors('list', '--data-dir', dataDir)).out.match(/^traces~\d+(?=.*away)/gm)),
  ];
  for (const log of logs) {
    const removed = await cursors(...words.with(1, log));
    assert.equal(removed.exitCode, 0, removed.error);
  }
  engine = await startEngine(t, { config: engineConfig(ports, { nop: {} }, TRACES), dataDir });
  assert.ok(!engine.log.includes('any more'), engine.log);
  assert.equal(await orphaned(engine, ports, 'bytes'), 0);
  await stop(engine);
});

test('the log of a pipeline and of a storage that left are told, kept, and drained on their return', {
  timeout: 180_000,
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
    await engine.said(/otlphttp\/away/);
    await engine.said(/rm -r '.*elsewhere\/logs\/traces@file_storage~0'/);
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

test('a renamed exporter and a renamed pipeline get what waited under the old names, when told so', {
  timeout: 180_000,
}, async (t) => {
  const dataDir = join(tempDirectory(t), 'data');
  const inDir = ['--data-dir', dataDir];
  const ports = await freePorts();
  const port = await freePort();
  const client = ledgerClient(t, ports.http, 2);
  const renamed = { 'otlphttp/back': away(port)['otlphttp/away'] };
  let engine = await startEngine(t, { config: engineConfig(ports, away(port), TRACES), dataDir });
  client.start();
  await until('acknowledgements', () => client.acked.size > 10);
  await client.stop();
  const running = await cursors('list', ...inDir);
  assert.match(running.out, /^traces~0 +otlphttp\/away +0 +- /m);
  assert.match(running.error, /an engine runs/);
  await stop(engine);

  const items = [
    ...(await cursors('list', ...inDir)).out.matchAll(/otlphttp\/away +\d+ +(\d+) +(\d+) +\d+s\b/gm),
  ];
  const waiting = items.reduce((sum, [, count]) => sum + Number(count), 0);
  assert.equal(waiting, client.acked.size * SPANS_PER_REQUEST);
  const refused = [
    ['adopt', 'nothing', 'otlphttp/away', 'otlphttp/back'],
    ['adopt', 'traces', 'otlphttp/none', 'otlphttp/back'],
    ['adopt', 'traces', 'otlphttp/away', 'otlphttp/away'],
    ['adopt-log', 'traces', 'logs'],
    ['adopt-log', 'traces', 'trace'],
    ['remove', 'traces'],
    ['move', 'traces'],
  ];
  for (const words of refused) {
    const { exitCode, error, out } = await cursors(...words, ...inDir);
    assert.deepEqual([exitCode, out], [1, ''], words.join(' '));
    assert.notEqual(error, '');
  }
  assert.equal((await cursors('adopt', 'traces', 'otlphttp/away', 'otlphttp/back', ...inDir)).exitCode, 0);
  assert.equal((await cursors('adopt-log', 'traces', 'traces/new', ...inDir)).exitCode, 0);

  const got = await backend(t, port);
  const config = engineConfig(ports, renamed, TRACES).replace('"traces":{', '"traces/new":{');
  engine = await startEngine(t, { config, dataDir });
  await until('everything at the backend', () => client.ackedSpans().every((key) => got.has(key)));
  assert.ok(!engine.log.includes('any more'), engine.log);
  await stop(engine);
  assert.match(
    (await cursors('list', ...inDir)).out,
    /^traces~0 \(of traces\.2fnew\) +otlphttp\/back +\d+ +0 +0 /m,
  );
});

test('an exporter that left with everything is owed nothing of what comes later, also where the log retains', {
  timeout: 180_000,
}, async (t) => {
  const directory = tempDirectory(t);
  const dataDir = join(directory, 'data');
  const ports = await freePorts();
  const port = await freePort();
  const got = await backend(t, port);
  const sink = fileSink(join(directory, 'a.bin'));
  const both = engineConfig(ports, { ...sink, ...away(port) }, TRACES);
  const one = engineConfig(ports, sink, TRACES);
  const flags = ['--retain', '1h'];
  const client = ledgerClient(t, ports.http, 1);
  let engine = await startEngine(t, { config: both, dataDir, flags });
  const sendMore = async (): Promise<void> => {
    const before = client.acked.size;
    client.start();
    await until('acknowledgements', () => client.acked.size > before + 20);
    await client.stop();
    await until('delivery', async () => {
      return metricSum(await engine.metrics(ports.metrics), 'otelcol_exporter_queue_size') === 0;
    });
  };
  await sendMore();
  assert.ok(client.ackedSpans().every((key) => got.has(key)));
  await stop(engine);
  for (let round = 0; round < 2; round++) {
    engine = await startEngine(t, { config: one, dataDir, flags });
    assert.ok(!engine.log.includes('any more'), engine.log);
    assert.equal(await orphaned(engine, ports, 'items'), 0);
    await sendMore();
    await stop(engine);
  }
  const listed = await cursors('list', '--data-dir', dataDir);
  assert.doesNotMatch(listed.out, /away/);
});
