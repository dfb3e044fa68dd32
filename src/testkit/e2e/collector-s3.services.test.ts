/**
 * The exporter `awss3` beside the real Collector's, one configuration for both, on one S3 server: the same requests make
 * objects of the same text under keys of the same shape.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SIGNALS, type Signal } from '../../component/signal.ts';
import { HAS_ZSTD } from '../../exporters/helper/body-compression.ts';
import { protoToJson } from '../../otlp/proto-to-json.ts';
import { EngineProcess, freePort, until } from '../engine-process.ts';
import { encodeOtlpJson } from '../services/collector-json.ts';
import { fullLogs, fullMetrics, fullTraces } from '../services/full-requests.ts';
import { CollectorProcess, installPrograms } from '../services/programs.ts';
import { plainObject } from '../services/s3-objects.ts';
import { S3Server } from '../services/s3-server.ts';

interface Lane {
  uploader: Record<string, unknown>;
  rest: Record<string, unknown>;
  signals: readonly Signal[];
}

const LANES: Readonly<Record<string, Lane>> = {
  json: { uploader: {}, rest: {}, signals: SIGNALS },
  'json-gzip': {
    uploader: { compression: 'gzip', s3_base_prefix: 'base/dir', file_prefix: 'gw-' },
    rest: { marshaler: 'otlp_json' },
    signals: SIGNALS,
  },
  proto: {
    uploader: { s3_partition_format: '%Y/%j-%H', s3_partition_timezone: 'Asia/Kolkata' },
    rest: { marshaler: 'otlp_proto' },
    signals: SIGNALS,
  },
  'proto-zstd': {
    uploader: { compression: HAS_ZSTD ? 'zstd' : 'gzip', unique_key_func_name: 'uuidv7' },
    rest: { marshaler: 'otlp_proto' },
    signals: SIGNALS,
  },
  body: { uploader: {}, rest: { marshaler: 'body' }, signals: ['logs'] },
  attribute: {
    uploader: { s3_base_prefix: 'by' },
    rest: { marshaler: 'otlp_json', resource_attrs_to_s3: { s3_prefix: 'service.name' } },
    signals: SIGNALS,
  },
};
const REQUESTS: Readonly<Record<Signal, Uint8Array>> = {
  traces: encodeOtlpJson('traces', fullTraces('shop')),
  logs: encodeOtlpJson('logs', fullLogs('shop')),
  metrics: encodeOtlpJson('metrics', fullMetrics('shop')),
};

function configOf(store: S3Server, bucket: string, port: number): Record<string, unknown> {
  const exporters = Object.entries(LANES).map(([name, { uploader, rest }]) => {
    const s3uploader = {
      ...{ region: store.region, endpoint: store.endpoint, s3_force_path_style: true },
      ...{ s3_bucket: bucket, s3_prefix: name },
      ...uploader,
    };
    return [`awss3/${name}`, { s3uploader, ...rest }] as const;
  });
  const idsOf = (signal: Signal) =>
    Object.entries(LANES).flatMap(([name, { signals }]) =>
      signals.includes(signal) ? [`awss3/${name}`] : [],
    );
  return {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: Object.fromEntries(exporters),
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: Object.fromEntries(
        SIGNALS.map((signal) => [signal, { receivers: ['otlp'], exporters: idsOf(signal) }]),
      ),
    },
  };
}

async function sendAll(port: number): Promise<void> {
  for (const signal of SIGNALS) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: new Uint8Array(REQUESTS[signal]),
    });
    assert.equal(response.status, 200, await response.text());
  }
}

/** A key without what differs from object to object: digits of times, and what makes it unique. */
function shapeOf(key: string): string {
  return key
    .replace(/_[\da-f]{8}-[\da-f]{4}-7[\da-f-]+\./, '_UUID.')
    .replace(/_(\d{9}|[\da-f]{16}-\d{12}-\d{12})\./, '_UNIQUE.')
    .replace(/\d+/g, (digits) => 'N'.repeat(digits.length));
}

/** What an object says: JSON with its members in order, because neither order nor the digits of an exponent mean anything. */
function comparable(key: string, bytes: Buffer): string {
  const signal = SIGNALS.find((each) => key.includes(`${each}_`))!;
  // Go writes fields in another order, and empty messages that were not there: as JSON, which is compared with its own
  // in the other objects, both say the same.
  if (key.includes('.binpb')) return JSON.stringify(sorted(JSON.parse(protoToJson(signal, bytes))));
  return key.includes('.json') ? JSON.stringify(sorted(JSON.parse(bytes.toString()))) : bytes.toString();
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}

interface Found {
  encoding: string | null;
  text: string;
}

async function objectsOf(store: S3Server, bucket: string): Promise<Map<string, Found>> {
  const objects = new Map<string, Found>();
  for (const key of store.keysOf(bucket)) {
    const head = await store.request('HEAD', `/${bucket}/${key}`);
    const bytes = plainObject(store, bucket, key);
    objects.set(shapeOf(key), {
      encoding: head.headers.get('content-encoding'),
      text: comparable(key, bytes),
    });
  }
  return objects;
}

test('objects and keys are those of the Collector', { timeout: 600_000 }, async (t) => {
  const programs = await installPrograms();
  const store = await S3Server.start({ buckets: ['theirs', 'ours'] });
  const directory = mkdtempSync(join(tmpdir(), 'millrace-collector-s3-'));
  const [theirPort, ourPort] = [await freePort(), await freePort()];
  const count = Object.values(LANES).reduce((sum, { signals }) => sum + signals.length, 0);
  Object.assign(process.env, store.environment);
  const collector = await CollectorProcess.start(programs, configOf(store, 'theirs', theirPort));
  const engine = await EngineProcess.start({
    config: JSON.stringify(configOf(store, 'ours', ourPort)),
    dataDir: join(directory, 'data'),
  });
  t.after(async () => {
    collector.child.kill('SIGKILL');
    await engine.kill();
    await store.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  await sendAll(theirPort);
  await sendAll(ourPort);
  for (const bucket of ['theirs', 'ours'])
    await until(`${count} objects in ${bucket}`, () => store.keysOf(bucket).length >= count);
  const [ours, theirs] = [await objectsOf(store, 'ours'), await objectsOf(store, 'theirs')];
  assert.deepEqual([...ours.keys()].sort(), [...theirs.keys()].sort());
  for (const [key, { encoding, text }] of theirs) {
    const own = ours.get(key)!;
    assert.equal(own.encoding, encoding, key);
    let at = 0;
    while (at < text.length && text[at] === own.text[at]) at++;
    const from = Math.max(at - 80, 0);
    // The texts are long: what stands around the first difference says enough.
    assert.equal(own.text.slice(from, at + 80), text.slice(from, at + 80), key);
  }
});
