/** `service::telemetry::metrics::views`: which metrics leave the engine, under which names, with which attributes. */
import type { Labels } from '../component/settings.ts';
import type { CollectedMetric, HistogramPoint, NumberPoint } from './collected.ts';
import { attributeName } from './otel-names.ts';
import { seriesKey } from './registry.ts';

export interface MetricView {
  /** What is absent matches everything. */
  selector: {
    /** With `*` for any characters and `?` for one. */
    instrumentName: string | undefined;
    instrumentType: string | undefined;
    unit: string | undefined;
    meterName: string | undefined;
  };
  stream: {
    name: string | undefined;
    description: string | undefined;
    /** Attributes that stay: those listed (all when undefined) but the excluded. */
    attributeKeys: { included: readonly string[] | undefined; excluded: readonly string[] } | undefined;
    isDropped: boolean;
  };
}

/** A gauge may be an instrument of any of these in the Collector, which a scrape does not tell apart. */
const TYPES: Readonly<Record<CollectedMetric['kind'], readonly string[]>> = {
  counter: ['counter', 'observable_counter'],
  gauge: ['gauge', 'observable_gauge', 'up_down_counter', 'observable_up_down_counter'],
  histogram: ['histogram'],
  summary: [],
};

/** Compares without a regular expression, in linear time but for the stars. */
function matchesPattern(pattern: string, text: string): boolean {
  let [at, from, star, mark] = [0, 0, -1, 0];
  while (from < text.length) {
    const wanted = pattern[at];
    if (wanted === '*') {
      star = at++;
      mark = from;
    } else if (wanted === '?' || wanted === text[from]) {
      at++;
      from++;
    } else if (star < 0) return false;
    else {
      at = star + 1;
      from = ++mark;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

function isSelected(metric: CollectedMetric, { selector }: MetricView): boolean {
  const { instrumentName: pattern, instrumentType, unit, meterName } = selector;
  return (
    (pattern === undefined || matchesPattern(pattern, metric.name)) &&
    (instrumentType === undefined || TYPES[metric.kind].includes(instrumentType)) &&
    (unit === undefined || unit === metric.unit) &&
    (meterName === undefined || meterName === metric.scope)
  );
}

/** Points that have become one: counts add up, of gauges the last one counts, as in OpenTelemetry's SDKs. */
function mergeNumbers(points: readonly NumberPoint[], isSum: boolean): NumberPoint[] {
  const merged = new Map<string, NumberPoint>();
  for (const point of points) {
    const key = seriesKey('', point.labels);
    const before = isSum ? (merged.get(key)?.value ?? 0) : 0;
    merged.set(key, { labels: point.labels, value: before + point.value });
  }
  return [...merged.values()];
}

function mergeHistograms(points: readonly HistogramPoint[]): HistogramPoint[] {
  const merged = new Map<string, HistogramPoint>();
  for (const point of points) {
    const key = seriesKey('', point.labels);
    const before = merged.get(key);
    const counts = point.counts.map((count, bucket) => count + (before?.counts[bucket] ?? 0));
    merged.set(key, { labels: point.labels, counts, sum: point.sum + (before?.sum ?? 0) });
  }
  return [...merged.values()];
}

function withAttributes(metric: CollectedMetric, { stream }: MetricView): CollectedMetric {
  const { attributeKeys } = stream;
  // Quantiles of several series do not make quantiles of their sum.
  if (attributeKeys === undefined || metric.kind === 'summary') return metric;
  const { included, excluded } = attributeKeys;
  const isKept = (label: string) => {
    const name = attributeName(label);
    return (included === undefined || included.includes(name)) && !excluded.includes(name);
  };
  const keep = <P extends { labels: Labels }>(points: readonly P[]): P[] =>
    points.map((point) => ({
      ...point,
      labels: Object.fromEntries(Object.entries(point.labels).filter(([label]) => isKept(label))),
    }));
  if (metric.kind === 'histogram') return { ...metric, points: mergeHistograms(keep(metric.points)) };
  return { ...metric, points: mergeNumbers(keep(metric.points), metric.kind === 'counter') };
}

/** A metric that no view selects stays as it is; each view that selects it makes one stream of it, or none. */
export function applyViews(
  metrics: readonly CollectedMetric[],
  views: readonly MetricView[],
): readonly CollectedMetric[] {
  if (views.length === 0) return metrics;
  return metrics.flatMap((metric) => {
    const selecting = views.filter((view) => isSelected(metric, view));
    if (selecting.length === 0) return [metric];
    return selecting
      .filter(({ stream }) => !stream.isDropped)
      .map((view) => {
        const { name = metric.name, description = metric.doc } = view.stream;
        return { ...withAttributes(metric, view), name, doc: description };
      });
  });
}
