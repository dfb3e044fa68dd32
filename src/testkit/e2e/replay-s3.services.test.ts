/** Archives in a real S3 server, written by this engine and by the Go Collector, come back whole: by replay and by the receiver. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { fileTarget, spansOf } from '../../service/replay.test-peer.ts';
import { engineConfig, freePorts, until } from '../engine-process.ts';
import { deliveredSpans } from '../file-sink.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { CollectorProcess, installPrograms } from '../services/programs.ts';
import { archivedSpans } from '../services/s3-objects.ts';
import { S3Server } from '../services/s3-server.ts';
import { LOADED_ROOT } from '../source-tree.ts';
import {
  afterwards,
  CLEAN_EXIT,
  drained,
  ledgerClient,
  startEngine,
  tempDirectory,
} from './storage.test-peer.ts';

const BUCKET = 'archive';
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const MAIN = join(LOADED_ROOT, 'src', `main${EXTENSION}`);
const HOUR_MS = 3_600_000;

async function startStore(t: TestContext): Promise<S3Server> {
  const store = await S3Server.start({ buckets: [BUCKET] });
  afterwards(t, () => store.stop());
  return store;
}

function replayProcess(store: S3Server, directory: string, ...flags: string[]) {
  const isBucket = flags.some((flag) => flag.startsWith('s3://'));
  const s3 = isBucket ? ['--s3-endpoint', store.endpoint, '--s3-path-style'] : [];
  const env = { ...process.env, ...store.environment };
  const child = spawn(
    process.execPath,
    [MAIN, 'replay', ...s3, ...flags, '--data-dir', directory, '--json'],
    { env },
  );
  let out = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, errors }));
  return { child, ended };
}

/** A file that a kill tore is moved aside by the next start. */
function deliveredBeside(sink: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of readdirSync(dirname(sink)).filter((file) => file.startsWith(basename(sink)))) {
    for (const [key, count] of deliveredSpans(join(dirname(sink), name)))
      counts.set(key, (counts.get(key) ?? 0) + count);
  }
  return counts;
}

function uploader(store: S3Server, keys: object = {}): object {
  return {
    ...{ region: store.region, endpoint: store.endpoint, s3_bucket: BUCKET, s3_prefix: 'prod' },
    ...{ s3_force_path_style: true, s3_partition_timezone: 'UTC', ...keys },
  };
}

/** Everything written around now. */
function rangeAroundNow(): [string, string] {
  const at = (ms: number) => new Date(ms).toISOString();
  return [at(Date.now() - HOUR_MS), at(Date.now() + HOUR_MS)];
}

for (const marshaler of ['otlp_proto', 'otlp_json'] as const) {
  test(`what the exporter archived as ${marshaler} is replayed whole`, async (t) => {
    const store = await startStore(t);
    const directory = tempDirectory(t);
    const ports = await freePorts();
    const exporter = { marshaler, s3uploader: uploader(store, { compression: 'gzip' }) };
    const engine = await startEngine(t, {
      config: engineConfig(ports, { awss3: exporter }, { signals: ['traces'] }),
      dataDir: join(directory, 'engine'),
      env: store.environment,
    });
    const client = ledgerClient(t, ports.http, 4);
    client.start();
    await until('some requests', () => client.acked.size > 300);
    await client.stop();
    await drained(engine, ports.metrics);
    assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);

    const sink = join(directory, 'sink');
    const [since, until_] = rangeAroundNow();
    const flags = ['--from', `s3://${BUCKET}/prod`, '--since', since, '--until', until_, '--to', 'file'];
    const { code, out, errors } = await replayProcess(
      store,
      directory,
      ...flags,
      '--config',
      fileTarget(directory, sink),
    ).ended;
    assert.equal(code, 0, errors);
    const archived = archivedSpans(store, BUCKET);
    assert.equal((JSON.parse(out) as { items: number }).items, archived.size);
    assert.deepEqual([...deliveredSpans(sink).keys()].sort(), [...archived.keys()].sort());
    const missing = client.ackedSpans().filter((key) => !deliveredSpans(sink).has(key));
    assert.deepEqual(missing, []);
  });
}

test('what the Go Collector archived in S3 and in a file is replayed whole', async (t) => {
  const programs = await installPrograms();
  const store = await startStore(t);
  const directory = tempDirectory(t);
  const { http } = await freePorts();
  const variants = {
    json: ['otlp_json', 'none'],
    'json-gz': ['otlp_json', 'gzip'],
    proto: ['otlp_proto', 'none'],
    'proto-gz': ['otlp_proto', 'gzip'],
    'proto-zst': ['otlp_proto', 'zstd'],
  } as const;
  const exporters = Object.fromEntries(
    Object.entries(variants).map(([name, [marshaler, compression]]) => [
      `awss3/${name}`,
      {
        marshaler,
        s3uploader: uploader(store, { s3_prefix: name, ...(compression === 'none' ? {} : { compression }) }),
      },
    ]),
  );
  const file = { path: join(directory, 'collector.json') };
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${http}` } } } },
    exporters: { ...exporters, file },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: { receivers: ['otlp'], exporters: [...Object.keys(exporters), 'file'] } },
    },
  };
  const collector = await CollectorProcess.startFile(
    programs,
    `yaml:${JSON.stringify(config)}`,
    store.environment,
  );
  afterwards(t, () => collector.stop());
  const client = new LedgerClient({ port: http, producers: 1 });
  for (let sequence = 0; sequence < 40; sequence++)
    assert.equal(await client.send(ledgerRequest(1, sequence)), 200);
  client.close();
  await collector.stop();

  const wanted = 40 * SPANS_PER_REQUEST;
  for (const name of Object.keys(variants)) {
    const sink = join(directory, `sink-${name}`);
    const flags = [
      '--from',
      `s3://${BUCKET}/${name}/`,
      '--to',
      'file',
      '--config',
      fileTarget(directory, sink),
    ];
    const { code, errors } = await replayProcess(store, directory, ...flags).ended;
    assert.equal(code, 0, `${name}: ${errors}`);
    assert.equal(deliveredSpans(sink).size, wanted, name);
    assert.equal(Math.max(...deliveredSpans(sink).values()), 1, name);
  }
  const fromFile = join(directory, 'sink-file');
  const flags = ['--from', file.path, '--to', 'file', '--config', fileTarget(directory, fromFile)];
  const { code, errors } = await replayProcess(store, directory, ...flags).ended;
  assert.equal(code, 0, errors);
  assert.equal(deliveredSpans(fromFile).size, wanted);
});

test('a replay that is killed again and again delivers everything', async (t) => {
  const store = await startStore(t);
  const directory = tempDirectory(t);
  const spans = await putObjects(store, 60, 200);
  const sink = join(directory, 'sink');
  const flags = [
    '--from',
    `s3://${BUCKET}/prod`,
    '--to',
    'file',
    '--config',
    fileTarget(directory, sink, 500),
    '--rate',
    '20000',
  ];
  let kills = 0;
  for (;;) {
    const { child, ended } = replayProcess(store, directory, ...flags);
    const seen = deliveredBeside(sink).size;
    await Promise.race([ended, until('more spans', () => deliveredBeside(sink).size > seen + 8000, 30_000)]);
    if (child.exitCode === null && kills < 4) {
      child.kill('SIGKILL');
      kills++;
      await ended;
      continue;
    }
    const { code, errors } = await ended;
    assert.equal(code, 0, errors);
    break;
  }
  assert.ok(kills >= 3, `${kills} kills`);
  const delivered = deliveredBeside(sink);
  assert.equal(delivered.size, spans);
  const repeated = [...delivered.values()].filter((count) => count > 1).length;
  // Half a second of position and what is in flight, each time.
  assert.ok(repeated <= kills * 20_000, `${repeated} spans came more than once`);
});

async function putObjects(store: S3Server, objects: number, requests: number): Promise<number> {
  for (let object = 0; object < objects; object++) {
    const minute = String(object % 60).padStart(2, '0');
    const key = `prod/year=2026/month=03/day=01/hour=08/minute=${minute}/traces_${1000 + object}.binpb.gz`;
    const answer = await store.request('PUT', `/${BUCKET}/${key}`, {
      body: gzipSync(spansOf(object * requests, requests)),
    });
    assert.equal(answer.status, 200);
  }
  return objects * requests * SPANS_PER_REQUEST;
}

test('the receiver reads a range whole, over kills of the engine and a store that is away, and then stops', async (t) => {
  const store = await startStore(t);
  const directory = tempDirectory(t);
  const spans = await putObjects(store, 60, 400);
  const sink = join(directory, 'sink');
  const ports = await freePorts();
  const base = JSON.parse(
    engineConfig(ports, { file: { path: sink, format: 'proto', append: true } }, { signals: ['traces'] }),
  ) as {
    receivers: Record<string, unknown>;
    service: { pipelines: { traces: { receivers: string[] } } };
  };
  const { region, endpoint } = store;
  base.receivers.awss3 = {
    ...{ starttime: '2026-03-01 08:05', endtime: '2026-03-01T08:55:00Z' },
    s3downloader: {
      region,
      endpoint,
      s3_bucket: BUCKET,
      s3_prefix: 'prod',
      s3_force_path_style: true,
      retry_mode: 'nop',
    },
  };
  base.service.pipelines.traces.receivers = ['awss3', 'otlp'];
  const start = { config: JSON.stringify(base), dataDir: join(directory, 'engine'), env: store.environment };
  const wanted = (spans * 50) / 60;
  let engine = await startEngine(t, start);
  await until('a part of the range', () => deliveredBeside(sink).size > 0);
  await engine.kill();
  await store.kill();
  engine = await startEngine(t, start);
  await until(
    'the outage to be told',
    () => engine.log.includes('the archive cannot be read') || engine.log.includes('the whole range'),
  );
  await store.startProcess();
  await until('the end of the range', () => /the whole range (is|was) read/.test(engine.log));
  await drained(engine, ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  assert.equal(deliveredBeside(sink).size, wanted);

  const before = [...deliveredBeside(sink).values()].reduce((sum, count) => sum + count, 0);
  engine = await startEngine(t, start);
  await until('the note', () => engine.log.includes('the whole range was read before'));
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  assert.equal(
    [...deliveredBeside(sink).values()].reduce((sum, count) => sum + count, 0),
    before,
  );
});
