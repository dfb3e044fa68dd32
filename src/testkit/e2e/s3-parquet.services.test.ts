/**
 * The same requests once into ClickHouse's own tables and once into Parquet objects on a real S3 server: ClickHouse reads
 * from both the same rows, to the nanosecond.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EngineProcess, engineConfig, freePorts, until } from '../engine-process.ts';
import { RequestGenerator } from '../generators.ts';
import { S3Server } from '../services/s3-server.ts';
import { missingStore, StoredEngine } from '../services/stored-engine.ts';

const BUCKET = 'archive';
const ITEMS = 200;
const REQUESTS = 5;
/** Columns that both have and that are compared as they are; maps in the order of their keys. */
const COLUMNS = {
  traces: {
    plain:
      'TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName, ScopeName, ScopeVersion, Duration, StatusCode, StatusMessage',
    maps: ['ResourceAttributes', 'SpanAttributes'],
  },
  logs: {
    plain:
      'TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body, ScopeName, ScopeVersion, EventName',
    maps: ['ResourceAttributes', 'ScopeAttributes', 'LogAttributes'],
  },
} as const;
type ArchivedSignal = keyof typeof COLUMNS;

function select(signal: ArchivedSignal): string {
  const { plain, maps } = COLUMNS[signal];
  const texts = plain.split(', ').map((name) => `toString(${name})`);
  const sorted = maps.map((name) => `toString(mapSort(${name}))`);
  return ['toUnixTimestamp64Nano(Timestamp)', ...texts, ...sorted].join(', ');
}

test('ClickHouse reads the rows of its tables from Parquet objects', {
  timeout: 180_000,
  skip: missingStore(),
}, async (t) => {
  const store = await S3Server.start({ buckets: [BUCKET] });
  const directory = mkdtempSync(join(tmpdir(), 'millrace-s3-parquet-'));
  const ports = await freePorts();
  const exporter = {
    s3uploader: { endpoint: store.endpoint, s3_force_path_style: true, s3_bucket: BUCKET },
    marshaler: 'parquet',
  };
  const engine = await EngineProcess.start({
    config: engineConfig(ports, { awss3: exporter }, { signals: ['traces', 'logs'] }),
    dataDir: join(directory, 'data'),
    env: store.environment,
  });
  const stored = await StoredEngine.start();
  t.after(async () => {
    await engine.kill();
    await stored.stop();
    await store.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  const rowsOf = async (query: string): Promise<unknown[]> => {
    const result = await stored.client.query({ query, format: 'JSONCompactEachRow' });
    return result.json();
  };
  for (const signal of ['traces', 'logs'] as const) {
    const generator = new RequestGenerator({ signal, itemsPerRequest: ITEMS, seed: 11 });
    for (let sequence = 0; sequence < REQUESTS; sequence++) {
      const body = new Uint8Array(generator.next(sequence, Date.now()));
      for (const port of [ports.http, stored.ports.http]) {
        const answer = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-protobuf' },
          body,
        });
        assert.equal(answer.status, 200, await answer.text());
      }
    }
    const { accessKeyId, secretAccessKey } = store.keys;
    const archive = `s3('${store.endpoint}/${BUCKET}/**/${signal}_*.parquet', '${accessKeyId}', '${secretAccessKey}', 'Parquet')`;
    const table = `otel_${signal}`;
    const total = String(ITEMS * REQUESTS);
    await until(`all rows of ${signal}`, async () => {
      const [[inTable]] = (await rowsOf(`SELECT toString(count()) FROM ${table}`)) as [[string]];
      if (inTable !== total || !store.keysOf(BUCKET).some((key) => key.includes(`${signal}_`))) return false;
      const [[inArchive]] = (await rowsOf(`SELECT toString(count()) FROM ${archive}`)) as [[string]];
      return inArchive === total;
    });
    const expected = await rowsOf(`SELECT ${select(signal)} FROM ${table} ORDER BY ALL`);
    assert.deepEqual(await rowsOf(`SELECT ${select(signal)} FROM ${archive} ORDER BY ALL`), expected);
  }
});
