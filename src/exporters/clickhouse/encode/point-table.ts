import { lengthEnd, malformed, skipField, WireReader } from '../../../otlp/wire-reader.ts';
import type { Column } from './block-writer.ts';
import { IntColumn, Words64Column, wordAt } from './columns.ts';
import type { EncodedTable, TableKey } from './encoder.ts';
import { ExemplarColumns } from './exemplar-columns.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';
import { MapColumn } from './map-column.ts';
import { OriginColumns } from './origin-columns.ts';
import { contentStart, type Origin, skipUnknown } from './request-walk.ts';

/** What a field of a data point is. The five point messages number the same things differently. */
export const SLOT_NONE = 0;
export const SLOT_START_TIME = 1;
export const SLOT_TIME = 2;
export const SLOT_FLAGS = 3;
export const SLOT_VALUE = 4;
export const SLOT_INT_VALUE = 5;
export const SLOT_COUNT = 6;
export const SLOT_SUM = 7;
export const SLOT_MIN = 8;
export const SLOT_MAX = 9;
export const SLOT_SCALE = 10;
export const SLOT_ZERO_COUNT = 11;
export const SLOT_POSITIVE = 12;
export const SLOT_NEGATIVE = 13;
const SLOT_COUNT_MAX = 14;
/** Repeated fields: handled when they are met. */
export const SLOT_ATTRIBUTES = 14;
export const SLOT_EXEMPLARS = 15;
export const SLOT_BUCKET_COUNTS = 16;
export const SLOT_BOUNDS = 17;
export const SLOT_QUANTILES = 18;

/** Slots by tag; every tag of a data point is below 128. */
export function slotTable(entries: readonly (readonly [tag: number, slot: number])[]): Uint8Array {
  const slots = new Uint8Array(128);
  for (const [tag, slot] of entries) slots[tag] = slot;
  return slots;
}

/** Where the fields of the current point lie: content of a length-delimited field, value of another; -1 when absent. */
export class PointFields {
  readonly #at = new Int32Array(SLOT_COUNT_MAX);
  readonly #end = new Int32Array(SLOT_COUNT_MAX);
  readonly #reader = new WireReader(new Uint8Array(0));

  clear(): void {
    this.#at.fill(-1);
    this.#end.fill(-1);
  }

  note(slot: number, start: number, next: number): void {
    this.#at[slot] = start;
    this.#end[slot] = next;
  }

  at(slot: number): number {
    return this.#at[slot]!;
  }

  end(slot: number): number {
    return this.#end[slot]!;
  }

  /** Low word of a varint field, 0 when absent. */
  uint32(slot: number, wire: Uint8Array): number {
    if (this.#at[slot]! < 0) return 0;
    this.#reader.reset(wire, this.#at[slot]!, this.#end[slot]!);
    return this.#reader.readVarint32();
  }

  sint32(slot: number, wire: Uint8Array): number {
    if (this.#at[slot]! < 0) return 0;
    this.#reader.reset(wire, this.#at[slot]!, this.#end[slot]!);
    return this.#reader.readSint32();
  }

  /** Copies a 64-bit field to a column, 0 when absent. */
  appendTo(column: Words64Column, slot: number, wire: Uint8Array): void {
    const at = this.#at[slot]!;
    if (at < 0) column.append(0, 0);
    else column.append(wordAt(wire, at), wordAt(wire, at + 4));
  }
}

/** Columns that only one or two kinds of points have. */
export interface PointKind {
  readonly table: TableKey;
  readonly columns: readonly Column[];
  /** Slot of each tag of the point message. */
  readonly slots: Uint8Array;
  /** A repeated field of the kind's own; [start, next) is its content. */
  appendRepeated(slot: number, wire: Uint8Array, start: number, next: number): void;
  endPoint(fields: PointFields, wire: Uint8Array): void;
  /** Completes the columns that a metric's points share. */
  endMetric(pointCount: number, temporality: number, isMonotonic: boolean): void;
}

/** Bounds of what a metric says about all of its points. */
export interface MetricFields {
  nameAt: number;
  nameEnd: number;
  descriptionAt: number;
  descriptionEnd: number;
  unitAt: number;
  unitEnd: number;
  temporality: number;
  isMonotonic: boolean;
}

const fields = new PointFields();

/** One of the five metric tables: the shared columns and those of its kind. */
export class PointTable {
  readonly #kind: PointKind;
  readonly #origin = new OriginColumns({
    hasSchemaUrls: true,
    hasScopeAttributes: true,
    hasScopeDroppedCount: true,
  });
  readonly #name = new LowCardinalityColumn('MetricName');
  readonly #description = new LowCardinalityColumn('MetricDescription');
  readonly #unit = new LowCardinalityColumn('MetricUnit');
  readonly #attributes = new MapColumn('Attributes');
  readonly #startTime = new Words64Column('StartTimeUnix', 'DateTime64(9)');
  readonly #time = new Words64Column('TimeUnix', 'DateTime64(9)');
  readonly #flags = new IntColumn('Flags', 'UInt32');
  readonly #exemplars = new ExemplarColumns();
  readonly #columns: readonly Column[];
  #rows = 0;
  #metricRows = 0;

  constructor(kind: PointKind) {
    this.#kind = kind;
    this.#columns = [
      this.#time,
      this.#startTime,
      this.#name,
      this.#description,
      this.#unit,
      this.#attributes,
      this.#flags,
      ...kind.columns,
      ...(kind.table === 'summary' ? [] : this.#exemplars.columns),
      ...this.#origin.columns,
    ];
  }

  /** Adds one data point message. */
  appendPoint(wire: Uint8Array, from: number, end: number): void {
    fields.clear();
    const slots = this.#kind.slots;
    let pos = from;
    while (pos < end) {
      const tag = wire[pos]!;
      const slot = tag > 127 ? SLOT_NONE : slots[tag]!;
      if (slot === SLOT_NONE) {
        pos = skipUnknown(wire, pos, end);
        continue;
      }
      const isDelimited = (tag & 7) === 2;
      const next = isDelimited ? lengthEnd(wire, pos + 1, end) : skipField(wire, tag, pos + 1, end, 0);
      const start = isDelimited ? contentStart(wire, pos + 1, end) : pos + 1;
      if (slot === SLOT_ATTRIBUTES) this.#attributes.appendKeyValue(wire, start, next);
      else if (slot === SLOT_EXEMPLARS) this.#exemplars.appendExemplar(wire, start, next);
      else if (slot >= SLOT_BUCKET_COUNTS) this.#kind.appendRepeated(slot, wire, start, next);
      else fields.note(slot, start, next);
      pos = next;
    }
    if (pos !== end) throw malformed('data point runs past its end', end);
    fields.appendTo(this.#startTime, SLOT_START_TIME, wire);
    fields.appendTo(this.#time, SLOT_TIME, wire);
    this.#flags.append(fields.uint32(SLOT_FLAGS, wire));
    this.#attributes.endRow();
    this.#exemplars.endRow();
    this.#kind.endPoint(fields, wire);
    this.#rows += 1;
  }

  /** Completes what the points since the last metric share. */
  endMetric(wire: Uint8Array, metric: MetricFields): void {
    const times = this.#rows - this.#metricRows;
    if (times === 0) return;
    this.#metricRows = this.#rows;
    this.#name.appendRepeated(wire, metric.nameAt, metric.nameEnd - metric.nameAt, times);
    this.#description.appendRepeated(
      wire,
      metric.descriptionAt,
      metric.descriptionEnd - metric.descriptionAt,
      times,
    );
    this.#unit.appendRepeated(wire, metric.unitAt, metric.unitEnd - metric.unitAt, times);
    this.#kind.endMetric(times, metric.temporality, metric.isMonotonic);
  }

  endScope(wire: Uint8Array, origin: Origin): void {
    this.#origin.endScope(wire, origin, this.#rows);
  }

  endResource(wire: Uint8Array, origin: Origin): void {
    this.#origin.endResource(wire, origin, this.#rows);
  }

  encoded(): EncodedTable {
    return { table: this.#kind.table, columns: this.#columns, rowCount: this.#rows };
  }

  reset(): void {
    this.#rows = 0;
    this.#metricRows = 0;
    this.#origin.reset();
    this.#exemplars.reset();
    for (const column of this.#columns) column.reset();
  }
}
