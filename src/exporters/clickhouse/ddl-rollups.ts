import { createTable, createView, type SchemaSettings } from './ddl-table.ts';
import { qualified } from './table-names.ts';

/** Buckets an octave of the duration sketch: the same as an OTel exponential histogram of scale 3. */
const BUCKETS_PER_OCTAVE = 8;

/** Names of the rollup tables, from fine to coarse. */
export function rollupNames(tracesTable: string): { fiveMinutes: string; oneHour: string } {
  return { fiveMinutes: `${tracesTable}_rollup_5m`, oneHour: `${tracesTable}_rollup_1h` };
}

/** Rate, errors and duration a service, operation and kind, in two resolutions kept by views at insert. */
export function rollupStatements(settings: SchemaSettings): string[] {
  const { fiveMinutes, oneHour } = rollupNames(settings.tables.traces);
  return [
    ...[fiveMinutes, oneHour].map((name) =>
      createTable(settings, {
        name,
        lines: ROLLUP_LINES,
        engineKind: 'Aggregating',
        partitionBy: 'toYYYYMM(Ts)',
        orderBy: '(ServiceName, SpanName, SpanKind, Ts)',
        ageBy: 'Ts',
        ttlSeconds: settings.rollupTtlSeconds,
      }),
    ),
    createView(settings, `${fiveMinutes}_mv`, fiveMinutes, fromSpans(settings)),
    // Chained: it reads the few rows that the view before it made of a block, not the block again.
    createView(settings, `${oneHour}_mv`, oneHour, fromFiveMinutes(settings, fiveMinutes)),
  ];
}

/** The inner grouping counts each bucket once, so that the map is built of few pairs and not of one a span. */
function fromSpans(settings: SchemaSettings): string {
  return `SELECT Ts, ServiceName, SpanName, SpanKind,
  sum(BucketCalls) AS Calls, sum(BucketErrors) AS Errors, sum(BucketDuration) AS DurationSum, max(BucketMax) AS DurationMax,
  sumMap(map(Bucket, BucketCalls)) AS Buckets
FROM (
  SELECT toDateTime(toStartOfFiveMinutes(Timestamp)) AS Ts, ServiceName, SpanName, SpanKind,
    toUInt16(floor(log2(greatest(Duration, 1)) * ${BUCKETS_PER_OCTAVE})) AS Bucket,
    count() AS BucketCalls, countIf(StatusCode = 'Error') AS BucketErrors, sum(Duration) AS BucketDuration, max(Duration) AS BucketMax
  FROM ${qualified(settings.database, settings.tables.traces)}
  GROUP BY Ts, ServiceName, SpanName, SpanKind, Bucket
)
GROUP BY Ts, ServiceName, SpanName, SpanKind`;
}

function fromFiveMinutes(settings: SchemaSettings, fiveMinutes: string): string {
  return `SELECT toStartOfHour(Ts) AS Ts, ServiceName, SpanName, SpanKind,
  sum(Calls) AS Calls, sum(Errors) AS Errors, sum(DurationSum) AS DurationSum, max(DurationMax) AS DurationMax,
  sumMap(Buckets) AS Buckets
FROM ${qualified(settings.database, fiveMinutes)} AS fine
GROUP BY Ts, ServiceName, SpanName, SpanKind`;
}

const ROLLUP_LINES = [
  'Ts DateTime CODEC(DoubleDelta, ZSTD(1))',
  'ServiceName LowCardinality(String) CODEC(ZSTD(1))',
  'SpanName LowCardinality(String) CODEC(ZSTD(1))',
  'SpanKind LowCardinality(String) CODEC(ZSTD(1))',
  'Calls SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))',
  'Errors SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))',
  'DurationSum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))',
  'DurationMax SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD(1))',
  'Buckets SimpleAggregateFunction(sumMap, Map(UInt16, UInt64)) CODEC(ZSTD(1))',
];
