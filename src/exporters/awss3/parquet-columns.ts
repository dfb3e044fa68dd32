/** Columns of Parquet objects: those of the ClickHouse tables, with lists of structures for what is nested there. */
import type { Signal } from '../../component/signal.ts';

/** Times are nanoseconds UTC, ids lower-case hexadecimal, attributes maps of texts. */
export type PlainKind = 'text' | 'time' | 'uint64' | 'uint32' | 'uint8' | 'int32' | 'double' | 'boolean';
export interface ListKind {
  listOf: PlainKind;
}
export type ColumnKind = PlainKind | 'map' | ListKind | readonly ColumnSpec[];
/** A list in place of a kind is a list of structures with these fields. */
export type ColumnSpec = readonly [name: string, kind: ColumnKind];

/** Kinds of data points, each with a table of its own, as the tables of ClickHouse end. */
export const POINT_KINDS = ['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary'] as const;
export type PointKind = (typeof POINT_KINDS)[number];
export type ParquetTable = Exclude<Signal, 'metrics'> | PointKind;

const TRACES: readonly ColumnSpec[] = [
  ['Timestamp', 'time'],
  ['TraceId', 'text'],
  ['SpanId', 'text'],
  ['ParentSpanId', 'text'],
  ['TraceState', 'text'],
  ['SpanName', 'text'],
  ['SpanKind', 'text'],
  ['ServiceName', 'text'],
  ['ResourceAttributes', 'map'],
  ['ScopeName', 'text'],
  ['ScopeVersion', 'text'],
  ['SpanAttributes', 'map'],
  ['Duration', 'uint64'],
  ['StatusCode', 'text'],
  ['StatusMessage', 'text'],
  [
    'Events',
    [
      ['Timestamp', 'time'],
      ['Name', 'text'],
      ['Attributes', 'map'],
    ],
  ],
  [
    'Links',
    [
      ['TraceId', 'text'],
      ['SpanId', 'text'],
      ['TraceState', 'text'],
      ['Attributes', 'map'],
    ],
  ],
];

const LOGS: readonly ColumnSpec[] = [
  ['Timestamp', 'time'],
  ['TraceId', 'text'],
  ['SpanId', 'text'],
  ['TraceFlags', 'uint8'],
  ['SeverityText', 'text'],
  ['SeverityNumber', 'uint8'],
  ['ServiceName', 'text'],
  ['Body', 'text'],
  ['ResourceSchemaUrl', 'text'],
  ['ResourceAttributes', 'map'],
  ['ScopeSchemaUrl', 'text'],
  ['ScopeName', 'text'],
  ['ScopeVersion', 'text'],
  ['ScopeAttributes', 'map'],
  ['LogAttributes', 'map'],
  ['EventName', 'text'],
];

/** What all points have, in front of what their kinds add. */
const POINT: readonly ColumnSpec[] = [
  ['ResourceAttributes', 'map'],
  ['ResourceSchemaUrl', 'text'],
  ['ScopeName', 'text'],
  ['ScopeVersion', 'text'],
  ['ScopeAttributes', 'map'],
  ['ScopeDroppedAttrCount', 'uint32'],
  ['ScopeSchemaUrl', 'text'],
  ['ServiceName', 'text'],
  ['MetricName', 'text'],
  ['MetricDescription', 'text'],
  ['MetricUnit', 'text'],
  ['Attributes', 'map'],
  ['StartTimeUnix', 'time'],
  ['TimeUnix', 'time'],
  ['Flags', 'uint32'],
];
const EXEMPLARS: ColumnSpec = [
  'Exemplars',
  [
    ['FilteredAttributes', 'map'],
    ['TimeUnix', 'time'],
    ['Value', 'double'],
    ['SpanId', 'text'],
    ['TraceId', 'text'],
  ],
];
const VALUE: ColumnSpec = ['Value', 'double'];
const TEMPORALITY: ColumnSpec = ['AggregationTemporality', 'int32'];
const COUNT_AND_SUM: readonly ColumnSpec[] = [
  ['Count', 'uint64'],
  ['Sum', 'double'],
];
const MIN_AND_MAX: readonly ColumnSpec[] = [
  ['Min', 'double'],
  ['Max', 'double'],
];
const COUNTS: ListKind = { listOf: 'uint64' };
const DOUBLES: ListKind = { listOf: 'double' };

export const PARQUET_COLUMNS: Readonly<Record<ParquetTable, readonly ColumnSpec[]>> = {
  traces: TRACES,
  logs: LOGS,
  gauge: [...POINT, VALUE, EXEMPLARS],
  sum: [...POINT, VALUE, EXEMPLARS, TEMPORALITY, ['IsMonotonic', 'boolean']],
  histogram: [
    ...POINT,
    ...COUNT_AND_SUM,
    ['BucketCounts', COUNTS],
    ['ExplicitBounds', DOUBLES],
    EXEMPLARS,
    ...MIN_AND_MAX,
    TEMPORALITY,
  ],
  exponential_histogram: [
    ...POINT,
    ...COUNT_AND_SUM,
    ['Scale', 'int32'],
    ['ZeroCount', 'uint64'],
    ['PositiveOffset', 'int32'],
    ['PositiveBucketCounts', COUNTS],
    ['NegativeOffset', 'int32'],
    ['NegativeBucketCounts', COUNTS],
    EXEMPLARS,
    ...MIN_AND_MAX,
    TEMPORALITY,
  ],
  summary: [
    ...POINT,
    ...COUNT_AND_SUM,
    [
      'ValueAtQuantiles',
      [
        ['Quantile', 'double'],
        ['Value', 'double'],
      ],
    ],
  ],
};
