/** Archives in a directory into a running engine, by the program as users run it. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { putArchive } from '../../service/replay.test-peer.ts';
import { engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { deliveredSpans } from '../file-sink.ts';
import { missingStore, StoredEngine } from '../services/stored-engine.ts';
import { LOADED_ROOT } from '../source-tree.ts';
import { CLEAN_EXIT, drained, fileSink, startEngine, tempDirectory } from './storage.test-peer.ts';

const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const MAIN = join(LOADED_ROOT, 'src', `main${EXTENSION}`);

async function replay(...argv: string[]): Promise<{ code: number; out: string; errors: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, 'replay', ...argv]);
    return { code: 0, out: stdout, errors: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, errors: stderr };
  }
}

test('an archive goes into a running engine over HTTP and over gRPC', async (t) => {
  const directory = tempDirectory(t);
  const archive = join(directory, 'archive');
  const spans = putArchive(archive, { hours: 3, objects: 4, requests: 50 });
  const ports = await freePorts();
  const sink = join(directory, 'sink');
  const engine = await startEngine(t, {
    config: engineConfig(ports, fileSink(sink), { signals: ['traces'] }),
    dataDir: join(directory, 'engine'),
  });
  const flags = ['--from', archive, '--data-dir', join(directory, 'replay')];
  const overHttp = await replay(...flags, '--to', `http://127.0.0.1:${ports.http}`);
  assert.equal(overHttp.code, 0, overHttp.errors);
  assert.match(overHttp.out, /^2 400 spans of 12 objects, [\d.]+ KB stored, from .*archive; to http:/);
  assert.match(overHttp.errors, /^replayed 2 400 items in \d+\.\d\d s, [\d ]+ items\/s$/m);
  const overGrpc = await replay(...flags, '--to', `127.0.0.1:${ports.grpc}`, '--json');
  assert.equal(overGrpc.code, 0, overGrpc.errors);
  assert.equal((JSON.parse(overGrpc.out) as { items: number }).items, spans);
  await drained(engine, ports.metrics);
  const accepted = metricSum(await engine.metrics(ports.metrics), 'otelcol_receiver_accepted_spans');
  assert.equal(accepted, 2 * spans);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  const delivered = deliveredSpans(sink);
  assert.equal(delivered.size, spans);
  assert.ok([...delivered.values()].every((count) => count === 2));
});

test('a backend that is away is waited for, as long as patience lasts', async (t) => {
  const directory = tempDirectory(t);
  const archive = join(directory, 'archive');
  const spans = putArchive(archive, { hours: 1, objects: 2, requests: 5 });
  const ports = await freePorts();
  const flags = [
    '--from',
    archive,
    '--data-dir',
    join(directory, 'replay'),
    '--to',
    `http://127.0.0.1:${ports.http}`,
  ];
  const gaveUp = await replay(...flags, '--patience', '300ms');
  assert.equal(gaveUp.code, 75, gaveUp.errors);
  assert.match(
    gaveUp.out,
    /^nothing of 0 objects, .*\ngave up: the backend took nothing for too long; the same command goes on/,
  );
  assert.match(gaveUp.errors, /export failed, will be tried again/);
  const sink = join(directory, 'sink');
  const engine = await startEngine(t, {
    config: engineConfig(ports, fileSink(sink), { signals: ['traces'] }),
    dataDir: join(directory, 'engine'),
  });
  assert.equal((await replay(...flags)).code, 0);
  await drained(engine, ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  assert.equal(deliveredSpans(sink).size, spans);
});

test('ClickHouse has every span once, over a kill and after the same replay again', {
  skip: missingStore(),
}, async (t) => {
  const directory = tempDirectory(t);
  const archive = join(directory, 'archive');
  const spans = putArchive(archive, { hours: 6, objects: 5, requests: 100 });
  const store = await StoredEngine.start();
  t.after(() => store.stop());
  const count = async () => {
    const query = 'SELECT count() FROM otel_traces';
    const result = await store.client.query({ query, format: 'JSONCompactEachRow' }).catch(() => undefined);
    return result === undefined ? 0 : Number((await result.json<[string]>())[0]![0]);
  };
  const flags = ['--from', archive, '--to', 'clickhouse', '--config', `yaml:${store.config}`];
  const argv = [...flags, '--data-dir', join(directory, 'replay')];
  const child = spawn(process.execPath, [MAIN, 'replay', ...argv, '--rate', '4000'], { stdio: 'ignore' });
  await until('the first rows', async () => (await count()) > 0);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const before = await count();
  assert.ok(before < spans, `${before} of ${spans} rows`);
  const second = await replay(...argv);
  assert.equal(second.code, 0, second.errors);
  assert.match(second.errors, /^going on where .*\.json says/m);
  assert.equal(await count(), spans);
  const again = await replay(...argv, '--restart', '--json');
  assert.equal(again.code, 0, again.errors);
  assert.equal((JSON.parse(again.out) as { items: number }).items, spans);
  assert.equal(await count(), spans);
});
