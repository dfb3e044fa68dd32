/** Data points of one kind as rows, in the order of parquet-columns.ts. */
import { ItemView, RepeatedCursor } from '../../otlp/item-view.ts';
import * as tags from '../../otlp/tags.ts';
import { bigintOfWords, doubleOfWords, WIRE_I64, WIRE_VARINT, WireReader } from '../../otlp/wire-reader.ts';
import { attributes, type Cell, type Surroundings, signed, structures } from './parquet-cells.ts';
import type { PointKind } from './parquet-columns.ts';

/** What the points of a metric share. */
interface MetricFields {
  temporality: number;
  isMonotonic: boolean;
}

interface KindReading {
  dataTag: number;
  /** The fields that all kinds have, under the numbers of this one. */
  attributesTag: number;
  startTimeTag: number;
  timeTag: number;
  flagsTag: number;
  /** The columns behind those that all kinds have. */
  read(point: ItemView, metric: MetricFields): Cell[];
}

/** Repeated field 1 of every kind of metric data; temporality has one number in all kinds that have it. */
const DATA_POINTS = tags.TAG_GAUGE_DATA_POINTS;
const TEMPORALITY = tags.TAG_SUM_AGGREGATION_TEMPORALITY;
const TWO_32 = 0x1_0000_0000;

const NUMBER_TAGS = {
  attributesTag: tags.TAG_NUMBER_POINT_ATTRIBUTES,
  startTimeTag: tags.TAG_NUMBER_POINT_START_TIME_UNIX_NANO,
  timeTag: tags.TAG_NUMBER_POINT_TIME_UNIX_NANO,
  flagsTag: tags.TAG_NUMBER_POINT_FLAGS,
};

const KINDS: Readonly<Record<PointKind, KindReading>> = {
  gauge: {
    ...NUMBER_TAGS,
    dataTag: tags.TAG_METRIC_GAUGE,
    read: (point) => [numberValue(point), exemplars(point, tags.TAG_NUMBER_POINT_EXEMPLARS)],
  },
  sum: {
    ...NUMBER_TAGS,
    dataTag: tags.TAG_METRIC_SUM,
    read: (point, { temporality, isMonotonic }) => [
      numberValue(point),
      exemplars(point, tags.TAG_NUMBER_POINT_EXEMPLARS),
      temporality,
      isMonotonic,
    ],
  },
  histogram: {
    dataTag: tags.TAG_METRIC_HISTOGRAM,
    attributesTag: tags.TAG_HISTOGRAM_POINT_ATTRIBUTES,
    startTimeTag: tags.TAG_HISTOGRAM_POINT_START_TIME_UNIX_NANO,
    timeTag: tags.TAG_HISTOGRAM_POINT_TIME_UNIX_NANO,
    flagsTag: tags.TAG_HISTOGRAM_POINT_FLAGS,
    read: readHistogram,
  },
  exponential_histogram: {
    dataTag: tags.TAG_METRIC_EXPONENTIAL_HISTOGRAM,
    attributesTag: tags.TAG_EXP_POINT_ATTRIBUTES,
    startTimeTag: tags.TAG_EXP_POINT_START_TIME_UNIX_NANO,
    timeTag: tags.TAG_EXP_POINT_TIME_UNIX_NANO,
    flagsTag: tags.TAG_EXP_POINT_FLAGS,
    read: readExponential,
  },
  summary: {
    dataTag: tags.TAG_METRIC_SUMMARY,
    attributesTag: tags.TAG_SUMMARY_POINT_ATTRIBUTES,
    startTimeTag: tags.TAG_SUMMARY_POINT_START_TIME_UNIX_NANO,
    timeTag: tags.TAG_SUMMARY_POINT_TIME_UNIX_NANO,
    flagsTag: tags.TAG_SUMMARY_POINT_FLAGS,
    read: readSummary,
  },
};

const reader = new WireReader(new Uint8Array(0));

/** Adds a row for each point of this kind that the metric has; those of other kinds are stepped over. */
export function readPoints(
  kind: PointKind,
  metric: ItemView,
  around: Surroundings,
  addRow: (cells: readonly Cell[]) => void,
): void {
  const tagsOfKind = KINDS[kind];
  if (!metric.find(tagsOfKind.dataTag)) return;
  const fields = metricFields(metric, tagsOfKind.dataTag);
  const shared: readonly Cell[] = [
    around.resourceAttributes,
    around.resourceSchemaUrl,
    around.scopeName,
    around.scopeVersion,
    around.scopeAttributes,
    around.scopeDroppedCount,
    around.scopeSchemaUrl,
    around.serviceName,
    metric.text(tags.TAG_METRIC_NAME),
    metric.text(tags.TAG_METRIC_DESCRIPTION),
    metric.text(tags.TAG_METRIC_UNIT),
  ];
  const data = new RepeatedCursor();
  const points = new RepeatedCursor();
  const point = new ItemView();
  const { bytes } = metric;
  data.reset(bytes, metric.start, metric.end, tagsOfKind.dataTag);
  while (data.next()) {
    points.reset(bytes, data.start, data.end, DATA_POINTS);
    while (points.next()) {
      point.reset(bytes, points.start, points.end);
      addRow([
        ...shared,
        attributes(bytes, points.start, points.end, tagsOfKind.attributesTag),
        signed(point.uint64(tagsOfKind.startTimeTag)),
        signed(point.uint64(tagsOfKind.timeTag)),
        point.int32(tagsOfKind.flagsTag) >>> 0,
        ...tagsOfKind.read(point, fields),
      ]);
    }
  }
}

/** Data that comes in several pieces is one message, and its last value counts for all points. */
function metricFields(metric: ItemView, dataTag: number): MetricFields {
  const pieces = new RepeatedCursor();
  pieces.reset(metric.bytes, metric.start, metric.end, dataTag);
  const data = new ItemView();
  const fields: MetricFields = { temporality: 0, isMonotonic: false };
  while (pieces.next()) {
    data.reset(metric.bytes, pieces.start, pieces.end);
    if (data.find(TEMPORALITY)) fields.temporality = data.lo;
    if (data.find(tags.TAG_SUM_IS_MONOTONIC)) fields.isMonotonic = (data.lo | data.hi) !== 0;
  }
  return fields;
}

function readHistogram(point: ItemView, { temporality }: MetricFields): Cell[] {
  return [
    point.uint64(tags.TAG_HISTOGRAM_POINT_COUNT),
    point.double(tags.TAG_HISTOGRAM_POINT_SUM),
    numberList(point, tags.TAG_HISTOGRAM_POINT_BUCKET_COUNTS, WIRE_I64, readFixedCount),
    numberList(point, tags.TAG_HISTOGRAM_POINT_EXPLICIT_BOUNDS, WIRE_I64, () => reader.readDouble()),
    exemplars(point, tags.TAG_HISTOGRAM_POINT_EXEMPLARS),
    point.double(tags.TAG_HISTOGRAM_POINT_MIN),
    point.double(tags.TAG_HISTOGRAM_POINT_MAX),
    temporality,
  ];
}

function readExponential(point: ItemView, { temporality }: MetricFields): Cell[] {
  return [
    point.uint64(tags.TAG_EXP_POINT_COUNT),
    point.double(tags.TAG_EXP_POINT_SUM),
    point.sint32(tags.TAG_EXP_POINT_SCALE),
    point.uint64(tags.TAG_EXP_POINT_ZERO_COUNT),
    ...buckets(point, tags.TAG_EXP_POINT_POSITIVE),
    ...buckets(point, tags.TAG_EXP_POINT_NEGATIVE),
    exemplars(point, tags.TAG_EXP_POINT_EXEMPLARS),
    point.double(tags.TAG_EXP_POINT_MIN),
    point.double(tags.TAG_EXP_POINT_MAX),
    temporality,
  ];
}

function readSummary(point: ItemView): Cell[] {
  return [
    point.uint64(tags.TAG_SUMMARY_POINT_COUNT),
    point.double(tags.TAG_SUMMARY_POINT_SUM),
    structures(point, tags.TAG_SUMMARY_POINT_QUANTILE_VALUES, (each) => ({
      Quantile: each.double(tags.TAG_QUANTILE_QUANTILE),
      Value: each.double(tags.TAG_QUANTILE_VALUE),
    })),
  ];
}

function buckets(point: ItemView, tag: number): [offset: number, counts: bigint[]] {
  point.find(tag);
  const side = new ItemView();
  side.reset(point.bytes, point.contentStart, point.contentEnd);
  const counts = numberList(side, tags.TAG_BUCKETS_BUCKET_COUNTS, WIRE_VARINT, readVarintCount);
  return [side.sint32(tags.TAG_BUCKETS_OFFSET), counts];
}

function exemplars(point: ItemView, tag: number): Record<string, unknown>[] {
  return structures(point, tag, (exemplar) => ({
    FilteredAttributes: attributes(
      exemplar.bytes,
      exemplar.start,
      exemplar.end,
      tags.TAG_EXEMPLAR_FILTERED_ATTRIBUTES,
    ),
    TimeUnix: signed(exemplar.uint64(tags.TAG_EXEMPLAR_TIME_UNIX_NANO)),
    Value: eitherNumber(exemplar, tags.TAG_EXEMPLAR_AS_DOUBLE, tags.TAG_EXEMPLAR_AS_INT),
    SpanId: exemplar.hex(tags.TAG_EXEMPLAR_SPAN_ID),
    TraceId: exemplar.hex(tags.TAG_EXEMPLAR_TRACE_ID),
  }));
}

function numberValue(point: ItemView): number {
  return eitherNumber(point, tags.TAG_NUMBER_POINT_AS_DOUBLE, tags.TAG_NUMBER_POINT_AS_INT);
}

/** Members of a oneof: the later one on the wire counts. An integer above 2^53 becomes the nearest double. */
function eitherNumber(item: ItemView, doubleTag: number, intTag: number): number {
  reader.reset(item.bytes, item.start, item.end);
  let value = 0;
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag !== doubleTag && tag !== intTag) {
      reader.skip(tag);
      continue;
    }
    reader.readFixed64();
    const { lo, hi } = reader;
    value = tag === doubleTag ? doubleOfWords(lo, hi) : hi * TWO_32 + (lo >>> 0);
  }
  return value;
}

/** A repeated number, packed as encoders write it or one by one. @param readOne reads at the reader of this file. */
function numberList<T>(item: ItemView, packedTag: number, wireType: number, readOne: () => T): T[] {
  const values: T[] = [];
  const singleTag = (packedTag & ~7) | wireType;
  reader.reset(item.bytes, item.start, item.end);
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag === singleTag) values.push(readOne());
    else if (tag !== packedTag) reader.skip(tag);
    else {
      const sizeBytes = reader.readLength();
      const end = reader.pos + sizeBytes;
      while (reader.pos < end) values.push(readOne());
    }
  }
  return values;
}

function readFixedCount(): bigint {
  reader.readFixed64();
  return bigintOfWords(reader.lo, reader.hi, false);
}

function readVarintCount(): bigint {
  reader.readVarint64();
  return bigintOfWords(reader.lo, reader.hi, false);
}
