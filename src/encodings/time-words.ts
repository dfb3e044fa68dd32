/** Arithmetic on 64-bit times as two words, in 16-bit steps that doubles hold exactly. */
const TWO_16 = 0x1_0000;
const TWO_32 = 0x1_0000_0000;
const TWO_63 = 0x8000_0000 * TWO_32;
export const NANOS_PER_SECOND = 1_000_000_000;
export const NANOS_PER_MICRO = 1000;

/** One 64-bit value and the rest of a division; an instance is scratch memory that each operation overwrites. */
export class TimeWords {
  /** int32 bits, as everywhere in this code base. */
  lo = 0;
  hi = 0;
  rest = 0;

  set(lo: number, hi: number): void {
    this.lo = lo | 0;
    this.hi = hi | 0;
  }

  /**
   * `value * factor + addend`, which the caller keeps below 2^64.
   * @param value whole, not negative. @param factor up to 10^9. @param addend from 0 to 2^31.
   */
  setProduct(value: number, factor: number, addend: number): void {
    const low = value % TWO_16;
    const high = ((value - low) / TWO_16) * factor;
    const highLow = high % TWO_16;
    const bottom = highLow * TWO_16 + low * factor + addend;
    const lo = bottom % TWO_32;
    const carry = (bottom - lo) / TWO_32;
    this.lo = lo | 0;
    this.hi = ((high - highLow) / TWO_16 + carry) | 0;
  }

  /** Quotient of an unsigned value, and `rest`. @param divisor up to 10^9. */
  setQuotient(lo: number, hi: number, divisor: number): void {
    let rest = 0;
    let at = rest * TWO_16 + (hi >>> 16);
    const q3 = Math.floor(at / divisor);
    rest = at - q3 * divisor;
    at = rest * TWO_16 + (hi & 0xffff);
    const q2 = Math.floor(at / divisor);
    rest = at - q2 * divisor;
    at = rest * TWO_16 + (lo >>> 16);
    const q1 = Math.floor(at / divisor);
    rest = at - q1 * divisor;
    at = rest * TWO_16 + (lo & 0xffff);
    const q0 = Math.floor(at / divisor);
    this.rest = at - q0 * divisor;
    this.hi = (q3 * TWO_16 + q2) | 0;
    this.lo = (q1 * TWO_16 + q0) | 0;
  }

  /** `this + other`, modulo 2^64. */
  add(lo: number, hi: number): void {
    const sum = (this.lo >>> 0) + (lo >>> 0);
    this.hi = (this.hi + hi + (sum >= TWO_32 ? 1 : 0)) | 0;
    this.lo = sum | 0;
  }

  /** `this - other`, modulo 2^64. */
  subtract(lo: number, hi: number): void {
    const difference = (this.lo >>> 0) - (lo >>> 0);
    this.hi = (this.hi - hi - (difference < 0 ? 1 : 0)) | 0;
    this.lo = difference | 0;
  }

  negate(): void {
    this.lo = -this.lo | 0;
    this.hi = (~this.hi + (this.lo === 0 ? 1 : 0)) | 0;
  }

  /** The unsigned value as a number, exact up to 2^53. */
  get number(): number {
    return (this.hi >>> 0) * TWO_32 + (this.lo >>> 0);
  }

  /** The value as a signed number, exact from -2^53 to 2^53. */
  get signedNumber(): number {
    return this.number >= TWO_63 ? this.hi * TWO_32 + (this.lo >>> 0) : this.number;
  }
}
