/** Counts spans that come behind the decision about their trace. */
import { VERDICT_SAMPLED } from './policy-set.ts';
import type { SamplerSettings } from './sampler-settings.ts';
import { INFO_VERDICT, WORD_DECIDED_STEP, WORD_INFO } from './trace-table.ts';

/** Steps whose time is kept: minutes of a busy sampler. */
const STEPS_KEPT = 16_384;

export class LateSpans {
  readonly #settings: SamplerSettings;
  readonly #stepUnixMs = new Float64Array(STEPS_KEPT);
  #newestStep = 0;

  constructor(settings: SamplerSettings) {
    this.#settings = settings;
  }

  /** Decisions made until now have their time. */
  noteStep(step: number, nowUnixMs: number): void {
    this.#stepUnixMs[step % STEPS_KEPT] = nowUnixMs;
    this.#newestStep = step;
  }

  /**
   * A late span of the trace with the record at `base`.
   * @param isFirst of its trace in the request, or behind spans of others: ages are recorded for these alone.
   */
  note(words: Uint32Array, base: number, isFirst: boolean, nowUnixMs: number): void {
    const { metrics, sampledCacheSize, nonSampledCacheSize } = this.#settings;
    metrics.lateSpans++;
    const isSampled = (words[base + WORD_INFO]! & INFO_VERDICT) === VERDICT_SAMPLED;
    // Where decisions are remembered the Collector takes all late spans for hits of its cache.
    if ((isSampled ? sampledCacheSize : nonSampledCacheSize) > 0) {
      if (isSampled) metrics.releasedSampled++;
      else metrics.releasedOthers++;
      return;
    }
    const ageS = isFirst ? this.#ageS(words[base + WORD_DECIDED_STEP]!, nowUnixMs) : undefined;
    if (ageS !== undefined) metrics.lateSpanAge.record(ageS);
  }

  /** Whole seconds since a step; undefined for one of an earlier run, or of long ago. */
  #ageS(step: number, nowUnixMs: number): number | undefined {
    // What was decided since the newest step belongs to the next one.
    if (step > this.#newestStep) return 0;
    const unixMs = this.#stepUnixMs[step % STEPS_KEPT]!;
    if (unixMs === 0 || step <= this.#newestStep - STEPS_KEPT) return undefined;
    return Math.max(0, Math.floor((nowUnixMs - unixMs) / 1000));
  }
}
