import * as tags from '../../../otlp/tags.ts';
import { skipField, WireReader } from '../../../otlp/wire-reader.ts';
import type { EncodedTable, SignalEncoder } from './encoder.ts';
import { ExponentialKind, HistogramKind, NumberKind, SummaryKind } from './point-kinds.ts';
import { type MetricFields, PointTable } from './point-table.ts';
import { contentStart, type ItemVisitor, type Origin, skipUnknown, walkRequest } from './request-walk.ts';

const NAME = tags.TAG_METRIC_NAME;
const DESCRIPTION = tags.TAG_METRIC_DESCRIPTION;
const UNIT = tags.TAG_METRIC_UNIT;
/** Repeated field 1 of every kind of metric data. */
const DATA_POINTS = tags.TAG_GAUGE_DATA_POINTS;
/** The same number in Sum, Histogram and ExponentialHistogram. */
const TEMPORALITY = tags.TAG_SUM_AGGREGATION_TEMPORALITY;
const IS_MONOTONIC = tags.TAG_SUM_IS_MONOTONIC;

/** Metrics to one block for each of the five tables that has points. Not reentrant; memory is reused. */
export class MetricsEncoder implements SignalEncoder, ItemVisitor {
  readonly #gauge = new PointTable(new NumberKind('gauge'));
  readonly #sum = new PointTable(new NumberKind('sum'));
  readonly #histogram = new PointTable(new HistogramKind());
  readonly #exponential = new PointTable(new ExponentialKind());
  readonly #summary = new PointTable(new SummaryKind());
  readonly #tables = [this.#gauge, this.#sum, this.#histogram, this.#exponential, this.#summary];
  readonly #reader = new WireReader(new Uint8Array(0));
  readonly #metric: MetricFields = {
    nameAt: 0,
    nameEnd: 0,
    descriptionAt: 0,
    descriptionEnd: 0,
    unitAt: 0,
    unitEnd: 0,
    temporality: 0,
    isMonotonic: false,
  };

  encode(slices: readonly Uint8Array[]): EncodedTable[] {
    for (const wire of slices) walkRequest(wire, this);
    return this.#tables.map((table) => table.encoded());
  }

  reset(): void {
    for (const table of this.#tables) table.reset();
  }

  visitItem(wire: Uint8Array, from: number, end: number): void {
    const metric = this.#metric;
    metric.nameAt = metric.nameEnd = metric.descriptionAt = metric.descriptionEnd = 0;
    metric.unitAt = metric.unitEnd = metric.temporality = 0;
    metric.isMonotonic = false;
    let pos = from;
    while (pos < end) {
      const tag = wire[pos]!;
      const next = tag > 127 ? skipUnknown(wire, pos, end) : skipField(wire, tag, pos + 1, end, 0);
      const start = (tag & 7) === 2 ? contentStart(wire, pos + 1, end) : pos + 1;
      const data = this.#tableOf(tag);
      if (data !== undefined) this.#appendData(data, wire, start, next);
      else if (tag === NAME) {
        metric.nameAt = start;
        metric.nameEnd = next;
      } else if (tag === DESCRIPTION) {
        metric.descriptionAt = start;
        metric.descriptionEnd = next;
      } else if (tag === UNIT) {
        metric.unitAt = start;
        metric.unitEnd = next;
      }
      pos = next;
    }
    // A metric with data of two kinds is odd but readable: each table completes the points it got.
    for (const table of this.#tables) table.endMetric(wire, metric);
  }

  #tableOf(tag: number): PointTable | undefined {
    if (tag === tags.TAG_METRIC_GAUGE) return this.#gauge;
    if (tag === tags.TAG_METRIC_SUM) return this.#sum;
    if (tag === tags.TAG_METRIC_HISTOGRAM) return this.#histogram;
    if (tag === tags.TAG_METRIC_EXPONENTIAL_HISTOGRAM) return this.#exponential;
    return tag === tags.TAG_METRIC_SUMMARY ? this.#summary : undefined;
  }

  #appendData(table: PointTable, wire: Uint8Array, from: number, end: number): void {
    let pos = from;
    while (pos < end) {
      const tag = wire[pos]!;
      const next = tag > 127 ? skipUnknown(wire, pos, end) : skipField(wire, tag, pos + 1, end, 0);
      if (tag === DATA_POINTS) table.appendPoint(wire, contentStart(wire, pos + 1, end), next);
      else if (tag === TEMPORALITY || tag === IS_MONOTONIC) {
        this.#reader.reset(wire, pos + 1, end);
        const value = this.#reader.readInt32();
        if (tag === TEMPORALITY) this.#metric.temporality = value;
        else this.#metric.isMonotonic = value !== 0;
      }
      pos = next;
    }
  }

  endScope(wire: Uint8Array, origin: Origin): void {
    for (const table of this.#tables) table.endScope(wire, origin);
  }

  endResource(wire: Uint8Array, origin: Origin): void {
    for (const table of this.#tables) table.endResource(wire, origin);
  }
}
