import type { TableNames } from './table-names.ts';
import { qualified, quoted } from './table-names.ts';

/** What the statements of a schema depend on. */
export interface SchemaSettings {
  database: string;
  tables: TableNames;
  /** undefined: a single server. */
  clusterName: string | undefined;
  engine: { name: string; params: string };
  /** Retention of raw rows in seconds; 0 keeps them for ever. */
  ttlSeconds: number;
  /** Retention of rollup rows in seconds; 0 keeps them for ever. */
  rollupTtlSeconds: number;
  hasRollups: boolean;
  /** Servers before 24.10 do not know some table settings that only save work; false leaves those out. */
  isTuned: boolean;
}

/**
 * Inserts of the last this many blocks are recognised when they are repeated. A table without the window, or a
 * view whose target has none, would count a repeated batch twice.
 */
const DEDUPLICATION_WINDOW_BLOCKS = 10_000;
/**
 * How many parts of a size a merge waits for. The server's 5 writes each row about twice in the first minutes;
 * 16 writes it once, for some dozens of parts more in the newest partition (docs/adr/0005-clickhouse-schema.md).
 */
const MERGE_SELECTOR_BASE = 16;
/** Attribute maps: their keys are few, their values are the bill, and sets of tens of thousands are common. */
export const ATTRIBUTES_TYPE = 'Map(LowCardinality(String), String)';

/** ` ON CLUSTER name`, or nothing on a single server. */
export function onCluster(settings: SchemaSettings): string {
  return settings.clusterName === undefined ? '' : ` ON CLUSTER ${quoted(settings.clusterName)}`;
}

/** A table to create. SQL fragments come from this folder; names were checked by the configuration. */
export interface TableDefinition {
  name: string;
  /** Columns and indexes, one a line. */
  lines: readonly string[];
  /** `''` for rows as they are; `Aggregating` for rollups. */
  engineKind: '' | 'Aggregating';
  partitionBy: string;
  orderBy: string;
  /** Column or expression of type DateTime that rows age by. */
  ageBy: string;
  ttlSeconds: number;
  settings?: Readonly<Record<string, string | number>>;
}

export function createTable(settings: SchemaSettings, table: TableDefinition): string {
  const tableSettings = {
    index_granularity: 8192,
    ttl_only_drop_parts: 1,
    non_replicated_deduplication_window: DEDUPLICATION_WINDOW_BLOCKS,
    ...(settings.isTuned && table.engineKind === '' ? { merge_selector_base: MERGE_SELECTOR_BASE } : {}),
    ...table.settings,
  };
  return [
    `CREATE TABLE IF NOT EXISTS ${qualified(settings.database, table.name)}${onCluster(settings)}`,
    `(\n  ${table.lines.join(',\n  ')}\n)`,
    `ENGINE = ${engine(settings, table.engineKind)}`,
    `PARTITION BY ${table.partitionBy}`,
    `ORDER BY ${table.orderBy}`,
    ...(table.ttlSeconds === 0 ? [] : [`TTL ${table.ageBy} + toIntervalSecond(${table.ttlSeconds})`]),
    `SETTINGS ${Object.entries(tableSettings)
      .map(([name, value]) => `${name} = ${value}`)
      .join(', ')}`,
  ].join('\n');
}

export function createView(settings: SchemaSettings, name: string, target: string, select: string): string {
  return [
    `CREATE MATERIALIZED VIEW IF NOT EXISTS ${qualified(settings.database, name)}${onCluster(settings)}`,
    `TO ${qualified(settings.database, target)} AS`,
    select,
  ].join('\n');
}

/** The configured engine, or its aggregating sibling: ReplicatedMergeTree becomes ReplicatedAggregatingMergeTree. */
function engine(settings: SchemaSettings, kind: TableDefinition['engineKind']): string {
  const { name, params } = settings.engine;
  const kindName =
    kind === '' ? name : name.replace(/(?:Replacing|Summing|Aggregating)?MergeTree$/, `${kind}MergeTree`);
  return `${kindName}(${params})`;
}
