/** The decision itself, the same for spans and log records: randomness against a threshold. */
import { Bits56, MIN_PROBABILITY } from './bits56.ts';
import type { SamplerConfig } from './config.ts';

/** What an item says about its own sampling so far. */
export interface SamplingInfo {
  /** Breaks the rules of its format; nothing else is valid then, and nothing may be written. */
  isMalformed: boolean;
  hasThreshold: boolean;
  readonly threshold: Bits56;
  hasRandomness: boolean;
  readonly randomness: Bits56;
  setThreshold(threshold: Bits56): void;
  setRandomness(randomness: Bits56): void;
  clearThreshold(): void;
}

/* Where the randomness or the decision came from: label `policy` of the counters. */
export const POLICY_TRACE_ID_HASH = 0;
export const POLICY_TRACE_ID_W3C = 1;
export const POLICY_SAMPLING_RANDOMNESS = 2;
export const POLICY_SAMPLING_PRIORITY = 3;
export const POLICY_MISSING_RANDOMNESS = 4;
/** Log records: the label is the name of the attribute. */
export const POLICY_ATTRIBUTE = 5;
export const POLICY_COUNT = 6;

/* Why an item was decided by `fail_closed`. */
export const FAULT_NONE = 0;
export const FAULT_MALFORMED = 1;
export const FAULT_IN_USE = 2;
export const FAULT_MISSING_RANDOMNESS = 3;
export const FAULT_INCONSISTENT = 4;
export const FAULT_NAMES = [
  'none',
  'malformed_sampling_information',
  'sampled_by_another_mode',
  'missing_randomness',
  'inconsistent_threshold',
] as const;

const MODE_NEVER = 0;
const MODE_HASH = 1;
const MODE_EQUALIZING = 2;
const MODE_PROPORTIONAL = 3;

const BUCKET_BITS = 14;
const BUCKETS = 1 << BUCKET_BITS;
const BUCKET_MASK = BUCKETS - 1;
/** A 32-bit float, because the percentage is multiplied in that precision. */
const BUCKETS_PER_PERCENT = Math.fround(BUCKETS / 100);
const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** State of FNV-1a after the four little-endian bytes of the seed. */
function seededHash(seed: number): number {
  let hash = FNV_OFFSET;
  for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((seed >>> shift) & 255), FNV_PRIME);
  return hash;
}

export class Sampler {
  /** POLICY_* and FAULT_* of the item that was decided last. */
  policy = 0;
  fault = 0;
  #isWritable = false;
  readonly #mode: number;
  readonly #ratio: number;
  readonly #precisionDigits: number;
  readonly #failsClosed: boolean;
  readonly #hashStart: number;
  /** Threshold of the modes with a fixed one. */
  readonly #fixed = new Bits56();
  readonly #threshold = new Bits56();
  readonly #randomness = new Bits56();

  constructor(config: SamplerConfig) {
    const percentage = Math.fround(Math.min(config.samplingPercentage, 100));
    this.#ratio = Math.max(percentage / 100, MIN_PROBABILITY);
    this.#precisionDigits = config.samplingPrecision;
    this.#failsClosed = config.failClosed;
    this.#hashStart = seededHash(config.hashSeed);
    const keptBuckets = Math.trunc(Math.fround(percentage * BUCKETS_PER_PERCENT));
    const isHash = config.mode === '' || config.mode === 'hash_seed';
    if (percentage === 0 || (isHash && keptBuckets === 0)) this.#mode = MODE_NEVER;
    else if (isHash) this.#mode = MODE_HASH;
    else this.#mode = config.mode === 'equalizing' ? MODE_EQUALIZING : MODE_PROPORTIONAL;
    if (this.#mode === MODE_HASH) this.#fixed.hi = (BUCKETS - keptBuckets) << BUCKET_BITS;
    else if (this.#mode === MODE_NEVER) this.#fixed.setNever();
    else this.#fixed.setProbability(this.#ratio, this.#precisionDigits);
  }

  /** Whether decisions need the bytes to hash, instead of the trace id's own randomness. */
  get isHashing(): boolean {
    return this.#mode === MODE_HASH;
  }

  /** Takes the hash of bytes as randomness; `policy` is where they come from. To be followed by `decide`. */
  hash(policy: number, bytes: Uint8Array, start: number, end: number): void {
    this.policy = policy;
    let hash = this.#hashStart;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
    // The lowest 14 bits decide, the highest fill the middle; together they are the randomness of the Collector.
    const bucket = hash & BUCKET_MASK;
    const unused = hash >>> (32 - BUCKET_BITS);
    const mixed = unused ^ (unused << 10);
    this.#randomness.hi = ((BUCKET_MASK - bucket) << BUCKET_BITS) | (mixed >>> BUCKET_BITS);
    this.#randomness.lo = ((mixed & BUCKET_MASK) << BUCKET_BITS) | bucket;
  }

  /** Nothing to hash was found. To be followed by `decide`. */
  hashNothing(): void {
    this.policy = POLICY_MISSING_RANDOMNESS;
    this.#randomness.setHighest();
  }

  /**
   * Decides by randomness; after `hash` or `hashNothing` where `isHashing`.
   *
   * @param traceIdAt of a 16-byte id that is not all zero, or 0.
   * @param writesMissing also an item without randomness is given one, the highest.
   */
  decide(info: SamplingInfo, bytes: Uint8Array, traceIdAt: number, writesMissing: boolean): void {
    this.fault = info.isMalformed ? FAULT_MALFORMED : FAULT_NONE;
    if (this.#mode === MODE_HASH) this.#checkHashed(info, writesMissing);
    else if (this.#mode === MODE_NEVER) {
      this.policy = POLICY_SAMPLING_PRIORITY;
      this.#randomness.setHighest();
    } else this.#readRandomness(info, bytes, traceIdAt);
    this.#isWritable = this.fault === FAULT_NONE;
    if (this.fault === FAULT_NONE) this.#checkThreshold(info);
    if (this.fault !== FAULT_NONE) {
      if (this.#failsClosed) this.#threshold.setNever();
      else this.#threshold.setAlways();
    } else this.#setThreshold(info);
  }

  /** Replaces the threshold because the item itself asks for it. */
  setPriority(threshold: Bits56): void {
    this.#threshold.copy(threshold);
    this.policy = POLICY_SAMPLING_PRIORITY;
  }

  get isSampled(): boolean {
    return !this.#threshold.isAbove(this.#randomness);
  }

  /**
   * Notes the threshold of a kept item; never a lower one than it had, since its adjusted count must not shrink.
   * @returns false when the information of the item must stay as it is.
   */
  update(info: SamplingInfo): boolean {
    if (!this.#isWritable) return false;
    if (!info.hasThreshold || !info.threshold.isAbove(this.#threshold)) info.setThreshold(this.#threshold);
    return true;
  }

  #checkHashed(info: SamplingInfo, writesMissing: boolean): void {
    if (this.fault !== FAULT_NONE) return;
    if (info.hasRandomness || info.hasThreshold) this.fault = FAULT_IN_USE;
    else if (writesMissing || this.policy !== POLICY_MISSING_RANDOMNESS) info.setRandomness(this.#randomness);
  }

  #readRandomness(info: SamplingInfo, bytes: Uint8Array, traceIdAt: number): void {
    if (!info.isMalformed && info.hasRandomness) {
      this.policy = POLICY_SAMPLING_RANDOMNESS;
      this.#randomness.copy(info.randomness);
    } else if (!info.isMalformed && traceIdAt > 0) {
      this.policy = POLICY_TRACE_ID_W3C;
      this.#randomness.readTraceId(bytes, traceIdAt);
    } else this.hashNothing();
  }

  /** An item that its own threshold rejects cannot have been sampled by it. */
  #checkThreshold(info: SamplingInfo): void {
    if (this.policy === POLICY_MISSING_RANDOMNESS) this.fault = FAULT_MISSING_RANDOMNESS;
    else if (info.hasThreshold && info.threshold.isAbove(this.#randomness)) {
      info.clearThreshold();
      this.fault = FAULT_INCONSISTENT;
    }
  }

  #setThreshold(info: SamplingInfo): void {
    const threshold = this.#threshold;
    threshold.copy(this.#fixed);
    if (!info.hasThreshold) return;
    if (this.#mode === MODE_EQUALIZING) {
      if (info.threshold.isAbove(threshold)) threshold.copy(info.threshold);
    } else if (this.#mode === MODE_PROPORTIONAL) {
      const probability = info.threshold.probability() * this.#ratio;
      if (!threshold.setProbability(probability, this.#precisionDigits)) threshold.setNever();
    }
  }
}
