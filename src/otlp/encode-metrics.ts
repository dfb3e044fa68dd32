/**
 * Writes an ExportMetricsServiceRequest from plain data (opentelemetry/proto/metrics/v1/metrics.proto): for a
 * few hundred series every few seconds, not for telemetry that passes through.
 */
import {
  type PlainAttributes,
  writeAttributes,
  writeCountField,
  writeDoubleField,
  writeResource,
  writeScope,
  writeTime,
} from './encode-common.ts';
import * as tags from './tags.ts';
import { WireWriter } from './wire-writer.ts';

/* AggregationTemporality. */
const DELTA = 1;
const CUMULATIVE = 2;

/** A metric stays of one type: whole numbers are integers only where `isDouble` does not say otherwise. */
export interface PlainNumberPoint {
  attributes: PlainAttributes;
  value: number;
}

export interface PlainHistogramPoint {
  attributes: PlainAttributes;
  /** One more than there are bounds; not added up. */
  counts: ArrayLike<number>;
  sum: number;
}

export interface PlainSummaryPoint {
  attributes: PlainAttributes;
  count: number;
  sum: number;
  quantiles: readonly { quantile: number; value: number }[];
}

export type PlainMetric = {
  /** Of the instrumentation scope. */
  scope: string;
  name: string;
  description: string;
  unit: string;
  /** Of sums and histograms: counted since the previous request instead of since the start. */
  isDelta?: boolean;
} & (
  | { kind: 'sum' | 'gauge'; isDouble: boolean; points: readonly PlainNumberPoint[] }
  | { kind: 'histogram'; bounds: readonly number[]; points: readonly PlainHistogramPoint[] }
  | { kind: 'summary'; points: readonly PlainSummaryPoint[] }
);

/** Wall clock, ms since the epoch. */
export interface MetricTimes {
  startUnixMs: number;
  nowUnixMs: number;
  /** Of the previous request, for deltas; the start when there was none. */
  previousUnixMs?: number;
}

/** @returns a private buffer. */
export function encodeMetrics(
  resource: PlainAttributes,
  metrics: readonly PlainMetric[],
  times: MetricTimes,
): Uint8Array {
  const writer = new WireWriter(16_384);
  const whole = writer.beginMessage(tags.TAG_REQUEST_RESOURCE_METRICS, 3);
  writeResource(writer, tags.TAG_RESOURCE_METRICS_RESOURCE, resource);
  for (const scope of new Set(metrics.map((metric) => metric.scope))) {
    const mark = writer.beginMessage(tags.TAG_RESOURCE_METRICS_SCOPE_METRICS, 3);
    writeScope(writer, tags.TAG_SCOPE_METRICS_SCOPE, { name: scope });
    for (const metric of metrics) if (metric.scope === scope) writeMetric(writer, metric, times);
    writer.endMessage(mark);
  }
  writer.endMessage(whole);
  return writer.toBytes();
}

function writeMetric(writer: WireWriter, metric: PlainMetric, { previousUnixMs, ...own }: MetricTimes): void {
  const isDelta = metric.isDelta === true;
  const times = isDelta ? { ...own, startUnixMs: previousUnixMs ?? own.startUnixMs } : own;
  const temporality = isDelta ? DELTA : CUMULATIVE;
  const whole = writer.beginMessage(tags.TAG_SCOPE_METRICS_METRICS, 2);
  writer.writeStringField(tags.TAG_METRIC_NAME, metric.name);
  writer.writeStringField(tags.TAG_METRIC_DESCRIPTION, metric.description);
  writer.writeStringField(tags.TAG_METRIC_UNIT, metric.unit);
  if (metric.kind === 'histogram') writeHistogram(writer, metric, temporality, times);
  else if (metric.kind === 'summary') writeSummary(writer, metric.points, times);
  else if (metric.kind === 'gauge') {
    const mark = writer.beginMessage(tags.TAG_METRIC_GAUGE, 2);
    for (const point of metric.points)
      writeNumber(writer, tags.TAG_GAUGE_DATA_POINTS, point, metric.isDouble, times);
    writer.endMessage(mark);
  } else {
    const mark = writer.beginMessage(tags.TAG_METRIC_SUM, 2);
    for (const point of metric.points)
      writeNumber(writer, tags.TAG_SUM_DATA_POINTS, point, metric.isDouble, times);
    writeVarintField(writer, tags.TAG_SUM_AGGREGATION_TEMPORALITY, temporality);
    writeVarintField(writer, tags.TAG_SUM_IS_MONOTONIC, 1);
    writer.endMessage(mark);
  }
  writer.endMessage(whole);
}

function writeVarintField(writer: WireWriter, tag: number, value: number): void {
  writer.writeVarint32(tag);
  writer.writeVarint32(value);
}

function writeNumber(
  writer: WireWriter,
  tag: number,
  point: PlainNumberPoint,
  isDouble: boolean,
  times: MetricTimes,
): void {
  const { value } = point;
  const mark = writer.beginMessage(tag);
  writeTime(writer, tags.TAG_NUMBER_POINT_START_TIME_UNIX_NANO, times.startUnixMs);
  writeTime(writer, tags.TAG_NUMBER_POINT_TIME_UNIX_NANO, times.nowUnixMs);
  if (!isDouble && Number.isSafeInteger(value)) {
    writer.writeVarint32(tags.TAG_NUMBER_POINT_AS_INT);
    writer.writeFixed64(value | 0, Math.floor(value / 2 ** 32));
  } else writeDoubleField(writer, tags.TAG_NUMBER_POINT_AS_DOUBLE, value);
  writeAttributes(writer, tags.TAG_NUMBER_POINT_ATTRIBUTES, point.attributes);
  writer.endMessage(mark);
}

function writeHistogram(
  writer: WireWriter,
  { bounds, points }: { bounds: readonly number[]; points: readonly PlainHistogramPoint[] },
  temporality: number,
  times: MetricTimes,
): void {
  const whole = writer.beginMessage(tags.TAG_METRIC_HISTOGRAM, 2);
  for (const { attributes, counts, sum } of points) {
    const mark = writer.beginMessage(tags.TAG_HISTOGRAM_DATA_POINTS, 2);
    writeTime(writer, tags.TAG_HISTOGRAM_POINT_START_TIME_UNIX_NANO, times.startUnixMs);
    writeTime(writer, tags.TAG_HISTOGRAM_POINT_TIME_UNIX_NANO, times.nowUnixMs);
    let count = 0;
    for (let bucket = 0; bucket < counts.length; bucket++) count += counts[bucket]!;
    writeCountField(writer, tags.TAG_HISTOGRAM_POINT_COUNT, count);
    writeDoubleField(writer, tags.TAG_HISTOGRAM_POINT_SUM, sum);
    const packedCounts = writer.beginMessage(tags.TAG_HISTOGRAM_POINT_BUCKET_COUNTS, 2);
    for (let bucket = 0; bucket < counts.length; bucket++) {
      const value = counts[bucket]!;
      writer.writeFixed64(value >>> 0, Math.floor(value / 2 ** 32));
    }
    writer.endMessage(packedCounts);
    const packedBounds = writer.beginMessage(tags.TAG_HISTOGRAM_POINT_EXPLICIT_BOUNDS, 2);
    for (const bound of bounds) writer.writeDouble(bound);
    writer.endMessage(packedBounds);
    writeAttributes(writer, tags.TAG_HISTOGRAM_POINT_ATTRIBUTES, attributes);
    writer.endMessage(mark);
  }
  writeVarintField(writer, tags.TAG_HISTOGRAM_AGGREGATION_TEMPORALITY, temporality);
  writer.endMessage(whole);
}

function writeSummary(writer: WireWriter, points: readonly PlainSummaryPoint[], times: MetricTimes): void {
  const whole = writer.beginMessage(tags.TAG_METRIC_SUMMARY, 2);
  for (const { attributes, count, sum, quantiles } of points) {
    const mark = writer.beginMessage(tags.TAG_SUMMARY_DATA_POINTS, 2);
    writeTime(writer, tags.TAG_SUMMARY_POINT_START_TIME_UNIX_NANO, times.startUnixMs);
    writeTime(writer, tags.TAG_SUMMARY_POINT_TIME_UNIX_NANO, times.nowUnixMs);
    writeCountField(writer, tags.TAG_SUMMARY_POINT_COUNT, count);
    writeDoubleField(writer, tags.TAG_SUMMARY_POINT_SUM, sum);
    for (const { quantile, value } of quantiles) {
      const pair = writer.beginMessage(tags.TAG_SUMMARY_POINT_QUANTILE_VALUES);
      writeDoubleField(writer, tags.TAG_QUANTILE_QUANTILE, quantile);
      writeDoubleField(writer, tags.TAG_QUANTILE_VALUE, value);
      writer.endMessage(pair);
    }
    writeAttributes(writer, tags.TAG_SUMMARY_POINT_ATTRIBUTES, attributes);
    writer.endMessage(mark);
  }
  writer.endMessage(whole);
}
