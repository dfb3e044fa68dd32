/**
 * Counts of latencies in the bucket layout of HdrHistogram with three significant digits, in one typed array.
 *
 * | value in us              | buckets                                   |
 * | ------------------------ | ----------------------------------------- |
 * | 0 .. 2047                | one each                                  |
 * | 2^e .. 2^(e+1) - 1, e>10 | 1024, each 2^(e-10) wide: 0.1 % of a value |
 */
import { assert } from '../stdx/assert.ts';

/** Ten minutes: anything slower is recorded as that. */
export const LATENCY_US_MAX = 600_000_000;

const LINEAR = 2048;
const HALF = 1024;
const SHIFT_MAX = 29 - 10;
const BUCKETS = LINEAR + SHIFT_MAX * HALF;
assert(LATENCY_US_MAX < 2 ** 30, 'the layout ends at 2^30');

function bucketOf(valueUs: number): number {
  if (valueUs < LINEAR) return valueUs;
  const shift = 21 - Math.clz32(valueUs);
  return LINEAR + (shift - 1) * HALF + (valueUs >>> shift) - HALF;
}

/** Largest value of a bucket, which is what HdrHistogram reports for it. */
function highestOf(bucket: number): number {
  if (bucket < LINEAR) return bucket;
  const shift = ((bucket - LINEAR) >>> 10) + 1;
  const low = (HALF + ((bucket - LINEAR) & (HALF - 1))) * 2 ** shift;
  return low + 2 ** shift - 1;
}

/** What was recorded, as bucket and count in turns: small, and a transfer of it copies no object. */
export type SparseCounts = Uint32Array<ArrayBuffer>;

export class LatencyCounts {
  readonly #counts = new Uint32Array(BUCKETS);
  /** Buckets outside of these are empty. */
  #low = BUCKETS;
  #high = -1;
  #used = 0;
  total = 0;

  get isEmpty(): boolean {
    return this.total === 0;
  }

  record(valueUs: number): void {
    this.#add(bucketOf(Math.min(Math.max(Math.round(valueUs), 1), LATENCY_US_MAX)), 1);
  }

  add(sparse: SparseCounts): void {
    for (let i = 0; i < sparse.length; i += 2) this.#add(sparse[i]!, sparse[i + 1]!);
  }

  #add(bucket: number, count: number): void {
    const before = this.#counts[bucket]!;
    if (before === 0) this.#used += 1;
    this.#counts[bucket] = before + count;
    this.total += count;
    if (bucket < this.#low) this.#low = bucket;
    if (bucket > this.#high) this.#high = bucket;
  }

  toSparse(): SparseCounts {
    const sparse = new Uint32Array(this.#used * 2);
    let at = 0;
    for (let bucket = this.#low; bucket <= this.#high; bucket++) {
      const count = this.#counts[bucket]!;
      if (count === 0) continue;
      sparse[at++] = bucket;
      sparse[at++] = count;
    }
    return sparse;
  }

  clear(): void {
    if (this.#high >= 0) this.#counts.fill(0, this.#low, this.#high + 1);
    this.#low = BUCKETS;
    this.#high = -1;
    this.#used = 0;
    this.total = 0;
  }

  /** Slowest recorded value in us, to three digits; NaN when there is none. */
  get maxUs(): number {
    return this.#high < 0 ? Number.NaN : highestOf(this.#high);
  }

  /**
   * Values in us that these shares of the recordings do not exceed, all found in one pass.
   *
   * @param shares ascending, 0 to 1.
   */
  quantiles(shares: readonly number[]): number[] {
    const values: number[] = [];
    let seen = 0;
    let bucket = this.#low - 1;
    for (const share of shares) {
      // The product of a share and a whole number may miss a whole number by a rounding error.
      const rank = Math.max(Math.ceil(share * this.total - 1e-6), 1);
      while (seen < rank && bucket < this.#high) seen += this.#counts[++bucket]!;
      values.push(this.isEmpty ? Number.NaN : highestOf(bucket));
    }
    return values;
  }

  /** Every bucket in use, by its highest value. */
  forEach(visit: (valueUs: number, count: number) => void): void {
    for (let bucket = this.#low; bucket <= this.#high; bucket++) {
      const count = this.#counts[bucket]!;
      if (count > 0) visit(highestOf(bucket), count);
    }
  }
}
