/** Tables of the exporter in the embedded ClickHouse, filled block by block and read back exactly. */
import type { ClickHouseClient } from '@clickhouse/client';
import type { Signal } from '../../component/signal.ts';
import { readDefaults } from '../../config/schema.ts';
import { tlsClientShape } from '../../config/tls-client.ts';
import { schemaStatements } from './ddl.ts';
import type { SchemaSettings } from './ddl-table.ts';
import { BlockWriter, type Column } from './encode/block-writer.ts';
import type { TableKey } from './encode/encoder.ts';
import { InsertClient } from './insert-client.ts';

export const TEST_SCHEMA: SchemaSettings = {
  database: 'otel',
  tables: {
    traces: 'traces',
    logs: 'logs',
    gauge: 'gauge',
    sum: 'sum',
    histogram: 'histogram',
    exponential_histogram: 'exponential_histogram',
    summary: 'summary',
  },
  clusterName: undefined,
  engine: { name: 'MergeTree', params: '' },
  ttlSeconds: 0,
  rollupTtlSeconds: 0,
  hasRollups: false,
  isTuned: true,
};
/** Exact output: 64-bit integers and non-finite numbers quoted, maps as lists of pairs, because keys may repeat. */
const EXACT_SETTINGS = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_denormals: 1,
  output_format_json_map_as_array_of_tuples: 1,
  output_format_json_named_tuples_as_objects: 0,
} as const;

export function openInsertClient(url: string): Promise<InsertClient> {
  return InsertClient.open({
    url,
    username: 'default',
    password: '',
    compression: 'none',
    settings: {},
    connectionsMax: 2,
    tls: readDefaults(tlsClientShape),
  });
}

/** The exporter's own tables, but unsorted and undivided, so that rows come back in the order they were sent. */
export async function createUnsortedTables(client: ClickHouseClient, signal: Signal): Promise<void> {
  for (const statement of schemaStatements(TEST_SCHEMA, signal)) {
    if (!statement.includes('ENGINE = MergeTree')) continue;
    const unsorted = statement
      .replace(/^PARTITION BY .*$/m, '')
      .replace(/^ORDER BY .*$/m, 'ORDER BY tuple()')
      .replace(/non_replicated_deduplication_window = \d+/, 'non_replicated_deduplication_window = 0');
    await client.command({ query: unsorted });
  }
}

/** Sends one block as the exporter does. */
export async function insertBlock(
  client: InsertClient,
  table: string,
  columns: readonly Column[],
  rowCount: number,
): Promise<void> {
  const writer = new BlockWriter();
  const sent = writer.appendBlock(columns, rowCount);
  const names = sent.map((column) => `\`${column.name}\``).join(', ');
  const statement = `INSERT INTO otel.${table} (${names}) FORMAT Native`;
  await client.insert(statement, writer.chunks, 'none', AbortSignal.timeout(30_000));
}

export async function exactRows(client: ClickHouseClient, query: string): Promise<Record<string, unknown>[]> {
  const result = await client.query({ query, format: 'JSONEachRow', clickhouse_settings: EXACT_SETTINGS });
  return result.json();
}

/** All rows with all columns; times as integers of nanoseconds, because texts of them stop at the year 2262. */
export async function readTable(
  client: ClickHouseClient,
  table: TableKey,
): Promise<Record<string, unknown>[]> {
  let columns = selected.get(table);
  if (columns === undefined) {
    const described = await exactRows(client, `DESCRIBE TABLE otel.${table}`);
    columns = described.map(({ name, type }) => exactColumn(String(name), String(type))).join(', ');
    selected.set(table, columns);
  }
  return exactRows(client, `SELECT ${columns} FROM otel.${table}`);
}

const selected = new Map<TableKey, string>();

function exactColumn(name: string, type: string): string {
  if (type === 'DateTime64(9)') return `toUnixTimestamp64Nano(\`${name}\`) AS \`${name}\``;
  if (type === 'Array(DateTime64(9))') {
    return `arrayMap(t -> toUnixTimestamp64Nano(t), \`${name}\`) AS \`${name}\``;
  }
  return `\`${name}\``;
}
