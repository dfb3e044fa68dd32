/** The extensions pprof and zpages in the real program: profiles of every thread, pages without secrets. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { engineConfig, freePort, freePorts, until } from '../engine-process.ts';
import { CLEAN_EXIT, ledgerClient, startEngine, tempDirectory } from './storage.test-peer.ts';

async function get(port: number, path: string) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

test('profiles and snapshots of the main thread and of workers, one at a time', {
  timeout: 180_000,
}, async (t) => {
  const ports = await freePorts();
  const port = await freePort();
  const engine = await startEngine(t, {
    config: engineConfig(ports, { nop: {} }, { extensions: { pprof: { endpoint: `127.0.0.1:${port}` } } }),
    dataDir: join(tempDirectory(t), 'data'),
    flags: ['--workers', '1'],
  });
  const client = ledgerClient(t, ports.http, 2);
  client.start();
  const index = await get(port, '/debug/pprof/');
  assert.equal(index.status, 200);
  assert.match(index.text, /threads: main pipeline-worker-0#1 exporter-worker-0#1/);

  for (const thread of ['main', 'pipeline-worker-0#1', 'exporter-worker-0#1']) {
    const query = `thread=${encodeURIComponent(thread)}`;
    const taken = get(port, `/debug/pprof/profile?seconds=${thread === 'main' ? 3 : 0.5}&${query}`);
    if (thread === 'main') {
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.equal((await get(port, '/debug/pprof/profile?seconds=1')).status, 503, 'two at a time');
    }
    const cpu = await taken;
    assert.equal(cpu.status, 200);
    const profile = JSON.parse(cpu.text) as { nodes: { callFrame: { url: string } }[]; samples: number[] };
    assert.ok(profile.samples.length > 10, `${profile.samples.length} samples of ${thread}`);
    const urls = profile.nodes.map(({ callFrame }) => callFrame.url).join(' ');
    if (thread !== 'exporter-worker-0#1')
      assert.match(urls, /src\/service\/(ingest|pipeline-worker)/, thread);
    const heap = await get(port, `/debug/pprof/heap?${query}`);
    assert.equal(heap.status, 200);
    const snapshot = JSON.parse(heap.text) as { snapshot: { node_count: number }; strings: string[] };
    assert.ok(snapshot.snapshot.node_count > 10_000, thread);
  }
  await client.stop();
  assert.deepEqual([...client.statuses.keys()], [200]);
  const unknown = await get(port, '/debug/pprof/profile?thread=nosuch&seconds=1');
  assert.equal(unknown.status, 404);
  assert.match(unknown.text, /pipeline-worker-0#1/);
  for (const seconds of ['0', '-1', 'x', '301', 'NaN'])
    assert.equal((await get(port, `/debug/pprof/profile?seconds=${seconds}`)).status, 400, seconds);
  assert.equal((await get(port, '/debug/pprof/goroutine')).status, 404);
  // A client that goes away does not keep others out for longer than its profile takes.
  const abort = new AbortController();
  const left = fetch(`http://127.0.0.1:${port}/debug/pprof/profile?seconds=1`, { signal: abort.signal });
  setTimeout(() => abort.abort(), 200);
  await left.then((response) => response.text()).catch(() => undefined);
  await until('the next turn', async () => (await get(port, '/debug/pprof/heap')).status === 200);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
});

test('pages name components and their states, and nothing of the configuration', {
  timeout: 180_000,
}, async (t) => {
  const ports = await freePorts();
  const port = await freePort();
  const exporters = {
    'clickhouse/a&b': { endpoint: 'http://127.0.0.1:1', password: 'canary-7f3a', username: 'canary-7f3a' },
  };
  const engine = await startEngine(t, {
    config: engineConfig(ports, exporters, { extensions: { zpages: { endpoint: `127.0.0.1:${port}` } } }),
    dataDir: join(tempDirectory(t), 'data'),
  });
  const service = await get(port, '/debug/servicez');
  assert.equal(service.type, 'text/html; charset=utf-8');
  assert.match(service.text, /<td>ready<\/td><td>yes<\/td>/);
  assert.match(service.text, /<td>receiver<\/td><td>otlp<\/td><td>ok<\/td>/);
  assert.match(service.text, /<td>exporter<\/td><td>clickhouse\/a&#38;b<\/td><td>ok<\/td>/);
  const pipelines = await get(port, '/debug/pipelinez');
  assert.match(pipelines.text, /<td>traces<\/td><td>otlp<\/td><td><\/td><td>clickhouse\/a&#38;b<\/td>/);
  assert.match((await get(port, '/debug/extensionz')).text, /<td>zpages<\/td><td>ok<\/td>/);
  assert.equal((await get(port, '/debug/featurez')).status, 200);
  for (const path of ['/', '/debug/tracez', '/debug/expvarz'])
    assert.equal((await get(port, path)).status, 404);
  assert.ok(!`${service.text}${pipelines.text}`.includes('canary'));
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
});
