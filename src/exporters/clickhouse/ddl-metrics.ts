import { ATTRIBUTES_TYPE, createTable, type SchemaSettings } from './ddl-table.ts';
import type { TableKey } from './encode/encoder.ts';

type MetricKey = Exclude<TableKey, 'traces' | 'logs'>;

/** The five tables of data points with the Collector's columns. */
export function metricsStatements(settings: SchemaSettings): string[] {
  return (Object.keys(POINT_LINES) as MetricKey[]).map((key) =>
    createTable(settings, {
      name: settings.tables[key],
      lines: [...ORIGIN_LINES, ...POINT_LINES[key], ...INDEX_LINES],
      engineKind: '',
      partitionBy: 'toDate(TimeUnix)',
      // A hash keeps the points of a series together and is cheaper to compare than the attributes.
      orderBy: '(ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)',
      ageBy: 'toDateTime(TimeUnix)',
      ttlSeconds: settings.ttlSeconds,
    }),
  );
}

const ORIGIN_LINES = [
  `ResourceAttributes ${ATTRIBUTES_TYPE} CODEC(ZSTD(1))`,
  'ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1))',
  'ScopeName LowCardinality(String) CODEC(ZSTD(1))',
  'ScopeVersion LowCardinality(String) CODEC(ZSTD(1))',
  `ScopeAttributes ${ATTRIBUTES_TYPE} CODEC(ZSTD(1))`,
  'ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1))',
  'ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1))',
  'ServiceName LowCardinality(String) CODEC(ZSTD(1))',
  'MetricName LowCardinality(String) CODEC(ZSTD(1))',
  'MetricDescription LowCardinality(String) CODEC(ZSTD(1))',
  'MetricUnit LowCardinality(String) CODEC(ZSTD(1))',
  `Attributes ${ATTRIBUTES_TYPE} CODEC(ZSTD(1))`,
  'StartTimeUnix DateTime64(9) CODEC(Delta(8), ZSTD(1))',
  'TimeUnix DateTime64(9) CODEC(Delta(8), ZSTD(1))',
  'Flags UInt32 CODEC(ZSTD(1))',
];
const EXEMPLARS = `Exemplars Nested(FilteredAttributes ${ATTRIBUTES_TYPE}, TimeUnix DateTime64(9), Value Float64, SpanId String, TraceId String) CODEC(ZSTD(1))`;
const VALUE = 'Value Float64 CODEC(ZSTD(1))';
const COUNT = 'Count UInt64 CODEC(Delta, ZSTD(1))';
const SUM = 'Sum Float64 CODEC(ZSTD(1))';
const MIN_MAX = ['Min Float64 CODEC(ZSTD(1))', 'Max Float64 CODEC(ZSTD(1))'];
const TEMPORALITY = 'AggregationTemporality Int32 CODEC(ZSTD(1))';
const POINT_LINES: Readonly<Record<MetricKey, readonly string[]>> = {
  gauge: [VALUE, EXEMPLARS],
  sum: [VALUE, EXEMPLARS, TEMPORALITY, 'IsMonotonic Bool CODEC(ZSTD(1))'],
  histogram: [
    COUNT,
    SUM,
    'BucketCounts Array(UInt64) CODEC(ZSTD(1))',
    'ExplicitBounds Array(Float64) CODEC(ZSTD(1))',
    EXEMPLARS,
    ...MIN_MAX,
    TEMPORALITY,
  ],
  exponential_histogram: [
    COUNT,
    SUM,
    'Scale Int32 CODEC(ZSTD(1))',
    'ZeroCount UInt64 CODEC(ZSTD(1))',
    'PositiveOffset Int32 CODEC(ZSTD(1))',
    'PositiveBucketCounts Array(UInt64) CODEC(ZSTD(1))',
    'NegativeOffset Int32 CODEC(ZSTD(1))',
    'NegativeBucketCounts Array(UInt64) CODEC(ZSTD(1))',
    EXEMPLARS,
    ...MIN_MAX,
    TEMPORALITY,
  ],
  summary: [COUNT, SUM, 'ValueAtQuantiles Nested(Quantile Float64, Value Float64) CODEC(ZSTD(1))'],
};
const INDEX_LINES = ['INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1'];
