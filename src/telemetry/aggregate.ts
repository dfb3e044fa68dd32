/** Sums the snapshots of all threads, the dead ones included: a restarted worker must not take totals back. */
import type { Clock } from '../stdx/clock.ts';
import { LatencyWindow } from './latency.ts';
import { MAX_GAUGES } from './metrics.ts';
import { type HistogramValue, type MeterSnapshot, type SeriesValue, seriesKey } from './registry.ts';
import type { TakenSpans } from './tracer.ts';

export class MeterAggregate {
  readonly #clock: Clock;
  /** Newest snapshot of each living thread. */
  readonly #threads = new Map<string, MeterSnapshot>();
  /** Counters of threads that ended. */
  readonly #ended = new Map<string, SeriesValue>();
  /** Histograms of threads that ended. */
  readonly #endedHistograms = new Map<string, HistogramValue>();
  readonly #latencies = new Map<string, LatencyWindow>();
  readonly #onSpans: ((taken: TakenSpans) => void) | undefined;

  /** @param onSpans gets the spans of all threads, as they come. */
  constructor(clock: Clock, onSpans?: (taken: TakenSpans) => void) {
    this.#clock = clock;
    this.#onSpans = onSpans;
  }

  /** @param thread name of one incarnation of a thread, e.g. `pipeline-0#3`. */
  update(thread: string, { spans, ...snapshot }: MeterSnapshot): void {
    this.#threads.set(thread, snapshot);
    if (spans !== undefined) this.#onSpans?.(spans);
    for (const delta of snapshot.latencies) {
      const key = seriesKey(delta.stage, delta.labels);
      let window = this.#latencies.get(key);
      if (window === undefined) {
        window = new LatencyWindow(delta.stage, delta.labels);
        this.#latencies.set(key, window);
      }
      window.add(delta, this.#clock.monotonicMs());
    }
  }

  /** Keeps the counters of a thread that is gone and forgets its gauges. */
  end(thread: string): void {
    const last = this.#threads.get(thread);
    if (last === undefined) return;
    this.#threads.delete(thread);
    for (const series of last.counters) addTo(this.#ended, series);
    for (const series of last.histograms) addBuckets(this.#endedHistograms, series);
  }

  counters(): SeriesValue[] {
    const sums = new Map<string, SeriesValue>();
    for (const series of this.#ended.values()) addTo(sums, series);
    for (const snapshot of this.#threads.values())
      for (const series of snapshot.counters) addTo(sums, series);
    return [...sums.values()];
  }

  /** Gauges of living threads; the same series in two threads adds up (each holds its share), but for ages. */
  gauges(): SeriesValue[] {
    const sums = new Map<string, SeriesValue>();
    for (const snapshot of this.#threads.values()) {
      for (const series of snapshot.gauges) {
        if (MAX_GAUGES.has(series.name)) keepLargest(sums, series);
        else addTo(sums, series);
      }
    }
    return [...sums.values()];
  }

  /** Totals since the start. */
  histograms(): HistogramValue[] {
    const sums = new Map<string, HistogramValue>();
    for (const series of this.#endedHistograms.values()) addBuckets(sums, series);
    for (const snapshot of this.#threads.values())
      for (const series of snapshot.histograms) addBuckets(sums, series);
    return [...sums.values()];
  }

  latencies(): LatencyWindow[] {
    return [...this.#latencies.values()];
  }

  /** All windows of one stage, with their labels. */
  latenciesOf(stage: string): LatencyWindow[] {
    return this.latencies().filter((window) => window.stage === stage);
  }
}

function keepLargest(sums: Map<string, SeriesValue>, series: SeriesValue): void {
  const key = seriesKey(series.name, series.labels);
  const sum = sums.get(key);
  if (sum === undefined) sums.set(key, { ...series });
  else sum.value = Math.max(sum.value, series.value);
}

function addTo(sums: Map<string, SeriesValue>, series: SeriesValue): void {
  const key = seriesKey(series.name, series.labels);
  const sum = sums.get(key);
  if (sum === undefined) sums.set(key, { ...series });
  else sum.value += series.value;
}

function addBuckets(sums: Map<string, HistogramValue>, series: HistogramValue): void {
  const key = seriesKey(series.name, series.labels);
  const sum = sums.get(key);
  if (sum === undefined) {
    sums.set(key, { ...series, counts: series.counts.slice() });
    return;
  }
  for (let bucket = 0; bucket < series.counts.length; bucket++) {
    sum.counts[bucket]! += series.counts[bucket]!;
  }
  sum.sum += series.sum;
}
