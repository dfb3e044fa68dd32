/** Paths of metrics and data points. */
import { ItemView, RepeatedCursor } from '../otlp/item-view.ts';
import {
  METRIC_EXPONENTIAL_HISTOGRAM,
  METRIC_GAUGE,
  METRIC_HISTOGRAM,
  METRIC_SUM,
  METRIC_SUMMARY,
} from '../otlp/metric-kinds.ts';
import * as tags from '../otlp/tags.ts';
import { doubleOfWords, WireReader } from '../otlp/wire-reader.ts';
import { HOLDER_DATA, HOLDER_ITEM, HOLDER_METRIC, type OttlCursor } from './cursor.ts';
import {
  attributes,
  computed,
  type Field,
  type Fields,
  float,
  int32,
  int64,
  type PointTags,
  text,
  time,
  uint32,
} from './fields.ts';
import { OpaqueValue, type Value } from './value.ts';

/** METRIC_DATA_TYPE_* by the field that holds the data. */
const METRIC_TYPES: Readonly<Record<number, bigint>> = {
  [METRIC_GAUGE]: 1n,
  [METRIC_SUM]: 2n,
  [METRIC_HISTOGRAM]: 3n,
  [METRIC_EXPONENTIAL_HISTOGRAM]: 4n,
  [METRIC_SUMMARY]: 5n,
};

const number = (tag: number): PointTags => ({ [METRIC_GAUGE]: tag, [METRIC_SUM]: tag });

export const METRIC_FIELDS: Fields = {
  name: text(HOLDER_METRIC, tags.TAG_METRIC_NAME),
  description: text(HOLDER_METRIC, tags.TAG_METRIC_DESCRIPTION),
  unit: text(HOLDER_METRIC, tags.TAG_METRIC_UNIT),
  type: computed((cursor) => METRIC_TYPES[cursor.pointKind] ?? 0n),
  aggregation_temporality: int32(HOLDER_DATA, {
    [METRIC_SUM]: tags.TAG_SUM_AGGREGATION_TEMPORALITY,
    [METRIC_HISTOGRAM]: tags.TAG_HISTOGRAM_AGGREGATION_TEMPORALITY,
    [METRIC_EXPONENTIAL_HISTOGRAM]: tags.TAG_EXP_HISTOGRAM_AGGREGATION_TEMPORALITY,
  }),
  is_monotonic: {
    type: 'bool',
    holder: HOLDER_DATA,
    tag: { [METRIC_SUM]: tags.TAG_SUM_IS_MONOTONIC },
  },
  data_points: computed(
    ({ index, metric }) =>
      new OpaqueValue('data points', index.metricItemEnd(metric) - index.metricFirstItem[metric]!),
  ),
  metadata: attributes(HOLDER_METRIC),
  cache: { type: 'cache' },
};

/** A number of the other type than the point's is 0, as for whoever asks a point for it. */
function pointNumber(tag: number, read: (lo: number, hi: number) => Value, none: Value): Field {
  return computed((cursor) => {
    if (cursor.pointKind !== METRIC_GAUGE && cursor.pointKind !== METRIC_SUM) return undefined;
    const table = cursor.table(HOLDER_ITEM);
    if (!table.has(tag)) return none;
    table.readWords(tag);
    return read(table.lo, table.hi);
  });
}

/** Elements of a repeated 64-bit field, packed or one by one. */
function longs(cursor: OttlCursor, start: number, end: number, tag: number, isDouble: boolean): Value[] {
  const values: Value[] = [];
  const reader = new WireReader(cursor.bytes, start, end);
  const add = () => {
    reader.readFixed64();
    const word = (BigInt(reader.hi >>> 0) << 32n) | BigInt(reader.lo >>> 0);
    values.push(isDouble ? doubleOfWords(reader.lo, reader.hi) : BigInt.asIntN(64, word));
  };
  while (reader.pos < end) {
    const found = reader.readTag();
    if (found === tag) {
      const contentEnd = reader.readLength() + reader.pos;
      while (reader.pos < contentEnd) add();
    } else if (found === ((tag & ~7) | 1)) add();
    else reader.skip(found);
  }
  return values;
}

function pointLongs(pointKind: number, tag: number, isDouble: boolean): Field {
  return computed((cursor) =>
    cursor.pointKind === pointKind
      ? longs(cursor, cursor.start(HOLDER_ITEM), cursor.end(HOLDER_ITEM), tag, isDouble)
      : undefined,
  );
}

const pointView = new ItemView();

/** Bucket counts are varints. */
function bucketCounts(cursor: OttlCursor, start: number, end: number): Value[] {
  const values: Value[] = [];
  const reader = new WireReader(cursor.bytes, start, end);
  const add = () => {
    reader.readVarint64();
    values.push(BigInt.asIntN(64, (BigInt(reader.hi >>> 0) << 32n) | BigInt(reader.lo >>> 0)));
  };
  while (reader.pos < end) {
    const found = reader.readTag();
    if (found === tags.TAG_BUCKETS_BUCKET_COUNTS) {
      const contentEnd = reader.readLength() + reader.pos;
      while (reader.pos < contentEnd) add();
    } else if (found === (tags.TAG_BUCKETS_BUCKET_COUNTS & ~7)) add();
    else reader.skip(found);
  }
  return values;
}

function buckets(tag: number): Field {
  const isThere = (cursor: OttlCursor) => cursor.pointKind === METRIC_EXPONENTIAL_HISTOGRAM;
  const find = (cursor: OttlCursor) => {
    const table = cursor.table(HOLDER_ITEM);
    pointView.reset(cursor.bytes, table.start(tag), table.end(tag));
    return pointView;
  };
  return computed((cursor) => (isThere(cursor) ? new OpaqueValue('buckets') : undefined), {
    offset: computed((cursor) =>
      isThere(cursor) ? BigInt(find(cursor).sint32(tags.TAG_BUCKETS_OFFSET)) : undefined,
    ),
    bucket_counts: computed((cursor) => {
      if (!isThere(cursor)) return undefined;
      const { start, end } = find(cursor);
      return bucketCounts(cursor, start, end);
    }),
  });
}

const TIME_TAGS: PointTags = {
  ...number(tags.TAG_NUMBER_POINT_TIME_UNIX_NANO),
  [METRIC_HISTOGRAM]: tags.TAG_HISTOGRAM_POINT_TIME_UNIX_NANO,
  [METRIC_EXPONENTIAL_HISTOGRAM]: tags.TAG_EXP_POINT_TIME_UNIX_NANO,
  [METRIC_SUMMARY]: tags.TAG_SUMMARY_POINT_TIME_UNIX_NANO,
};

const START_TAGS: PointTags = {
  ...number(tags.TAG_NUMBER_POINT_START_TIME_UNIX_NANO),
  [METRIC_HISTOGRAM]: tags.TAG_HISTOGRAM_POINT_START_TIME_UNIX_NANO,
  [METRIC_EXPONENTIAL_HISTOGRAM]: tags.TAG_EXP_POINT_START_TIME_UNIX_NANO,
  [METRIC_SUMMARY]: tags.TAG_SUMMARY_POINT_START_TIME_UNIX_NANO,
};

function opaqueList(typeName: string, pointTags: PointTags): Field {
  const items = new RepeatedCursor();
  return computed((cursor) => {
    const tag = pointTags[cursor.pointKind];
    if (tag === undefined) return undefined;
    items.reset(cursor.bytes, cursor.start(HOLDER_ITEM), cursor.end(HOLDER_ITEM), tag);
    let count = 0;
    while (items.next()) count++;
    return new OpaqueValue(typeName, count);
  });
}

export const DATAPOINT_FIELDS: Fields = {
  attributes: attributes(HOLDER_ITEM),
  start_time_unix_nano: int64(HOLDER_ITEM, START_TAGS),
  time_unix_nano: int64(HOLDER_ITEM, TIME_TAGS),
  start_time: time(HOLDER_ITEM, START_TAGS),
  time: time(HOLDER_ITEM, TIME_TAGS),
  value_double: pointNumber(tags.TAG_NUMBER_POINT_AS_DOUBLE, doubleOfWords, 0),
  value_int: pointNumber(
    tags.TAG_NUMBER_POINT_AS_INT,
    (lo, hi) => BigInt.asIntN(64, (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)),
    0n,
  ),
  exemplars: opaqueList('exemplars', {
    ...number(tags.TAG_NUMBER_POINT_EXEMPLARS),
    [METRIC_HISTOGRAM]: tags.TAG_HISTOGRAM_POINT_EXEMPLARS,
    [METRIC_EXPONENTIAL_HISTOGRAM]: tags.TAG_EXP_POINT_EXEMPLARS,
  }),
  flags: uint32(HOLDER_ITEM, {
    ...number(tags.TAG_NUMBER_POINT_FLAGS),
    [METRIC_HISTOGRAM]: tags.TAG_HISTOGRAM_POINT_FLAGS,
    [METRIC_EXPONENTIAL_HISTOGRAM]: tags.TAG_EXP_POINT_FLAGS,
    [METRIC_SUMMARY]: tags.TAG_SUMMARY_POINT_FLAGS,
  }),
  count: int64(HOLDER_ITEM, {
    [METRIC_HISTOGRAM]: tags.TAG_HISTOGRAM_POINT_COUNT,
    [METRIC_EXPONENTIAL_HISTOGRAM]: tags.TAG_EXP_POINT_COUNT,
    [METRIC_SUMMARY]: tags.TAG_SUMMARY_POINT_COUNT,
  }),
  sum: float(HOLDER_ITEM, {
    [METRIC_HISTOGRAM]: tags.TAG_HISTOGRAM_POINT_SUM,
    [METRIC_EXPONENTIAL_HISTOGRAM]: tags.TAG_EXP_POINT_SUM,
    [METRIC_SUMMARY]: tags.TAG_SUMMARY_POINT_SUM,
  }),
  explicit_bounds: pointLongs(METRIC_HISTOGRAM, tags.TAG_HISTOGRAM_POINT_EXPLICIT_BOUNDS, true),
  bucket_counts: pointLongs(METRIC_HISTOGRAM, tags.TAG_HISTOGRAM_POINT_BUCKET_COUNTS, false),
  scale: computed((cursor) => {
    if (cursor.pointKind !== METRIC_EXPONENTIAL_HISTOGRAM) return undefined;
    const table = cursor.table(HOLDER_ITEM);
    table.readWords(tags.TAG_EXP_POINT_SCALE);
    return BigInt((table.lo >>> 1) ^ -(table.lo & 1));
  }),
  zero_count: int64(HOLDER_ITEM, { [METRIC_EXPONENTIAL_HISTOGRAM]: tags.TAG_EXP_POINT_ZERO_COUNT }),
  positive: buckets(tags.TAG_EXP_POINT_POSITIVE),
  negative: buckets(tags.TAG_EXP_POINT_NEGATIVE),
  quantile_values: opaqueList('quantile values', {
    [METRIC_SUMMARY]: tags.TAG_SUMMARY_POINT_QUANTILE_VALUES,
  }),
  cache: { type: 'cache' },
};
