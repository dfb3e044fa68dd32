/** Columns of Parquet objects: those of the ClickHouse tables, with lists of structures for what is nested there. */
import type { Signal } from '../../component/signal.ts';

/** Times are nanoseconds UTC, ids lower-case hexadecimal, attributes maps of texts. */
export type ColumnKind = 'text' | 'time' | 'uint64' | 'uint8' | 'map' | readonly ColumnSpec[];
/** A list in place of a kind is a list of structures with these fields. */
export type ColumnSpec = readonly [name: string, kind: ColumnKind];

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
  ['ResourceAttributes', 'map'],
  ['ScopeName', 'text'],
  ['ScopeVersion', 'text'],
  ['ScopeAttributes', 'map'],
  ['LogAttributes', 'map'],
  ['EventName', 'text'],
];

/** Metrics have five tables with columns of their own in ClickHouse and are not written here. */
export const PARQUET_COLUMNS: Readonly<Partial<Record<Signal, readonly ColumnSpec[]>>> = {
  traces: TRACES,
  logs: LOGS,
};
