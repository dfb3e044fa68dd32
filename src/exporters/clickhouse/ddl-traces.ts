import { ATTRIBUTES_TYPE, createTable, createView, type SchemaSettings } from './ddl-table.ts';
import { qualified } from './table-names.ts';

/** Name of the table that tells when a trace happened, as the Collector's exporter names it. */
export function traceTimesName(tracesTable: string): string {
  return `${tracesTable}_trace_id_ts`;
}

/** The spans table with the Collector's columns, and the look-up of a trace's time range with its view. */
export function tracesStatements(settings: SchemaSettings): string[] {
  const name = settings.tables.traces;
  const timesName = traceTimesName(name);
  return [
    createTable(settings, {
      name,
      lines: SPAN_LINES,
      engineKind: '',
      partitionBy: 'toDate(Timestamp)',
      // Spans of a trace stand together: ids are half of a row and repeat only within it.
      orderBy: '(toStartOfFiveMinutes(Timestamp), TraceId, Timestamp)',
      ageBy: 'toDateTime(Timestamp)',
      ttlSeconds: settings.ttlSeconds,
    }),
    createTable(settings, {
      name: timesName,
      lines: [
        'TraceId String CODEC(ZSTD(1))',
        'Start SimpleAggregateFunction(min, DateTime) CODEC(Delta, ZSTD(1))',
        'End SimpleAggregateFunction(max, DateTime) CODEC(Delta, ZSTD(1))',
      ],
      engineKind: 'Aggregating',
      partitionBy: 'toStartOfWeek(Start)',
      orderBy: 'TraceId',
      ageBy: 'End',
      ttlSeconds: settings.ttlSeconds,
      settings: { index_granularity: 1024 },
    }),
    createView(
      settings,
      `${timesName}_mv`,
      timesName,
      `SELECT TraceId, min(toDateTime(Timestamp)) AS Start, max(toDateTime(Timestamp)) AS End
FROM ${qualified(settings.database, name)}
WHERE TraceId != ''
GROUP BY TraceId`,
    ),
  ];
}

// No index on resource values: in this order every granule holds spans of most resources, and none could be skipped.
const SPAN_LINES = [
  'Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1))',
  'TraceId String CODEC(ZSTD(1))',
  'SpanId String CODEC(ZSTD(1))',
  'ParentSpanId String CODEC(ZSTD(1))',
  'TraceState String CODEC(ZSTD(1))',
  'SpanName LowCardinality(String) CODEC(ZSTD(1))',
  'SpanKind LowCardinality(String) CODEC(ZSTD(1))',
  'ServiceName LowCardinality(String) CODEC(ZSTD(1))',
  `ResourceAttributes ${ATTRIBUTES_TYPE} CODEC(ZSTD(3))`,
  'ScopeName LowCardinality(String) CODEC(ZSTD(1))',
  'ScopeVersion LowCardinality(String) CODEC(ZSTD(1))',
  `SpanAttributes ${ATTRIBUTES_TYPE} CODEC(ZSTD(3))`,
  'Duration UInt64 CODEC(ZSTD(1))',
  'StatusCode LowCardinality(String) CODEC(ZSTD(1))',
  'StatusMessage String CODEC(ZSTD(1))',
  `Events Nested(Timestamp DateTime64(9), Name LowCardinality(String), Attributes ${ATTRIBUTES_TYPE}) CODEC(ZSTD(1))`,
  `Links Nested(TraceId String, SpanId String, TraceState String, Attributes ${ATTRIBUTES_TYPE}) CODEC(ZSTD(1))`,
  'INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1',
  'INDEX idx_duration Duration TYPE minmax GRANULARITY 1',
];
