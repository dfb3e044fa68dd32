/** All own metrics of one moment, whatever form they leave in: the level is applied, names and units are settled. */
import type { Labels } from '../component/settings.ts';
import type { MeterAggregate } from './aggregate.ts';
import { QUANTILES } from './latency.ts';
import { isShownAt, LATENCY_STAGES, METRICS, type MetricLevel } from './metrics.ts';
import { instrumentName, scopeName } from './otel-names.ts';
import { type SeriesValue, seriesKey } from './registry.ts';

export interface NumberPoint {
  labels: Labels;
  value: number;
}

export interface HistogramPoint {
  labels: Labels;
  /** By bucket, not added up; one more than there are bounds. */
  counts: Float64Array;
  sum: number;
}

export interface SummaryPoint {
  labels: Labels;
  /** Of the last minute, in the order of `QUANTILES`. */
  quantiles: readonly number[];
  /** Since the start. */
  count: number;
  sum: number;
}

interface Named {
  /** As OpenTelemetry calls the instrument; Prometheus has underscores for its dots. */
  name: string;
  /** Instrumentation scope. */
  scope: string;
  /** UCUM. */
  unit: string;
  doc: string;
}

export type CollectedMetric = Named &
  (
    | { kind: 'counter' | 'gauge'; points: readonly NumberPoint[] }
    | { kind: 'histogram'; bounds: readonly number[]; points: readonly HistogramPoint[] }
    | { kind: 'summary'; points: readonly SummaryPoint[] }
  );

function groupByName<T extends { name: string }>(series: readonly T[]): Map<string, T[]> {
  const byName = new Map<string, T[]>();
  for (const each of series) {
    const list = byName.get(each.name);
    if (list === undefined) byName.set(each.name, [each]);
    else list.push(each);
  }
  return byName;
}

/**
 * In the order of the table; metrics without series are left out.
 *
 * @param nowMs monotonic clock.
 * @throws Error for series outside the table: a bug.
 */
export function collectMetrics(
  aggregate: MeterAggregate,
  nowMs: number,
  level: MetricLevel,
): CollectedMetric[] {
  const numbers = groupByName<SeriesValue>([...aggregate.counters(), ...aggregate.gauges()]);
  const histograms = groupByName(aggregate.histograms());
  const collected: CollectedMetric[] = [];
  for (const definition of METRICS) {
    const { name: id, kind, unit, doc, level: lowest, bounds, detailedLabels = [] } = definition;
    const named = { name: instrumentName(id), scope: scopeName(id), unit, doc };
    const isShown = isShownAt(level, lowest);
    const points = numbers.get(id);
    numbers.delete(id);
    if (kind === 'histogram') {
      const series = histograms.get(id);
      if (isShown && series !== undefined)
        collected.push({ ...named, kind, bounds: bounds ?? [], points: series });
    } else if (isShown && points !== undefined)
      collected.push({
        ...named,
        kind,
        points: level === 'detailed' ? points : mergePoints(points, detailedLabels),
      });
  }
  if (numbers.size > 0) throw new Error(`metrics without a table entry: ${[...numbers.keys()].join(', ')}`);
  if (isShownAt(level, 'normal')) collected.push(...collectStages(aggregate, nowMs));
  return collected;
}

/** Leaves labels out, and adds up what is the same without them. */
function mergePoints(points: readonly SeriesValue[], without: readonly string[]): readonly NumberPoint[] {
  if (without.length === 0) return points;
  const merged = new Map<string, NumberPoint>();
  for (const point of points) {
    const kept = Object.entries(point.labels).filter(([label]) => !without.includes(label));
    const labels = Object.fromEntries(kept);
    const key = seriesKey('', labels);
    merged.set(key, { labels, value: point.value + (merged.get(key)?.value ?? 0) });
  }
  return [...merged.values()];
}

/** Latencies of the last minute, the slowest of each in a metric of its own. */
function collectStages(aggregate: MeterAggregate, nowMs: number): CollectedMetric[] {
  const collected: CollectedMetric[] = [];
  for (const [stage, doc] of LATENCY_STAGES) {
    const points: SummaryPoint[] = [];
    const slowest: NumberPoint[] = [];
    for (const window of aggregate.latenciesOf(stage)) {
      const { labels, count, sumUs } = window;
      const merged = window.merged(nowMs);
      const quantiles = merged.quantiles(QUANTILES).map((valueUs) => valueUs / 1e6);
      points.push({ labels, quantiles, count, sum: sumUs / 1e6 });
      slowest.push({ labels, value: merged.maxUs / 1e6 });
    }
    if (points.length === 0) continue;
    const name = `millrace_${stage}_seconds`;
    const named = { scope: scopeName(name), unit: 's' };
    const [summary, max] = [`${doc} HDR quantiles over the last minute.`, 'Slowest of the last minute.'];
    collected.push(
      { ...named, name, kind: 'summary', doc: summary, points },
      { ...named, name: `${name}_max`, kind: 'gauge', doc: max, points: slowest },
    );
  }
  return collected;
}
