import { ATTRIBUTES_TYPE, createTable, type SchemaSettings } from './ddl-table.ts';

/** The log records table with the Collector's columns. */
export function logsStatements(settings: SchemaSettings): string[] {
  return [
    createTable(settings, {
      name: settings.tables.logs,
      lines: LOG_LINES,
      engineKind: '',
      partitionBy: 'toDate(Timestamp)',
      orderBy: '(toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)',
      ageBy: 'toDateTime(Timestamp)',
      ttlSeconds: settings.ttlSeconds,
    }),
  ];
}

const LOG_LINES = [
  'Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1))',
  'TraceId String CODEC(ZSTD(1))',
  'SpanId String CODEC(ZSTD(1))',
  'TraceFlags UInt8 CODEC(ZSTD(1))',
  'SeverityText LowCardinality(String) CODEC(ZSTD(1))',
  'SeverityNumber UInt8 CODEC(ZSTD(1))',
  'ServiceName LowCardinality(String) CODEC(ZSTD(1))',
  'Body String CODEC(ZSTD(1))',
  'ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1))',
  `ResourceAttributes ${ATTRIBUTES_TYPE} CODEC(ZSTD(1))`,
  'ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1))',
  'ScopeName LowCardinality(String) CODEC(ZSTD(1))',
  'ScopeVersion LowCardinality(String) CODEC(ZSTD(1))',
  `ScopeAttributes ${ATTRIBUTES_TYPE} CODEC(ZSTD(1))`,
  `LogAttributes ${ATTRIBUTES_TYPE} CODEC(ZSTD(1))`,
  'EventName LowCardinality(String) CODEC(ZSTD(1))',
  'INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1',
  'INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1',
  'INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1',
  'INDEX idx_body Body TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8',
];
