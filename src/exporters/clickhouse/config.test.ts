import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clickhouseConfigSchema, tableNames } from './config.ts';
import { schemaStatements } from './ddl.ts';
import { parseEndpoint } from './endpoint.ts';
import { TEST_SCHEMA } from './test-tables.test-peer.ts';

const ENDPOINT = 'http://127.0.0.1:8123';
const parse = (keys: Record<string, unknown>) =>
  clickhouseConfigSchema.parse({ endpoint: ENDPOINT, ...keys });
const messages = (keys: Record<string, unknown>) =>
  parse(keys).issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

test("the Collector's defaults hold, with retention and batches of our own", () => {
  const config = parse({}).value!;
  assert.equal(config.database, 'default');
  assert.equal(config.createSchema, true);
  assert.equal(config.ttlMs, 30 * 24 * 3600 * 1000);
  assert.equal(config.rollupTtlMs, 365 * 24 * 3600 * 1000);
  assert.deepEqual(config.tableEngine, { name: 'MergeTree', params: '' });
  assert.deepEqual(tableNames(config), {
    traces: 'otel_traces',
    logs: 'otel_logs',
    gauge: 'otel_metrics_gauge',
    sum: 'otel_metrics_sum',
    histogram: 'otel_metrics_histogram',
    exponential_histogram: 'otel_metrics_exponential_histogram',
    summary: 'otel_metrics_summary',
  });
  assert.equal(config.delivery.queue.batch.sizer, 'items');
});

test('names of tables can be given one by one or by the older prefix', () => {
  const names = tableNames(
    parse({ metrics_table_name: 'm', metrics_tables: { gauge: { name: 'g' } } }).value!,
  );
  assert.equal(names.gauge, 'g');
  assert.equal(names.sum, 'm_sum');
});

test('no identifier can leave its quotes', () => {
  const bad = ['a`b', 'a"b', "a'b", 'a;b', 'a--b', 'a/*b', 'a b', 'a.b', '1a', '', 'x'.repeat(65), 'ä'];
  for (const key of [
    'database',
    'traces_table_name',
    'logs_table_name',
    'metrics_table_name',
    'cluster_name',
  ]) {
    for (const value of bad) assert.equal(messages({ [key]: value }).length, 1, `${key}: ${value}`);
  }
  assert.equal(messages({ metrics_tables: { sum: { name: 'a`b' } } }).length, 1);
  assert.equal(messages({ table_engine: { name: 'MergeTree() --' } }).length, 1);
  assert.equal(messages({ table_engine: { name: 'MergeTree', params: ') ; DROP TABLE x' } }).length, 1);
  assert.equal(messages({ connection_params: { 'a&b': '1' } }).length, 1);
  assert.deepEqual(
    messages({ table_engine: { name: 'ReplicatedMergeTree', params: "'/ch/{shard}/{table}', '{replica}'" } }),
    [],
  );
});

test('keys that mean nothing here are refused or warned about by name', () => {
  assert.match(messages({ json: true })[0] ?? '', /json/);
  assert.match(messages({ ttl_days: 3 })[0] ?? '', /ttl/);
  assert.equal(parse({ async_insert: true }).warnings?.length, 1);
  assert.match(clickhouseConfigSchema.parse({}).issues[0]?.message ?? '', /required/);
  assert.match(messages({ tls: { cert_file: 'a' } })[0] ?? '', /must include both certificate and key/);
});

test('every way to write an endpoint leads to the HTTP interface', () => {
  const url = (text: string) => {
    const parsed = parseEndpoint(text);
    return 'error' in parsed ? parsed.error : parsed.url;
  };
  assert.equal(url('http://db:8123'), 'http://db:8123');
  assert.equal(url('https://db'), 'https://db:8443');
  assert.equal(url('tcp://db:9000'), 'http://db:8123');
  assert.equal(url('tcp://db:9440'), 'https://db:8443');
  assert.equal(url('clickhouse://db:9000/otel?secure=true'), 'https://db:8443');
  assert.match(url('tcp://db:19000'), /HTTP interface/);
  assert.equal(messages({ endpoint: 'tcp://db:19000' }).length, 1);
});

test('users, database and settings of the URL are found, and driver options are not settings', () => {
  const parsed = parseEndpoint(
    'tcp://me:p%40ss@db:9000/otel?dial_timeout=10s&max_execution_time=60&compress=lz4',
  );
  assert(!('error' in parsed));
  assert.deepEqual(
    [parsed.username, parsed.password, parsed.database, parsed.settings, parsed.wasNative, parsed.isLoopback],
    ['me', 'p@ss', 'otel', { max_execution_time: '60' }, true, false],
  );
  for (const text of [ENDPOINT, 'http://localhost:1', 'http://[::1]:8123']) {
    const loopback = parseEndpoint(text);
    assert(!('error' in loopback) && loopback.isLoopback, text);
  }
});

test('every table and target of a view has a deduplication window; engines and clusters are honoured', () => {
  const settings = {
    ...TEST_SCHEMA,
    clusterName: 'c1',
    engine: { name: 'ReplicatedMergeTree', params: '' },
    ttlSeconds: 60,
    rollupTtlSeconds: 120,
    hasRollups: true,
  };
  const statements = [
    ...schemaStatements(settings, 'traces'),
    ...schemaStatements(settings, 'logs'),
    ...schemaStatements(settings, 'metrics'),
  ];
  for (const statement of statements) {
    assert.match(statement, /^CREATE (DATABASE|TABLE|MATERIALIZED VIEW) IF NOT EXISTS .* ON CLUSTER `c1`/);
    if (!statement.startsWith('CREATE TABLE')) continue;
    assert.match(statement, /non_replicated_deduplication_window = [1-9]\d{3,}/);
    assert.match(statement, /ENGINE = Replicated(Aggregating)?MergeTree\(\)/);
    assert.match(statement, /toIntervalSecond\((60|120)\)/);
  }
  assert.equal(statements.filter((text) => text.includes('AggregatingMergeTree')).length, 3);
});
