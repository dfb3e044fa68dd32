/** HDR latency: recorded per thread, sent as the counts of used buckets, merged on the main thread over a sliding minute. */
import type { Labels, LatencyRecorder } from '../component/settings.ts';
import { LATENCY_US_MAX, LatencyCounts, type SparseCounts } from './latency-counts.ts';

export const QUANTILES = [0.5, 0.9, 0.99, 0.999, 0.9999] as const;
const SLICE_MS = 5_000;
const SLICES = 12;

/** Recording end, one thread. Its memory is one array of 84 KiB, whatever the rate. */
export class LatencySeries implements LatencyRecorder {
  readonly stage: string;
  readonly labels: Labels;
  readonly #counts = new LatencyCounts();
  #sumUs = 0;

  constructor(stage: string, labels: Labels) {
    this.stage = stage;
    this.labels = labels;
  }

  record(latencyUs: number): void {
    this.#counts.record(latencyUs);
    this.#sumUs += Math.min(Math.max(latencyUs, 0), LATENCY_US_MAX);
  }

  /** Everything recorded since the previous call, then empty; undefined when nothing was. */
  take(): { counts: SparseCounts; sumUs: number } | undefined {
    if (this.#counts.isEmpty) return undefined;
    const taken = { counts: this.#counts.toSparse(), sumUs: this.#sumUs };
    this.#counts.clear();
    this.#sumUs = 0;
    return taken;
  }
}

/** Results of merging are read before the next merge, so all windows share one array. */
const merging = new LatencyCounts();

/** One series over the last minute, in slices of five seconds, plus its total since the start. */
export class LatencyWindow {
  readonly stage: string;
  readonly labels: Labels;
  /** Slices that are complete, oldest first. */
  #slices: { startMs: number; counts: SparseCounts }[] = [];
  readonly #newest = new LatencyCounts();
  #newestStartMs = 0;
  /** Count and sum since the start, for the `_count` and `_sum` series. */
  count = 0;
  sumUs = 0;

  constructor(stage: string, labels: Labels) {
    this.stage = stage;
    this.labels = labels;
  }

  /** @param taken what `LatencySeries.take` gave. */
  add(taken: { counts: SparseCounts; sumUs: number }, monotonicMs: number): void {
    const startMs = Math.floor(monotonicMs / SLICE_MS) * SLICE_MS;
    if (startMs > this.#newestStartMs) {
      if (!this.#newest.isEmpty)
        this.#slices.push({ startMs: this.#newestStartMs, counts: this.#newest.toSparse() });
      this.#newest.clear();
      this.#newestStartMs = startMs;
      this.#forget(monotonicMs);
    }
    const before = this.#newest.total;
    this.#newest.add(taken.counts);
    this.count += this.#newest.total - before;
    this.sumUs += taken.sumUs;
  }

  #forget(monotonicMs: number): void {
    const oldestMs = monotonicMs - SLICES * SLICE_MS;
    this.#slices = this.#slices.filter((slice) => slice.startMs >= oldestMs);
  }

  /** The last minute in microseconds. Good until the next call on any window. */
  merged(monotonicMs: number): LatencyCounts {
    merging.clear();
    this.#forget(monotonicMs);
    for (const slice of this.#slices) merging.add(slice.counts);
    if (this.#newestStartMs >= monotonicMs - SLICES * SLICE_MS) merging.add(this.#newest.toSparse());
    return merging;
  }
}
