import type { DeliveryConfig } from '../../component/factory.ts';
import {
  boolean,
  duration,
  endpoint,
  ignored,
  oneOf,
  refused,
  secret,
  section,
  squash,
  string,
  stringMap,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape } from '../../config/schema.ts';
import { tlsClientShape } from '../../config/tls-client.ts';
import type { TlsClientSettings } from '../../stdx/tls-settings.ts';
import { type DeliveryDefaults, deliveryShape } from '../helper/config.ts';
import type { TableKey } from './encode/encoder.ts';
import { parseEndpoint } from './endpoint.ts';
import { IDENTIFIER_PATTERN } from './table-names.ts';

type MetricKey = Exclude<TableKey, 'traces' | 'logs'>;

export interface ClickhouseConfig {
  endpoint: string;
  username: string | undefined;
  password: string | undefined;
  database: string;
  connectionParams: Record<string, string>;
  ttlMs: number;
  rollupTtlMs: number;
  hasRollups: boolean;
  createSchema: boolean;
  /** undefined: none to the machine's own addresses, gzip elsewhere. */
  compress: 'none' | 'zstd' | 'lz4' | 'gzip' | 'deflate' | 'br' | 'true' | undefined;
  tls: TlsClientSettings;
  clusterName: string | undefined;
  tableEngine: { name: string; params: string };
  logsTableName: string;
  tracesTableName: string;
  metricsTableName: string | undefined;
  metricsTables: Record<MetricKey, { name: string | undefined }>;
  delivery: DeliveryConfig;
}

/** Rows, not requests, are what an insert costs little of: few large blocks leave few parts to merge. */
const DELIVERY_DEFAULTS: DeliveryDefaults = {
  timeout: '30s',
  numConsumers: 2,
  batchFlushTimeout: '1s',
  batchMinSize: 65_536,
  batchMaxSize: 65_536,
};
const identifier = {
  pattern: IDENTIFIER_PATTERN,
  patternHint: 'must be a plain identifier: letters, digits and _, at most 64',
};

const tableEngineShape = defineShape<ClickhouseConfig['tableEngine']>({
  name: string('name', { default: 'MergeTree', doc: 'Engine of the raw tables.', ...identifier }),
  params: string('params', { default: '', doc: 'Engine arguments, as SQL text without the parentheses.' }),
});

const metricTable = (key: MetricKey) =>
  section(
    key,
    defineShape<{ name: string | undefined }>({
      name: string('name', { doc: `Table name; default \`otel_metrics_${key}\`.`, ...identifier }),
    }),
    { doc: `Table of ${key.replace('_', ' ')} points.` },
  );

const metricsTablesShape = defineShape<ClickhouseConfig['metricsTables']>({
  gauge: metricTable('gauge'),
  sum: metricTable('sum'),
  summary: metricTable('summary'),
  histogram: metricTable('histogram'),
  exponential_histogram: metricTable('exponential_histogram'),
});

export const clickhouseConfigSchema = defineConfig<ClickhouseConfig>(
  {
    endpoint: endpoint('endpoint', {
      required: true,
      accepts: 'url',
      schemes: ['http', 'https', 'tcp', 'clickhouse'],
      doc: 'URL of the HTTP interface. `tcp://` and `clickhouse://` on port 9000 or 9440 mean the same host on 8123 or 8443.',
    }),
    username: string('username', { doc: 'Wins over the user in the URL.' }),
    password: secret('password', { doc: 'Wins over the password in the URL.' }),
    database: string('database', {
      default: 'default',
      doc: 'Created when it is another one.',
      ...identifier,
    }),
    connectionParams: stringMap('connection_params', {
      default: {},
      secretValues: true,
      doc: 'Settings sent with every statement. Keys of the native protocol driver are left out.',
    }),
    ttlMs: duration('ttl', { default: '720h', doc: 'How long raw rows are kept; 0 means for ever.' }),
    rollupTtlMs: duration('rollup_ttl', {
      default: '8760h',
      doc: 'How long rollup rows are kept; 0 means for ever.',
    }),
    hasRollups: boolean('rollups', {
      default: true,
      doc: 'Keep 5-minute and 1-hour tables of span rate, errors and duration beside the traces table.',
    }),
    createSchema: boolean('create_schema', {
      default: true,
      doc: 'Create database and tables that are missing.',
    }),
    compress: oneOf('compress', {
      values: ['none', 'zstd', 'lz4', 'gzip', 'deflate', 'br', 'true'],
      doc: 'Compression of inserts; default none on loopback, else gzip. `lz4`, `deflate`, `br` and `true` mean gzip over HTTP.',
    }),
    tls: section('tls', tlsClientShape, { doc: 'TLS of `https` endpoints.' }),
    clusterName: string('cluster_name', {
      doc: 'Adds `ON CLUSTER` to every statement that creates.',
      ...identifier,
    }),
    tableEngine: section('table_engine', tableEngineShape, { doc: 'Engine of the raw tables.' }),
    logsTableName: string('logs_table_name', {
      default: 'otel_logs',
      doc: 'Table of log records.',
      ...identifier,
    }),
    tracesTableName: string('traces_table_name', {
      default: 'otel_traces',
      doc: 'Table of spans.',
      ...identifier,
    }),
    metricsTableName: string('metrics_table_name', {
      doc: 'Prefix of the five metric tables, in the older form.',
      ...identifier,
    }),
    metricsTables: section('metrics_tables', metricsTablesShape, { doc: 'Names of the metric tables.' }),
    delivery: squash(deliveryShape(DELIVERY_DEFAULTS)),
  },
  checkConfig,
  [
    ignored(
      boolean('async_insert', { doc: 'Let the server collect inserts.' }),
      'batches are built before the insert',
    ),
    refused('json', 'is not supported: attributes are stored as maps'),
    refused('profiles_table_name', 'is not supported: there is no profiles signal'),
    refused('ttl_days', "was replaced by 'ttl', a duration such as 720h"),
  ],
);

function checkConfig(config: ClickhouseConfig): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const parsed = parseEndpoint(config.endpoint);
  if ('error' in parsed) issues.push({ key: 'endpoint', message: parsed.error });
  for (const key of Object.keys(config.connectionParams)) {
    if (!IDENTIFIER_PATTERN.test(key))
      issues.push({ key: 'connection_params', message: `"${key}" is not a setting's name` });
  }
  if (!/^[A-Za-z0-9_ ,.'"/{}-]*$/.test(config.tableEngine.params)) {
    issues.push({
      key: 'table_engine.params',
      message: 'may hold arguments only: no parentheses, semicolons or comments',
    });
  }
  return issues;
}

/** Table names: the exact ones, else the prefix, else the Collector's. */
export function tableNames(config: ClickhouseConfig): Record<TableKey, string> {
  const prefix = config.metricsTableName ?? 'otel_metrics';
  const metric = (key: MetricKey) => config.metricsTables[key].name ?? `${prefix}_${key}`;
  return {
    traces: config.tracesTableName,
    logs: config.logsTableName,
    gauge: metric('gauge'),
    sum: metric('sum'),
    histogram: metric('histogram'),
    exponential_histogram: metric('exponential_histogram'),
    summary: metric('summary'),
  };
}
