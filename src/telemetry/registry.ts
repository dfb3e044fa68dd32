/** Series of one thread. Snapshots are plain data: they cross threads. */
import type { Counter, Gauge, Labels, LatencyRecorder, Meter } from '../component/settings.ts';
import { LatencySeries } from './latency.ts';

export interface SeriesValue {
  name: string;
  labels: Labels;
  value: number;
}

export interface LatencyDelta {
  stage: string;
  labels: Labels;
  /** Latencies in microseconds since the previous snapshot: an encoded HDR histogram. */
  encoded: string;
}

export interface MeterSnapshot {
  counters: SeriesValue[];
  gauges: SeriesValue[];
  latencies: LatencyDelta[];
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

/** Bound on series of one thread: labels come from configuration, so reaching it is a bug, not load. */
const SERIES_MAX = 10_000;

/** Meter of one thread. */
export class ThreadMeter implements Meter {
  readonly #counters = new Map<string, Cell>();
  readonly #gauges = new Map<string, Cell>();
  readonly #latencies = new Map<string, LatencySeries>();

  counter(name: string, labels: Labels = {}): Counter {
    return this.#cell(this.#counters, name, labels);
  }

  gauge(name: string, labels: Labels = {}): Gauge {
    return this.#cell(this.#gauges, name, labels);
  }

  latency(stage: string, labels: Labels = {}): LatencyRecorder {
    const key = seriesKey(stage, labels);
    let series = this.#latencies.get(key);
    if (series === undefined) {
      series = new LatencySeries(stage, labels);
      this.#latencies.set(key, series);
    }
    return series;
  }

  /** Totals of counters and gauges, and the latencies recorded since the previous call. */
  takeSnapshot(): MeterSnapshot {
    const latencies: LatencyDelta[] = [];
    for (const series of this.#latencies.values()) {
      const encoded = series.take();
      if (encoded !== undefined) latencies.push({ stage: series.stage, labels: series.labels, encoded });
    }
    return {
      counters: [...this.#counters.values()].map(({ name, labels, value }) => ({ name, labels, value })),
      gauges: [...this.#gauges.values()].map(({ name, labels, value }) => ({ name, labels, value })),
      latencies,
    };
  }

  #cell(cells: Map<string, Cell>, name: string, labels: Labels): Cell {
    const key = seriesKey(name, labels);
    let cell = cells.get(key);
    if (cell === undefined) {
      if (cells.size >= SERIES_MAX) throw new Error(`more than ${SERIES_MAX} series: ${name}`);
      cell = new Cell(name, labels);
      cells.set(key, cell);
    }
    return cell;
  }
}
