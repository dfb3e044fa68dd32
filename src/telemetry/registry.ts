/** Series of one thread. Snapshots are plain data: they cross threads. */
import type { Counter, Gauge, Histogram, Labels, LatencyRecorder, Meter } from '../component/settings.ts';
import { LatencySeries } from './latency.ts';
import type { SparseCounts } from './latency-counts.ts';
import { histogramBounds } from './metrics.ts';
import type { TakenSpans } from './tracer.ts';

export interface SeriesValue {
  name: string;
  labels: Labels;
  value: number;
}

export interface LatencyDelta {
  stage: string;
  labels: Labels;
  /** Latencies in microseconds since the previous snapshot. */
  counts: SparseCounts;
  sumUs: number;
}

/** Totals since the thread began. */
export interface HistogramValue {
  name: string;
  labels: Labels;
  /** By bucket, not added up; the last one is above every bound. */
  counts: Float64Array;
  sum: number;
}

export interface MeterSnapshot {
  counters: SeriesValue[];
  gauges: SeriesValue[];
  latencies: LatencyDelta[];
  histograms: HistogramValue[];
  /** Of the thread's tracer, if it has one and spans ended. */
  spans?: TakenSpans | undefined;
}

/** Key of a series: label names are few and fixed, so their order of insertion is normalised here. */
export function seriesKey(name: string, labels: Labels): string {
  const parts = Object.keys(labels)
    .sort()
    .map((label) => [label, labels[label]]);
  // Label values are ids of the user, so a plain separator could make two series one.
  return JSON.stringify([name, ...parts]);
}

class Cell implements Counter, Gauge {
  readonly name: string;
  readonly labels: Labels;
  value = 0;

  constructor(name: string, labels: Labels) {
    this.name = name;
    this.labels = labels;
  }

  add(value: number): void {
    this.value += value;
  }

  set(value: number): void {
    this.value = value;
  }
}

class Buckets implements Histogram {
  readonly name: string;
  readonly labels: Labels;
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(name: string, labels: Labels) {
    this.name = name;
    this.labels = labels;
    this.#bounds = Float64Array.from(histogramBounds(name));
    this.#counts = new Float64Array(this.#bounds.length + 1);
  }

  record(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.#counts[bucket]! += 1;
    this.#sum += value;
  }

  read(): HistogramValue {
    return { name: this.name, labels: this.labels, counts: this.#counts.slice(), sum: this.#sum };
  }
}

/** Label sets of one metric in one thread; OpenTelemetry's SDKs stop at the same number. */
export const LABEL_SETS_MAX = 2_000;
/** Series of one thread and kind, whatever the metrics. */
export const SERIES_MAX = 10_000;
/** Each holds an array of 84 KiB. */
const LATENCY_SERIES_MAX = 500;
const HISTOGRAM_SERIES_MAX = 2_000;
/** Stands for every label set beyond the bound, under the name that OpenTelemetry gives it. */
export const OVERFLOW_LABELS: Labels = { otel_metric_overflow: 'true' };
const OVERFLOWED = 'millrace_telemetry_overflowed_series';

/** Series of one kind, each found by name and labels; label sets beyond the bounds share one series of their name. */
class SeriesTable<T extends Counter | Gauge | LatencyRecorder | Histogram> {
  readonly #series = new Map<string, T>();
  readonly #labelSets = new Map<string, number>();
  readonly #make: (name: string, labels: Labels) => T;
  readonly #max: number;
  readonly #onOverflow: (name: string) => void;

  constructor(max: number, make: (name: string, labels: Labels) => T, onOverflow: (name: string) => void) {
    this.#max = max;
    this.#make = make;
    this.#onOverflow = onOverflow;
  }

  find(name: string, labels: Labels): T {
    const key = seriesKey(name, labels);
    const found = this.#series.get(key);
    if (found !== undefined) return found;
    const labelSets = this.#labelSets.get(name) ?? 0;
    if (labels !== OVERFLOW_LABELS && (labelSets >= LABEL_SETS_MAX || this.#series.size >= this.#max)) {
      if (name !== OVERFLOWED) this.#onOverflow(name);
      return this.find(name, OVERFLOW_LABELS);
    }
    const series = this.#make(name, labels);
    this.#series.set(key, series);
    this.#labelSets.set(name, labelSets + 1);
    return series;
  }

  values(): Iterable<T> {
    return this.#series.values();
  }
}

/** Meter of one thread. */
export class ThreadMeter implements Meter {
  readonly #counters: SeriesTable<Cell>;
  readonly #gauges: SeriesTable<Cell>;
  readonly #latencies: SeriesTable<LatencySeries>;
  readonly #histograms: SeriesTable<Buckets>;

  constructor() {
    const makeCell = (name: string, labels: Labels) => new Cell(name, labels);
    const makeLatency = (stage: string, labels: Labels) => new LatencySeries(stage, labels);
    const overflowed = (metric: string) => this.counter(OVERFLOWED, { metric }).add(1);
    this.#counters = new SeriesTable(SERIES_MAX, makeCell, overflowed);
    this.#gauges = new SeriesTable(SERIES_MAX, makeCell, overflowed);
    this.#latencies = new SeriesTable(LATENCY_SERIES_MAX, makeLatency, overflowed);
    const makeBuckets = (name: string, labels: Labels) => new Buckets(name, labels);
    this.#histograms = new SeriesTable(HISTOGRAM_SERIES_MAX, makeBuckets, overflowed);
  }

  counter(name: string, labels: Labels = {}): Counter {
    return this.#counters.find(name, labels);
  }

  gauge(name: string, labels: Labels = {}): Gauge {
    return this.#gauges.find(name, labels);
  }

  latency(stage: string, labels: Labels = {}): LatencyRecorder {
    return this.#latencies.find(stage, labels);
  }

  histogram(name: string, labels: Labels = {}): Histogram {
    return this.#histograms.find(name, labels);
  }

  /** Totals of counters, gauges and histograms, and the latencies recorded since the previous call. */
  takeSnapshot(): MeterSnapshot {
    const latencies: LatencyDelta[] = [];
    for (const series of this.#latencies.values()) {
      const taken = series.take();
      if (taken !== undefined) latencies.push({ stage: series.stage, labels: series.labels, ...taken });
    }
    return {
      counters: readCells(this.#counters),
      gauges: readCells(this.#gauges),
      latencies,
      histograms: Array.from(this.#histograms.values(), (series) => series.read()),
    };
  }
}

function readCells(cells: SeriesTable<Cell>): SeriesValue[] {
  return Array.from(cells.values(), ({ name, labels, value }) => ({ name, labels, value }));
}
