import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { PipelineError } from '../component/errors.ts';
import { freePort } from '../testkit/engine-process.ts';
import { LATENCY_STAGES } from './metrics.ts';
import { TelemetryServer, type TelemetrySource } from './server.ts';

async function serve(t: TestContext, changes: Partial<TelemetrySource> = {}): Promise<number> {
  const server = new TelemetryServer({
    metricsText: async () => 'metric 1\n',
    latencyText: async (stage) => (LATENCY_STAGES.has(stage) ? `# ${stage}\n` : undefined),
    ...changes,
  });
  const port = await freePort();
  await server.listen('127.0.0.1', port);
  t.after(() => server.close());
  return port;
}

/** The status line of a request written by hand, or '' when the connection ended without one. */
async function rawStatus(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(request);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  await once(socket, 'close');
  return text.split('\r\n')[0]!;
}

test('/metrics and /debug/latency answer; the rest has the status it deserves', async (t) => {
  const base = `http://127.0.0.1:${await serve(t)}`;
  const metrics = await fetch(`${base}/metrics`);
  assert.equal(metrics.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  assert.equal(await metrics.text(), 'metric 1\n');
  const latency = await fetch(`${base}/debug/latency?stage=ring_wait`);
  assert.deepEqual([latency.status, await latency.text()], [200, '# ring_wait\n']);
  for (const path of ['/debug/latency', '/debug/latency?stage=x', '/debug/latency?stage=__proto__']) {
    const unknown = await fetch(base + path);
    assert.equal(unknown.status, 400);
    assert.match(await unknown.text(), /request_to_ack.*delivery_age/);
  }
  assert.equal((await fetch(`${base}/`)).status, 404);
  assert.equal((await fetch(`${base}/metrics/`)).status, 404);
  for (const method of ['POST', 'DELETE', 'HEAD', 'OPTIONS']) {
    const refused = await fetch(`${base}/metrics`, { method });
    assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET'], method);
  }
});

test('targets that are no URL are refused and the server lives', async (t) => {
  const port = await serve(t);
  for (const target of ['//', '///', 'http://[', '//[::', '*']) {
    const status = await rawStatus(port, `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    assert.match(status, /^HTTP\/1\.1 40[04]/, target);
  }
  assert.match(await rawStatus(port, 'nonsense\r\n\r\n'), /400/);
  assert.equal((await fetch(`http://127.0.0.1:${port}/metrics`)).status, 200);
});

test('a source that fails is a 500 without its words', async (t) => {
  const port = await serve(t, { metricsText: () => Promise.reject(new Error('secret path')) });
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  assert.equal(response.status, 500);
  assert.ok(!(await response.text()).includes('secret'));
});

test('an address that is taken is a start error that names it', async (t) => {
  const port = await serve(t);
  const second = new TelemetryServer({ metricsText: async () => '', latencyText: async () => undefined });
  await assert.rejects(second.listen('127.0.0.1', port), (error: PipelineError) => {
    assert.ok(error instanceof PipelineError);
    assert.equal(error.code, 'START_FAILED');
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
    return true;
  });
  await second.close();
});
