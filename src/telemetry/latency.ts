/** HDR latency: recorded per thread, sent as encoded histograms, merged on the main thread over a sliding minute. */
import * as hdr from 'hdr-histogram-js';
import type { Labels, LatencyRecorder } from '../component/settings.ts';

/** Ten minutes: anything slower is recorded as that. */
export const LATENCY_US_MAX = 600_000_000;
export const QUANTILES = [0.5, 0.9, 0.99, 0.999, 0.9999] as const;
const SLICE_MS = 5_000;
const SLICES = 12;

function newHistogram(): hdr.Histogram {
  return hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LATENCY_US_MAX,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
  });
}

/** Recording end, one thread. Its memory is one histogram (about 100 KB), whatever the rate. */
export class LatencySeries implements LatencyRecorder {
  readonly stage: string;
  readonly labels: Labels;
  readonly #histogram = newHistogram();

  constructor(stage: string, labels: Labels) {
    this.stage = stage;
    this.labels = labels;
  }

  record(latencyUs: number): void {
    this.#histogram.recordValue(Math.min(Math.max(Math.round(latencyUs), 1), LATENCY_US_MAX));
  }

  /** Everything recorded since the previous call in HDR's V2 encoding, then empty; undefined when nothing was. */
  take(): string | undefined {
    if (this.#histogram.totalCount === 0) return undefined;
    const encoded = hdr.encodeIntoCompressedBase64(this.#histogram);
    this.#histogram.reset();
    return encoded;
  }
}

/** One series over the last minute, in slices of five seconds, plus its total since the start. */
export class LatencyWindow {
  readonly stage: string;
  readonly labels: Labels;
  #slices: { startMs: number; histogram: hdr.Histogram }[] = [];
  /** Count and sum since the start, for the `_count` and `_sum` series. */
  count = 0;
  sumUs = 0;

  constructor(stage: string, labels: Labels) {
    this.stage = stage;
    this.labels = labels;
  }

  /** @param encoded what `LatencySeries.take` gave. */
  add(encoded: string, monotonicMs: number): void {
    const delta = hdr.decodeFromCompressedBase64(encoded, 32, false);
    const startMs = Math.floor(monotonicMs / SLICE_MS) * SLICE_MS;
    let newest = this.#slices.at(-1);
    if (newest === undefined || newest.startMs < startMs) {
      newest = { startMs, histogram: newHistogram() };
      this.#slices.push(newest);
      if (this.#slices.length > SLICES) this.#slices.shift();
    }
    newest.histogram.add(delta);
    this.count += delta.totalCount;
    this.sumUs += delta.mean * delta.totalCount;
  }

  /** Merged histogram of the last minute in microseconds. */
  merged(monotonicMs: number): hdr.Histogram {
    const merged = newHistogram();
    const oldestMs = monotonicMs - SLICES * SLICE_MS;
    this.#slices = this.#slices.filter((slice) => slice.startMs >= oldestMs);
    for (const slice of this.#slices) merged.add(slice.histogram);
    return merged;
  }
}
