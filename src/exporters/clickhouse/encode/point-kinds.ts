import * as tags from '../../../otlp/tags.ts';
import { malformed, skipField, WireReader } from '../../../otlp/wire-reader.ts';
import type { Column } from './block-writer.ts';
import { ArrayColumn, IntColumn, OffsetsColumn, Words64Column, wordAt } from './columns.ts';
import { DoubleColumn } from './double-column.ts';
import * as slot from './point-table.ts';
import { type PointFields, type PointKind, slotTable } from './point-table.ts';
import { contentStart, skipUnknown } from './request-walk.ts';

/** Wire type I64 of a repeated field whose packed form has wire type LEN. */
const unpacked = (tag: number) => (tag & ~7) | 1;
const unpackedVarint = (tag: number) => tag & ~7;

const NUMBER_SLOTS = slotTable([
  [tags.TAG_NUMBER_POINT_START_TIME_UNIX_NANO, slot.SLOT_START_TIME],
  [tags.TAG_NUMBER_POINT_TIME_UNIX_NANO, slot.SLOT_TIME],
  [tags.TAG_NUMBER_POINT_AS_DOUBLE, slot.SLOT_VALUE],
  [tags.TAG_NUMBER_POINT_AS_INT, slot.SLOT_INT_VALUE],
  [tags.TAG_NUMBER_POINT_EXEMPLARS, slot.SLOT_EXEMPLARS],
  [tags.TAG_NUMBER_POINT_ATTRIBUTES, slot.SLOT_ATTRIBUTES],
  [tags.TAG_NUMBER_POINT_FLAGS, slot.SLOT_FLAGS],
]);
const HISTOGRAM_SLOTS = slotTable([
  [tags.TAG_HISTOGRAM_POINT_START_TIME_UNIX_NANO, slot.SLOT_START_TIME],
  [tags.TAG_HISTOGRAM_POINT_TIME_UNIX_NANO, slot.SLOT_TIME],
  [tags.TAG_HISTOGRAM_POINT_COUNT, slot.SLOT_COUNT],
  [tags.TAG_HISTOGRAM_POINT_SUM, slot.SLOT_SUM],
  [tags.TAG_HISTOGRAM_POINT_BUCKET_COUNTS, slot.SLOT_BUCKET_COUNTS],
  [unpacked(tags.TAG_HISTOGRAM_POINT_BUCKET_COUNTS), slot.SLOT_BUCKET_COUNTS],
  [tags.TAG_HISTOGRAM_POINT_EXPLICIT_BOUNDS, slot.SLOT_BOUNDS],
  [unpacked(tags.TAG_HISTOGRAM_POINT_EXPLICIT_BOUNDS), slot.SLOT_BOUNDS],
  [tags.TAG_HISTOGRAM_POINT_EXEMPLARS, slot.SLOT_EXEMPLARS],
  [tags.TAG_HISTOGRAM_POINT_ATTRIBUTES, slot.SLOT_ATTRIBUTES],
  [tags.TAG_HISTOGRAM_POINT_FLAGS, slot.SLOT_FLAGS],
  [tags.TAG_HISTOGRAM_POINT_MIN, slot.SLOT_MIN],
  [tags.TAG_HISTOGRAM_POINT_MAX, slot.SLOT_MAX],
]);
const EXPONENTIAL_SLOTS = slotTable([
  [tags.TAG_EXP_POINT_ATTRIBUTES, slot.SLOT_ATTRIBUTES],
  [tags.TAG_EXP_POINT_START_TIME_UNIX_NANO, slot.SLOT_START_TIME],
  [tags.TAG_EXP_POINT_TIME_UNIX_NANO, slot.SLOT_TIME],
  [tags.TAG_EXP_POINT_COUNT, slot.SLOT_COUNT],
  [tags.TAG_EXP_POINT_SUM, slot.SLOT_SUM],
  [tags.TAG_EXP_POINT_SCALE, slot.SLOT_SCALE],
  [tags.TAG_EXP_POINT_ZERO_COUNT, slot.SLOT_ZERO_COUNT],
  [tags.TAG_EXP_POINT_POSITIVE, slot.SLOT_POSITIVE],
  [tags.TAG_EXP_POINT_NEGATIVE, slot.SLOT_NEGATIVE],
  [tags.TAG_EXP_POINT_FLAGS, slot.SLOT_FLAGS],
  [tags.TAG_EXP_POINT_EXEMPLARS, slot.SLOT_EXEMPLARS],
  [tags.TAG_EXP_POINT_MIN, slot.SLOT_MIN],
  [tags.TAG_EXP_POINT_MAX, slot.SLOT_MAX],
]);
const SUMMARY_SLOTS = slotTable([
  [tags.TAG_SUMMARY_POINT_START_TIME_UNIX_NANO, slot.SLOT_START_TIME],
  [tags.TAG_SUMMARY_POINT_TIME_UNIX_NANO, slot.SLOT_TIME],
  [tags.TAG_SUMMARY_POINT_COUNT, slot.SLOT_COUNT],
  [tags.TAG_SUMMARY_POINT_SUM, slot.SLOT_SUM],
  [tags.TAG_SUMMARY_POINT_QUANTILE_VALUES, slot.SLOT_QUANTILES],
  [tags.TAG_SUMMARY_POINT_ATTRIBUTES, slot.SLOT_ATTRIBUTES],
  [tags.TAG_SUMMARY_POINT_FLAGS, slot.SLOT_FLAGS],
]);

/** Gauge and sum: one number a point. */
export class NumberKind implements PointKind {
  readonly table: 'gauge' | 'sum';
  readonly slots = NUMBER_SLOTS;
  readonly columns: readonly Column[];
  readonly #value = new DoubleColumn('Value');
  readonly #temporality = new IntColumn('AggregationTemporality', 'Int32');
  readonly #isMonotonic = new IntColumn('IsMonotonic', 'Bool');

  constructor(table: 'gauge' | 'sum') {
    this.table = table;
    this.columns = table === 'gauge' ? [this.#value] : [this.#value, this.#temporality, this.#isMonotonic];
  }

  appendRepeated(): void {}

  endPoint(fields: PointFields, wire: Uint8Array): void {
    const doubleAt = fields.at(slot.SLOT_VALUE);
    const intAt = fields.at(slot.SLOT_INT_VALUE);
    // Members of a oneof: the later one on the wire counts.
    if (intAt > doubleAt) this.#value.appendWire(wire, intAt, true);
    else this.#value.appendWire(wire, doubleAt, false);
  }

  endMetric(pointCount: number, temporality: number, isMonotonic: boolean): void {
    if (this.table === 'gauge') return;
    this.#temporality.appendRepeated(temporality, pointCount);
    this.#isMonotonic.appendRepeated(isMonotonic ? 1 : 0, pointCount);
  }
}

/** Histogram with explicit bounds. */
export class HistogramKind implements PointKind {
  readonly table = 'histogram';
  readonly slots = HISTOGRAM_SLOTS;
  readonly #count = new Words64Column('Count', 'UInt64');
  readonly #sum = new Words64Column('Sum', 'Float64');
  readonly #min = new Words64Column('Min', 'Float64');
  readonly #max = new Words64Column('Max', 'Float64');
  readonly #temporality = new IntColumn('AggregationTemporality', 'Int32');
  readonly #bucketOffsets = new OffsetsColumn();
  readonly #bucketCounts = new Words64Column('', 'UInt64');
  readonly #boundOffsets = new OffsetsColumn();
  readonly #bounds = new Words64Column('', 'Float64');
  readonly columns: readonly Column[] = [
    this.#count,
    this.#sum,
    this.#min,
    this.#max,
    this.#temporality,
    new ArrayColumn('BucketCounts', this.#bucketOffsets, this.#bucketCounts),
    new ArrayColumn('ExplicitBounds', this.#boundOffsets, this.#bounds),
  ];

  appendRepeated(field: number, wire: Uint8Array, start: number, next: number): void {
    if ((next - start) % 8 !== 0) throw malformed('packed field is not a multiple of 8 bytes', start);
    const column = field === slot.SLOT_BUCKET_COUNTS ? this.#bucketCounts : this.#bounds;
    for (let at = start; at < next; at += 8) column.append(wordAt(wire, at), wordAt(wire, at + 4));
  }

  endPoint(fields: PointFields, wire: Uint8Array): void {
    fields.appendTo(this.#count, slot.SLOT_COUNT, wire);
    fields.appendTo(this.#sum, slot.SLOT_SUM, wire);
    fields.appendTo(this.#min, slot.SLOT_MIN, wire);
    fields.appendTo(this.#max, slot.SLOT_MAX, wire);
    this.#bucketOffsets.append(this.#bucketCounts.used / 2);
    this.#boundOffsets.append(this.#bounds.used / 2);
  }

  endMetric(pointCount: number, temporality: number): void {
    this.#temporality.appendRepeated(temporality, pointCount);
  }
}

/** One side of an exponential histogram: offset and bucket counts. */
class BucketColumns {
  readonly #offset: IntColumn;
  readonly #offsets = new OffsetsColumn();
  readonly #counts = new Words64Column('', 'UInt64');
  readonly #reader = new WireReader(new Uint8Array(0));
  readonly columns: readonly Column[];

  constructor(side: 'Positive' | 'Negative') {
    this.#offset = new IntColumn(`${side}Offset`, 'Int32');
    this.columns = [this.#offset, new ArrayColumn(`${side}BucketCounts`, this.#offsets, this.#counts)];
  }

  append(wire: Uint8Array, from: number, end: number): void {
    let offset = 0;
    let pos = from;
    while (pos < end) {
      const tag = wire[pos]!;
      const next = tag > 127 ? skipUnknown(wire, pos, end) : skipField(wire, tag, pos + 1, end, 0);
      if (tag === tags.TAG_BUCKETS_OFFSET) {
        this.#reader.reset(wire, pos + 1, end);
        offset = this.#reader.readSint32();
      } else if (tag === tags.TAG_BUCKETS_BUCKET_COUNTS) {
        this.#appendCounts(wire, contentStart(wire, pos + 1, end), next);
      } else if (tag === unpackedVarint(tags.TAG_BUCKETS_BUCKET_COUNTS)) {
        this.#appendCounts(wire, pos + 1, next);
      }
      pos = next;
    }
    this.#offset.append(offset);
    this.#offsets.append(this.#counts.used / 2);
  }

  #appendCounts(wire: Uint8Array, start: number, next: number): void {
    const reader = this.#reader;
    reader.reset(wire, start, next);
    while (reader.pos < next) {
      reader.readVarint64();
      this.#counts.append(reader.lo, reader.hi);
    }
  }
}

/** Exponential histogram. */
export class ExponentialKind implements PointKind {
  readonly table = 'exponential_histogram';
  readonly slots = EXPONENTIAL_SLOTS;
  readonly #count = new Words64Column('Count', 'UInt64');
  readonly #sum = new Words64Column('Sum', 'Float64');
  readonly #min = new Words64Column('Min', 'Float64');
  readonly #max = new Words64Column('Max', 'Float64');
  readonly #scale = new IntColumn('Scale', 'Int32');
  readonly #zeroCount = new Words64Column('ZeroCount', 'UInt64');
  readonly #temporality = new IntColumn('AggregationTemporality', 'Int32');
  readonly #positive = new BucketColumns('Positive');
  readonly #negative = new BucketColumns('Negative');
  readonly columns: readonly Column[] = [
    this.#count,
    this.#sum,
    this.#min,
    this.#max,
    this.#scale,
    this.#zeroCount,
    this.#temporality,
    ...this.#positive.columns,
    ...this.#negative.columns,
  ];

  appendRepeated(): void {}

  endPoint(fields: PointFields, wire: Uint8Array): void {
    fields.appendTo(this.#count, slot.SLOT_COUNT, wire);
    fields.appendTo(this.#sum, slot.SLOT_SUM, wire);
    fields.appendTo(this.#min, slot.SLOT_MIN, wire);
    fields.appendTo(this.#max, slot.SLOT_MAX, wire);
    fields.appendTo(this.#zeroCount, slot.SLOT_ZERO_COUNT, wire);
    this.#scale.append(fields.sint32(slot.SLOT_SCALE, wire));
    this.#positive.append(wire, fields.at(slot.SLOT_POSITIVE), fields.end(slot.SLOT_POSITIVE));
    this.#negative.append(wire, fields.at(slot.SLOT_NEGATIVE), fields.end(slot.SLOT_NEGATIVE));
  }

  endMetric(pointCount: number, temporality: number): void {
    this.#temporality.appendRepeated(temporality, pointCount);
  }
}

/** Summary: quantiles that the sender computed. */
export class SummaryKind implements PointKind {
  readonly table = 'summary';
  readonly slots = SUMMARY_SLOTS;
  readonly #count = new Words64Column('Count', 'UInt64');
  readonly #sum = new Words64Column('Sum', 'Float64');
  readonly #offsets = new OffsetsColumn();
  readonly #quantile = new Words64Column('', 'Float64');
  readonly #value = new Words64Column('', 'Float64');
  readonly columns: readonly Column[] = [
    this.#count,
    this.#sum,
    new ArrayColumn('ValueAtQuantiles.Quantile', this.#offsets, this.#quantile),
    new ArrayColumn('ValueAtQuantiles.Value', this.#offsets, this.#value),
  ];

  appendRepeated(_field: number, wire: Uint8Array, start: number, next: number): void {
    let quantileAt = -1;
    let valueAt = -1;
    let pos = start;
    while (pos < next) {
      const tag = wire[pos]!;
      if (tag === tags.TAG_QUANTILE_QUANTILE) quantileAt = pos + 1;
      else if (tag === tags.TAG_QUANTILE_VALUE) valueAt = pos + 1;
      pos = tag > 127 ? skipUnknown(wire, pos, next) : skipField(wire, tag, pos + 1, next, 0);
    }
    appendWords(this.#quantile, wire, quantileAt);
    appendWords(this.#value, wire, valueAt);
  }

  endPoint(fields: PointFields, wire: Uint8Array): void {
    fields.appendTo(this.#count, slot.SLOT_COUNT, wire);
    fields.appendTo(this.#sum, slot.SLOT_SUM, wire);
    this.#offsets.append(this.#value.used / 2);
  }

  endMetric(): void {}
}

function appendWords(column: Words64Column, wire: Uint8Array, at: number): void {
  if (at < 0) column.append(0, 0);
  else column.append(wordAt(wire, at), wordAt(wire, at + 4));
}
