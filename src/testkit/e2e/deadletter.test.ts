/** B7 with the real program: poison goes to the dead letters, everything else arrives, and the command line sends it again. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST, spanKey } from '../ledger-client.ts';
import { requestType } from '../otlp-root.ts';
import { LOADED_ROOT } from '../source-tree.ts';
import { startEngine, tempDirectory } from './storage.test-peer.ts';

const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const MAIN = join(LOADED_ROOT, 'src', `main${EXTENSION}`);

interface Finished {
  code: number | null;
  out: string;
  err: string;
}

/** Runs beside this process, which serves the backend. */
async function deadletter(...args: string[]): Promise<Finished> {
  const child = spawn(process.execPath, ['--no-warnings', MAIN, 'deadletter', ...args], { timeout: 30_000 });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

interface Backend {
  url: string;
  /** Trace ids as keys of the ledger; every delivery, repeats included. */
  received: string[];
  /** Refuses requests that hold one of these. */
  poison: Set<string>;
}

function keysOf(body: Uint8Array): string[] {
  const type = requestType('traces');
  const decoded = type.toObject(type.decode(body)) as {
    resource_spans: { scope_spans: { spans: { trace_id: Uint8Array }[] }[] }[];
  };
  const spans = decoded.resource_spans.flatMap((resource) =>
    resource.scope_spans.flatMap((scope) => scope.spans),
  );
  return spans.map(({ trace_id }) => spanKey(Uint8Array.from(trace_id)));
}

async function startBackend(t: TestContext): Promise<Backend> {
  const backend: Backend = { url: '', received: [], poison: new Set() };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const keys = keysOf(Buffer.concat(chunks));
    if (keys.some((key) => backend.poison.has(key))) {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ message: 'value out of range' }));
      return;
    }
    backend.received.push(...keys);
    response.writeHead(200).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  backend.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return backend;
}

async function post(port: number, body: Uint8Array): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body,
  });
  return response.status;
}

test('B7: poison is found, kept, listed, shown and sent again beside a running engine; nothing else is held back', {
  timeout: 90_000,
}, async (t) => {
  const directory = tempDirectory(t);
  const dataDir = join(directory, 'data');
  const backend = await startBackend(t);
  const ports = await freePorts();
  const config = engineConfig(
    ports,
    {
      'otlphttp/main': {
        endpoint: backend.url,
        compression: 'none',
        sending_queue: { batch: { flush_timeout: '100ms' } },
      },
    },
    { signals: ['traces'] },
  );
  const configFile = join(directory, 'engine.yaml');
  writeFileSync(configFile, config);
  const requests = 60;
  const sent = Array.from({ length: requests }, (_, sequence) => sequence).flatMap((sequence) =>
    Array.from({ length: SPANS_PER_REQUEST }, (_, span) => `0/${sequence}/${span}`),
  );
  backend.poison = new Set(['0/7/2', '0/30/0', '0/31/3']);
  const engine = await startEngine(t, { config, dataDir });
  for (let sequence = 0; sequence < requests; sequence++) {
    assert.equal(await post(ports.http, ledgerRequest(0, sequence)), 200);
  }
  await until('the log to drain', async () => {
    const text = await engine.metrics(ports.metrics);
    return (
      metricSum(text, 'otelcol_exporter_sent_spans') + metricSum(text, 'millrace_deadletter_items') ===
      sent.length
    );
  });
  const good = sent.filter((key) => !backend.poison.has(key)).sort();
  assert.deepEqual([...backend.received].sort(), good, 'each good span exactly once');
  const text = await engine.metrics(ports.metrics);
  assert.equal(metricSum(text, 'millrace_deadletter_items', ['otlphttp/main']), 3);
  assert.equal(metricSum(text, 'otelcol_exporter_send_failed_spans'), 3);

  const listed = await deadletter('list', '--data-dir', dataDir);
  assert.equal(listed.code, 0, listed.err);
  const [, row] = listed.out.split('\n') as [string, string];
  assert.match(row, /^otlphttp%2fmain\/traces-00000001 +otlphttp\/main +traces +3 .*400.*value out of range/);
  const shown = await deadletter('show', '--data-dir', dataDir);
  const letters = shown.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string; request: string });
  const keys = letters.flatMap(({ request }) => keysOf(Buffer.from(request, 'base64')));
  assert.deepEqual([...keys].sort(), [...backend.poison].sort());
  assert.equal(
    (await deadletter('show', '--data-dir', dataDir, '--limit', '1')).err,
    '2 more; --limit N shows more\n',
  );

  // Still refused: it stays. One item alone cured: that one goes.
  const args = ['--data-dir', dataDir, '--config', configFile];
  const again = await deadletter('retry', ...args);
  assert.deepEqual(
    [again.code, again.out],
    [1, 'otlphttp/main traces: 0 delivered, 3 refused again, 0 not delivered\n'],
    again.err,
  );
  backend.poison.delete(keys[1]!);
  const one = await deadletter('retry', ...args, letters[1]!.id);
  assert.deepEqual(
    [one.code, one.out],
    [0, 'otlphttp/main traces: 1 delivered, 0 refused again, 0 not delivered\n'],
    one.err,
  );
  assert.match((await deadletter('list', '--data-dir', dataDir)).out, / 2 /);
  backend.poison.clear();
  // While the engine runs its newest file stays, and more may come behind what was sent again.
  assert.equal((await deadletter('retry', ...args)).code, 0);
  assert.deepEqual([...backend.received].sort(), [...sent].sort());
  assert.equal((await deadletter('list', '--data-dir', dataDir)).out, 'no dead letters\n');
  backend.poison.add('1/0/0');
  assert.equal(await post(ports.http, ledgerRequest(1, 0)), 200);
  await until(
    'the fourth',
    async () => metricSum(await engine.metrics(ports.metrics), 'millrace_deadletter_items') === 4,
  );
  assert.match((await deadletter('list', '--data-dir', dataDir)).out, /traces +1 /);

  await engine.kill('SIGTERM');
  backend.poison.clear();
  assert.equal((await deadletter('retry', ...args)).code, 0);
  assert.ok(backend.received.includes('1/0/0'));
  assert.deepEqual(readdirSync(join(dataDir, 'deadletter', 'otlphttp%2fmain')), []);
});

test('mistakes of deadletter exit 1 and say what to do', async (t) => {
  const directory = tempDirectory(t);
  for (const [args, text] of [
    [[], /one of list, show, retry/],
    [['liste'], /got "liste"/],
    [['retry'], /--config FILE/],
    [['list', '--data'], /unknown flag --data/],
    [['show', '--limit', '0'], /--limit must be a number/],
    [['retry', '--config', join(directory, 'absent.yaml')], /absent\.yaml/],
  ] as const) {
    const { code, out, err } = await deadletter(...args);
    assert.deepEqual([code, out], [1, ''], err);
    assert.match(err, text);
  }
  assert.match((await deadletter('--help')).out, /deadletter retry --config FILE/);
  assert.deepEqual(await deadletter('list', '--data-dir', join(directory, 'nowhere')), {
    code: 0,
    out: 'no dead letters\n',
    err: '',
  });
  assert.ok(!existsSync(join(directory, 'nowhere')), 'looking made a directory');
});

test('lines that cannot be read are reported, and an exporter that left the configuration keeps its letters', async (t) => {
  const directory = tempDirectory(t);
  const letters = join(directory, 'data', 'deadletter', 'gone');
  mkdirSync(letters, { recursive: true });
  const letter = {
    time: 'now',
    exporter: 'gone',
    signal: 'traces',
    code: 'X',
    error: 'e\u001b[31m\n',
    batch_id: 'b',
  };
  const request = Buffer.from(ledgerRequest(0, 0)).toString('base64');
  writeFileSync(
    join(letters, 'traces-00000003.jsonl'),
    `${JSON.stringify({ ...letter, request })}\n{"time":"20\n`,
  );
  const listed = await deadletter('list', '--data-dir', join(directory, 'data'));
  assert.match(listed.err, /gone\/traces-00000003: 1 lines cannot be read/);
  assert.ok(!listed.out.includes('\u001b'), 'a backend wrote to the terminal');
  const config = engineConfig(await freePorts(), { nop: {} }, { signals: ['traces'] });
  const retried = await deadletter(
    'retry',
    '--config',
    `yaml:${config}`,
    '--data-dir',
    join(directory, 'data'),
  );
  assert.equal(retried.code, 1);
  assert.match(retried.err, /exporter gone \(traces\): is not in the configuration/);
  assert.match(retried.out, /0 delivered, 0 refused again, 1 not delivered/);
  assert.equal(readdirSync(letters).length, 1);
});

test('without durability refused items are kept where a directory is named for them', {
  timeout: 180_000,
}, async (t) => {
  const backend = await startBackend(t);
  const ports = await freePorts();
  const directory = join(tempDirectory(t), 'refused');
  const config = engineConfig(
    ports,
    { otlphttp: { endpoint: backend.url, compression: 'none', dead_letters: { directory } } },
    { signals: ['traces'] },
  );
  const engine = await startEngine(t, {
    config,
    dataDir: 'unused',
    flags: ['--durability', 'memory'],
  });
  const body = ledgerRequest(0, 0);
  const [bad] = keysOf(body) as [string];
  backend.poison.add(bad);
  const headers = { 'content-type': 'application/x-protobuf' };
  await fetch(`http://127.0.0.1:${ports.http}/v1/traces`, {
    method: 'POST',
    headers,
    body: Uint8Array.from(body),
  });
  await until('a dead letter', async () => {
    return metricSum(await engine.metrics(ports.metrics), 'millrace_deadletter_items') === 1;
  });
  assert.deepEqual(await engine.kill('SIGTERM'), { code: 0, signal: null }, engine.log);
  assert.equal(backend.received.length, SPANS_PER_REQUEST - 1);
  for (const place of [
    ['--data-dir', directory],
    ['--config', `yaml:${config}`],
  ]) {
    const listed = await deadletter('list', ...place);
    assert.match(listed.out, /^otlphttp\/traces-00000001 +otlphttp +traces +1 /m, listed.err);
  }
});
