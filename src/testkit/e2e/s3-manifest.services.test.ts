/**
 * Manifests on a real S3 server. Guarantee: when an hour is over and has settled, its manifest lists exactly the objects
 * of that hour, whoever wrote them and whenever they came, and no trouble with it holds data back.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { crc32 } from '../../stdx/crc32.ts';
import { type EngineProcess, engineConfig, freePorts, until } from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { requestType } from '../otlp-root.ts';
import { MANIFEST_BUCKET as BUCKET, ManifestBed } from '../services/manifest-bed.ts';
import { S3FaultProxy } from '../services/s3-faults.ts';
import { S3Server } from '../services/s3-server.ts';
import { afterwards, drained, startEngine, tempDirectory } from './storage.test-peer.ts';

const HOUR_10 = 'app/year=2026/month=03/day=21/hour=10';

async function startStore(t: TestContext): Promise<S3Server> {
  const store = await S3Server.start({ buckets: [BUCKET, 'gold'] });
  afterwards(t, () => store.stop());
  return store;
}

function slices(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => ledgerRequest(1, index));
}

/** Big endian in base64, as S3 writes checksums. */
function checksum(bytes: Uint8Array): string {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(crc32(bytes) >>> 0);
  return four.toString('base64');
}

test('an hour gets its manifest when it has settled, and again for what comes late', {
  timeout: 120_000,
}, async (t) => {
  const store = await startStore(t);
  const bed = new ManifestBed(store, '2026-03-21T10:59:59Z');
  const s3uploader = { s3_prefix: 'app' };
  const exporter = await bed.exporter({ s3uploader });
  afterwards(t, () => exporter.shutdown());
  await bed.send(exporter, '2026-03-21T10:05:00Z', slices(1), 4);
  await bed.send(exporter, '2026-03-21T10:20:30Z', slices(2), 8);
  await bed.send(exporter, '2026-03-21T10:59:59.999Z', slices(3), 12);
  await bed.send(exporter, '2026-03-21T11:00:00Z', slices(1), 4);
  // More than 5 MiB: it goes up in parts.
  await bed.send(exporter, '2026-03-21T10:30:00Z', [ledgerRequest(1, 1, 1_500_000)], 4);

  bed.now = '2026-03-21T11:04:59Z';
  await new Promise((resolve) => setTimeout(resolve, 3000));
  assert.deepEqual(bed.manifestKeys(), [], 'it waits for settle_time');
  bed.now = '2026-03-21T11:05:01Z';
  const manifest = await bed.manifest(HOUR_10, 4);
  assert.deepEqual(
    [manifest.version, manifest.signal, manifest.bucket, manifest.folder, manifest.from, manifest.until],
    [1, 'traces', BUCKET, HOUR_10, '2026-03-21T10:00:00.000Z', '2026-03-21T11:00:00.000Z'],
  );
  assert.equal(manifest.items, 28);
  assert.equal(manifest.received_from, '2026-03-21T10:05:00.000Z');
  assert.deepEqual(
    manifest.objects.map(({ items, received_from }) => [items, received_from]),
    [
      [4, '2026-03-21T10:05:00.000Z'],
      [8, '2026-03-21T10:20:30.000Z'],
      [4, '2026-03-21T10:30:00.000Z'],
      [12, '2026-03-21T10:59:59.999Z'],
    ],
  );
  for (const object of manifest.objects) {
    const bytes = store.objectBytes(BUCKET, object.key);
    assert.equal(object.bytes, bytes.length);
    assert.match(object.batch!, /^traces\.1-\d+-\d+$/);
    if (!object.crc32!.includes('-')) assert.equal(object.crc32, checksum(bytes));
  }
  assert.deepEqual(bed.manifestKeys(), [`${HOUR_10}/_manifest_traces.json`]);

  // Hours later, of another exporter with the same place.
  bed.now = '2026-03-21T14:00:00Z';
  const other = await bed.exporter({ s3uploader }, { id: 'awss3/other' });
  afterwards(t, () => other.shutdown());
  await bed.send(other, '2026-03-21T10:07:00Z', slices(1), 4);
  bed.now = '2026-03-21T14:05:01Z';
  assert.equal((await bed.manifest(HOUR_10, 5)).items, 32);
  await bed.manifest('app/year=2026/month=03/day=21/hour=11', 1);
  assert.equal(bed.outcomes('failed'), 0);
});

test('two writers at the same time agree, on objects of a thousand and one pages', {
  timeout: 120_000,
}, async (t) => {
  const store = await startStore(t);
  const bed = new ManifestBed(store, '2026-03-21T11:00:00Z');
  // What others put there is listed too: without items, because nobody knows them.
  const names = Array.from({ length: 1050 }, (_, index) => `${HOUR_10}/minute=00/traces_${index}.json`);
  while (names.length > 0)
    await Promise.all(
      names.splice(0, 25).map(async (name) => {
        const answer = await store.request('PUT', `/${BUCKET}/${name}`, { body: Buffer.from('{}') });
        assert.ok(answer.ok);
        await answer.arrayBuffer();
      }),
    );
  for (const name of ['logs_1.json', 'notes.txt', 'sub/traces_1.json'])
    await store.request('PUT', `/${BUCKET}/${HOUR_10}/minute=00/${name}`, { body: Buffer.from('{}') });
  const s3uploader = { s3_prefix: 'app' };
  const exporters = [
    await bed.exporter({ s3uploader }),
    await bed.exporter({ s3uploader }, { id: 'awss3/2' }),
  ];
  for (const exporter of exporters) afterwards(t, () => exporter.shutdown());
  for (const exporter of exporters) await bed.send(exporter, '2026-03-21T10:20:30Z', slices(1), 4);
  bed.now = '2026-03-21T11:06:00Z';
  const manifest = await bed.manifest(HOUR_10, 1052);
  assert.deepEqual([manifest.items, manifest.objects_without_items], [8, 1050]);
  await until('both to be done', () => bed.outcomes('written') + bed.outcomes('unchanged') >= 2, 30_000);
  assert.equal((await bed.manifest(HOUR_10, 1052)).objects.length, 1052);
});

test('folders of resource attributes, of a process that was stopped before', {
  timeout: 90_000,
}, async (t) => {
  const store = await startStore(t);
  const bed = new ManifestBed(store, '2026-03-21T10:50:00Z');
  const settings = { stateDir: join(tempDirectory(t), 'state') };
  const keys = {
    resource_attrs_to_s3: { s3_prefix: 'tenant', s3_bucket: 'bucket', allowed_buckets: ['gold'] },
  };
  const resource = (attributes: Record<string, string>, spans: number) => ({
    resource: {
      attributes: Object.entries(attributes).map(([key, value]) => ({ key, value: { string_value: value } })),
    },
    scope_spans: [{ spans: Array.from({ length: spans }, (_, index) => ({ name: `${index}` })) }],
  });
  const type = requestType('traces');
  const resource_spans = [resource({ tenant: 'a' }, 2), resource({ tenant: 'b/c', bucket: 'gold' }, 3)];
  const slice = type.encode(type.fromObject({ resource_spans })).finish();
  const first = await bed.exporter(keys, settings);
  await bed.send(first, '2026-03-21T10:45:00Z', [slice], 5);
  await first.shutdown();
  assert.deepEqual(bed.manifestKeys(), []);
  // The next process gets no data at all.
  bed.now = '2026-03-21T12:00:00Z';
  const second = await bed.exporter(keys, settings);
  afterwards(t, () => second.shutdown());
  const hour = 'year=2026/month=03/day=21/hour=10';
  assert.equal((await bed.manifest(`a/${hour}`, 1)).items, 2);
  assert.equal((await bed.manifest(`b/c/${hour}`, 1, 'gold')).items, 3);
});

test('a store that refuses listings gets its data, and the manifest when it lets us', {
  timeout: 90_000,
}, async (t) => {
  const store = await startStore(t);
  const proxy = await S3FaultProxy.start(store);
  afterwards(t, () => proxy.stop());
  const bed = new ManifestBed(store, '2026-03-21T10:50:00Z');
  let isRefusing = true;
  proxy.script = (method, url) =>
    isRefusing && (method === 'GET' || method === 'HEAD' || url.includes('_manifest_'))
      ? { status: 403, code: 'AccessDenied' }
      : undefined;
  const exporter = await bed.exporter({ s3uploader: { s3_prefix: 'app', endpoint: proxy.endpoint } });
  afterwards(t, () => exporter.shutdown());
  await bed.send(exporter, '2026-03-21T10:45:00Z', slices(1), 4);
  bed.now = '2026-03-21T11:05:01Z';
  await until('the refusal', () => bed.outcomes('failed') > 0, 30_000);
  await bed.send(exporter, '2026-03-21T10:46:00Z', slices(1), 4);
  isRefusing = false;
  bed.now = '2026-03-21T11:30:00Z';
  await bed.manifest(HOUR_10, 2);
});

test('a lost disk: the folders of the time before are looked at', { timeout: 90_000 }, async (t) => {
  const store = await startStore(t);
  const bed = new ManifestBed(store, '2026-03-21T10:50:00Z');
  const s3uploader = { s3_prefix: 'app', s3_partition_format: 'dt=%F/%H' };
  const first = await bed.exporter({ s3uploader });
  await bed.send(first, '2026-03-21T10:45:00Z', slices(1), 4);
  await first.shutdown();
  bed.now = '2026-03-22T09:00:00Z';
  const second = await bed.exporter({ s3uploader, manifest: { enabled: true, look_back: '24h' } });
  afterwards(t, () => second.shutdown());
  await bed.manifest('app/dt=2026-03-21/10', 1);
  await until('the others to be looked at', () => bed.outcomes('unchanged') >= 22, 30_000);
  assert.deepEqual(bed.manifestKeys(), ['app/dt=2026-03-21/10/_manifest_traces.json']);
});

test('kill -9 of the engine: the manifest is written after the start', { timeout: 180_000 }, async (t) => {
  const store = await startStore(t);
  const directory = tempDirectory(t);
  const ports = await freePorts();
  // Folders of a minute each, so that one is over soon.
  const exporter = {
    s3uploader: {
      ...{ endpoint: store.endpoint, s3_force_path_style: true, s3_bucket: BUCKET },
      s3_partition_format: '%Y-%m-%d-%H-%M',
    },
    marshaler: 'otlp_proto',
    manifest: { enabled: true, settle_time: '1s', look_back: '0s' },
  };
  const start = {
    config: engineConfig(ports, { awss3: exporter }, { signals: ['traces'] }),
    dataDir: join(directory, 'data'),
    env: store.environment,
  };
  const engine = await startEngine(t, start);
  const answer = await fetch(`http://127.0.0.1:${ports.http}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: Buffer.from(ledgerRequest(1, 1)),
  });
  assert.equal(answer.status, 200);
  await drained(engine, ports.metrics);
  assert.deepEqual(await engine.kill('SIGKILL'), { code: null, signal: 'SIGKILL' });
  const [key] = store.keysOf(BUCKET);
  const folder = key!.split('/').slice(0, -1).join('/');

  const next: EngineProcess = await startEngine(t, start);
  const manifestKey = `${folder}/_manifest_traces.json`;
  await until('the manifest', () => store.keysOf(BUCKET).includes(manifestKey), 90_000);
  const text = store.objectBytes(BUCKET, manifestKey).toString();
  const manifest = JSON.parse(text) as { objects: { key: string; items: number }[] };
  assert.deepEqual(
    manifest.objects.map(({ key, items }) => [key, items]),
    [[key, SPANS_PER_REQUEST]],
  );
  assert.match(
    await next.metrics(ports.metrics),
    /millrace_awss3_exporter_manifests\{[^}]*outcome="written"[^}]*\} 1/,
  );
});
