import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCreateTable } from './clickhouse-ddl.ts';
import { startNullClickhouse } from './null-clickhouse.ts';

const CREATE = `CREATE TABLE IF NOT EXISTS otel.\`otel_traces\` (
  Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)), -- start, in nanoseconds
  \`TraceId\` String CODEC(ZSTD(1)),
  SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  Events Nested (Timestamp DateTime64(9), Name LowCardinality(String)) CODEC(ZSTD(1)),
  INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = MergeTree() PARTITION BY toDate(Timestamp) ORDER BY (Timestamp)`;

const COLUMNS = [
  { name: 'Timestamp', type: 'DateTime64(9)' },
  { name: 'TraceId', type: 'String' },
  { name: 'SpanAttributes', type: 'Map(LowCardinality(String), String)' },
  { name: 'Events.Timestamp', type: 'Array(DateTime64(9))' },
  { name: 'Events.Name', type: 'Array(LowCardinality(String))' },
];

test('columns are read from the statement that creates their table', () => {
  const created = parseCreateTable(CREATE);
  assert.equal(created?.name, 'otel.otel_traces');
  assert.deepEqual(created?.columns, COLUMNS);
  assert.equal(parseCreateTable('CREATE DATABASE otel'), undefined);
});

test('an exporter can ping, create, describe, insert, be refused and insert again', async (t) => {
  const sink = await startNullClickhouse();
  t.after(() => sink.close());
  const base = `http://127.0.0.1:${sink.port}`;
  const post = async (path: string, body: string): Promise<{ status: number; text: string }> => {
    const response = await fetch(`${base}${path}`, { method: 'POST', body });
    return { status: response.status, text: await response.text() };
  };
  const insert = `/?query=${encodeURIComponent('INSERT INTO otel.otel_traces FORMAT Native')}`;
  assert.equal(await (await fetch(`${base}/ping`)).text(), 'Ok.\n');
  assert.deepEqual(await post('/', CREATE), { status: 200, text: '' });
  const described = await post('/', 'DESCRIBE TABLE otel.otel_traces FORMAT JSONEachRow');
  const rows = described.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; type: string });
  assert.deepEqual(
    rows.map(({ name, type }) => ({ name, type })),
    COLUMNS,
  );
  assert.equal((await post(insert, 'x'.repeat(100_000))).status, 200);
  await post('/control?state=down', '');
  assert.equal((await post(insert, 'x')).status, 503);
  await post('/control?state=up', '');
  assert.equal((await post(insert, 'x')).status, 200);
  const counts = JSON.parse(await (await fetch(`${base}/control`)).text()) as Record<string, number>;
  assert.deepEqual([counts.inserts, counts.insertBytes, counts.refusedInserts], [2, 100_001, 1]);
});
