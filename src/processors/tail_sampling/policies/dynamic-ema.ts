/** Sample rates by key that follow traffic: the exponential moving average behind Refinery's EMADynamicSampler. */

export interface EmaSettings {
  /** 1 of so many spans shall be kept over all keys together. */
  goalSampleRate: number;
  adjustmentIntervalMs: number;
  /** Share of the newest interval in an average, over 0 and at most 1. */
  weight: number;
  /** Keys whose average falls below it are forgotten. */
  ageOutValue: number;
  /** Spans since the last adjustment, in multiples of the average, that adjust early; negative: never. */
  burstMultiple: number;
  /** Intervals without early adjustments at the beginning. */
  burstDetectionDelay: number;
  /** Keys that are counted in an interval; averages are kept for `AVERAGED_INTERVALS` times as many. */
  maxKeys: number;
}

/** A key with fewer and fewer spans fades out over several intervals, and others come meanwhile. */
const AVERAGED_INTERVALS = 8;

export class EmaRates {
  /** Keys with an average, which is how many rates there are. */
  get keyCount(): number {
    return this.#rates.size;
  }
  /** Traces of the present interval that were not counted, because `maxKeys` others were. */
  overflowedTraces = 0;
  readonly #settings: EmaSettings;
  #counts = new Map<number, number>();
  readonly #averages = new Map<number, number>();
  #rates = new Map<number, number>();
  #hasData = false;
  #spansSinceAdjustment = 0;
  #burstSpans = 0;
  #isBurst = false;
  #intervals = 0;
  #nextMs: number | undefined;

  constructor(settings: EmaSettings) {
    this.#settings = settings;
  }

  /**
   * Whether the rates have to be adjusted before the next trace; the caller does it then.
   * @param nowMs never going back; intervals follow each other from the first call on.
   */
  isDue(nowMs: number): boolean {
    this.#nextMs ??= nowMs + this.#settings.adjustmentIntervalMs;
    return this.#isBurst || nowMs >= this.#nextMs;
  }

  /** Makes new rates of what was counted. Without any traffic everything stays, so that a gap forgets nothing. */
  adjust(nowMs: number): void {
    const { adjustmentIntervalMs } = this.#settings;
    const next = this.#nextMs ?? nowMs;
    if (this.#isBurst && nowMs < next) this.#nextMs = nowMs + adjustmentIntervalMs;
    else {
      // Intervals in which nobody asked count as well.
      const passed = Math.floor((nowMs - next) / adjustmentIntervalMs) + 1;
      this.#intervals += passed;
      this.#nextMs = next + passed * adjustmentIntervalMs;
    }
    this.#isBurst = false;
    this.overflowedTraces = 0;
    if (this.#counts.size === 0) return;
    this.#average();
    this.#spansSinceAdjustment = 0;
    this.#calculateRates();
    this.#hasData = true;
  }

  /** Counts a trace. @returns its rate: one of so many traces with this key is to be kept; at least 1. */
  rateOf(key: number, spanCount: number): number {
    const { maxKeys, burstDetectionDelay, goalSampleRate } = this.#settings;
    const counted = this.#counts.get(key);
    if (counted !== undefined || this.#counts.size < maxKeys) {
      this.#counts.set(key, (counted ?? 0) + spanCount);
      this.#spansSinceAdjustment += spanCount;
    } else this.overflowedTraces++;
    const isBurst = this.#burstSpans > 0 && this.#spansSinceAdjustment >= this.#burstSpans;
    if (isBurst && this.#intervals >= burstDetectionDelay) {
      this.#spansSinceAdjustment = 0;
      this.#isBurst = true;
    }
    return this.#hasData ? (this.#rates.get(key) ?? 1) : goalSampleRate;
  }

  /** Whether a key has an average. */
  has(key: number): boolean {
    return this.#averages.has(key);
  }

  /** Keys with the highest rates, for reports. */
  highest(count: number): (readonly [key: number, rate: number])[] {
    return [...this.#rates].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, count);
  }

  #average(): void {
    const { weight, ageOutValue, maxKeys } = this.#settings;
    const averages = this.#averages;
    const counts = this.#counts;
    this.#counts = new Map();
    for (const key of counts.keys()) if (!averages.has(key)) averages.set(key, 0);
    for (const [key, average] of averages) {
      const next = (counts.get(key) ?? 0) * weight + (1 - weight) * average;
      if (next < ageOutValue) averages.delete(key);
      else averages.set(key, next);
    }
    if (averages.size <= maxKeys * AVERAGED_INTERVALS) return;
    // Only with an age-out value far below the weight: the rarest keys go, as they would later.
    const rarest = [...averages].sort((a, b) => a[1] - b[1] || a[0] - b[0]);
    for (const [key] of rarest.slice(0, averages.size - maxKeys * AVERAGED_INTERVALS)) averages.delete(key);
  }

  /** Every key has a share of the goal that grows with the logarithm of its traffic; what one does not need goes on. */
  #calculateRates(): void {
    const { goalSampleRate, burstMultiple } = this.#settings;
    // A fixed order, so that rounding and what is carried on do not depend on who came first.
    const sorted = [...this.#averages].sort((a, b) => a[0] - b[0]);
    let sum = 0;
    let logarithms = 0;
    for (const [, average] of sorted) {
      const spans = Math.max(1, average);
      sum += spans;
      logarithms += Math.log10(spans);
    }
    this.#burstSpans = sum * burstMultiple;
    const ratio = sum / goalSampleRate / logarithms;
    const rates = new Map<number, number>();
    let carried = 0;
    let remaining = sorted.length;
    for (const [key, average] of sorted) {
      const spans = Math.max(1, average);
      const share = carried / remaining--;
      const goal = Math.max(1, Math.log10(spans) * ratio) + share;
      carried -= share;
      // With nothing but keys of one span the goal is no number, and everything is kept.
      const rate = spans <= goal ? 1 : Math.ceil(spans / goal) || 1;
      carried += goal - spans / rate;
      rates.set(key, rate);
    }
    this.#rates = rates;
  }
}
