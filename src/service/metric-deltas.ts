/** What has happened since the last request that arrived: for backends that want differences instead of totals. */
import type { CollectedMetric, HistogramPoint, NumberPoint } from '../telemetry/collected.ts';
import { seriesKey } from '../telemetry/registry.ts';

/** As OpenTelemetry's exporters call it. */
export type Temporality = 'cumulative' | 'delta' | 'lowmemory';

/** Instruments that the Collector observes: `lowmemory` leaves their totals as they are. */
const OBSERVED = /^otelcol_process_/;

/** Whether this metric is sent as differences. */
export function isDeltaMetric({ kind, name }: CollectedMetric, temporality: Temporality): boolean {
  if (temporality === 'cumulative' || (kind !== 'counter' && kind !== 'histogram')) return false;
  return temporality === 'delta' || !OBSERVED.test(name);
}

type Last = { value: number } | { counts: Float64Array; sum: number };

export class MetricDeltas {
  readonly #temporality: Temporality;
  #last = new Map<string, Last>();

  constructor(temporality: Temporality) {
    this.#temporality = temporality;
  }

  /** @returns the differences, and what to call when they have arrived; otherwise the next ones hold them, too. */
  take(metrics: readonly CollectedMetric[]): { metrics: CollectedMetric[]; arrived: () => void } {
    const next = new Map<string, Last>();
    const changed = metrics.map((metric): CollectedMetric => {
      if (!isDeltaMetric(metric, this.#temporality)) return metric;
      if (metric.kind === 'histogram') {
        return { ...metric, points: metric.points.map((point) => this.#histogram(metric.name, point, next)) };
      }
      if (metric.kind !== 'counter') return metric;
      return { ...metric, points: metric.points.map((point) => this.#number(metric.name, point, next)) };
    });
    const arrived = () => {
      this.#last = next;
    };
    return { metrics: changed, arrived };
  }

  #number(name: string, point: NumberPoint, next: Map<string, Last>): NumberPoint {
    const key = seriesKey(name, point.labels);
    const last = this.#last.get(key);
    next.set(key, { value: point.value });
    return last === undefined || !('value' in last) ? point : { ...point, value: point.value - last.value };
  }

  #histogram(name: string, point: HistogramPoint, next: Map<string, Last>): HistogramPoint {
    const key = seriesKey(name, point.labels);
    const last = this.#last.get(key);
    next.set(key, { counts: point.counts, sum: point.sum });
    if (last === undefined || !('counts' in last)) return point;
    const counts = point.counts.map((count, bucket) => count - (last.counts[bucket] ?? 0));
    return { ...point, counts, sum: point.sum - last.sum };
  }
}
