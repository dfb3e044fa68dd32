/** Own metrics as an OTLP request. */

import type { Labels } from '../component/settings.ts';
import { encodeMetrics, type MetricTimes, type PlainMetric } from '../otlp/encode-metrics.ts';
import type { CollectedMetric } from '../telemetry/collected.ts';
import { QUANTILES } from '../telemetry/latency.ts';
import { attributeName, attributeValue } from '../telemetry/otel-names.ts';
import { isDeltaMetric, type Temporality } from './metric-deltas.ts';

type Attributes = Record<string, string | number | boolean>;

function attributesOf(labels: Labels): Attributes {
  return Object.fromEntries(
    Object.entries(labels).map(([label, value]) => [attributeName(label), attributeValue(label, value)]),
  );
}

function plainMetric(metric: CollectedMetric, temporality: Temporality): PlainMetric {
  const { name, scope, unit, doc: description } = metric;
  const named = { name, scope, unit, description, isDelta: isDeltaMetric(metric, temporality) };
  if (metric.kind === 'histogram') {
    const { bounds } = metric;
    const points = metric.points.map(({ labels, counts, sum }) => ({
      attributes: attributesOf(labels),
      counts,
      sum,
    }));
    return { ...named, kind: 'histogram', bounds, points };
  }
  if (metric.kind === 'summary') {
    const points = metric.points.map(({ labels, quantiles, count, sum }) => ({
      attributes: attributesOf(labels),
      count,
      sum,
      // Nothing was recorded in the last minute: then there are none.
      quantiles: quantiles
        .map((value, index) => ({ quantile: QUANTILES[index]!, value }))
        .filter(({ value }) => !Number.isNaN(value)),
    }));
    return { ...named, kind: 'summary', points };
  }
  const points = metric.points
    .filter(({ value }) => !Number.isNaN(value))
    .map(({ labels, value }) => ({ attributes: attributesOf(labels), value }));
  const kind = metric.kind === 'counter' ? 'sum' : 'gauge';
  return { ...named, kind, isDouble: unit === 's', points };
}

/** @returns the request and how many data points it has. */
export function ownMetricsRequest(
  resource: Readonly<Record<string, string>>,
  metrics: readonly CollectedMetric[],
  times: MetricTimes,
  temporality: Temporality,
): { request: Uint8Array; pointCount: number } {
  const plain = metrics
    .map((metric) => plainMetric(metric, temporality))
    .filter(({ points }) => points.length > 0);
  const pointCount = plain.reduce((sum, { points }) => sum + points.length, 0);
  return { request: encodeMetrics(resource, plain, times), pointCount };
}
