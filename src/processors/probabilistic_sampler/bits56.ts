/**
 * The 56 bits in which consistent sampling (W3C Trace Context level 2, OpenTelemetry's `tracestate` handling) states
 * randomness and rejection thresholds, as two words of 28 bits: each is seven hex digits and fits a small integer.
 */
const WORD_BITS = 28;
const WORD = 2 ** WORD_BITS;
const WORD_MASK = WORD - 1;
const WORD_DIGITS = 7;
export const HEX_DIGITS = 14;
const BITS_PER_DIGIT = 4;
/** 2^56, the number of values of randomness. */
const VALUES = WORD * WORD;
/** Smallest probability that a threshold can say. */
export const MIN_PROBABILITY = 1 / VALUES;

const DIGIT_0 = 0x30;
const LETTER_A = 0x61;
const NO_DIGIT = 255;
const DIGIT_VALUES = new Uint8Array(256).fill(NO_DIGIT);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  DIGIT_VALUES[digit.charCodeAt(0)] = value;
  DIGIT_VALUES[digit.toUpperCase().charCodeAt(0)] = value;
}

const DOUBLE = new Float64Array(1);
const DOUBLE_WORDS = new Uint32Array(DOUBLE.buffer);
// The byte order decides which half of a double holds its exponent.
DOUBLE[0] = 1;
const EXPONENT_WORD = DOUBLE_WORDS[1] === 0 ? 0 : 1;

/** Exponent e of a positive normal number, which is m * 2^e with 0.5 <= m < 1. */
function exponentOf(value: number): number {
  DOUBLE[0] = value;
  return (DOUBLE_WORDS[EXPONENT_WORD]! >>> 20) - 1022;
}

/**
 * A reusable 56-bit number: randomness, or the threshold below which randomness is rejected. A threshold may also be
 * 2^56, which rejects everything; no randomness is that high.
 */
export class Bits56 {
  hi = 0;
  lo = 0;

  copy(from: Bits56): void {
    this.hi = from.hi;
    this.lo = from.lo;
  }

  /** The threshold that rejects nothing. */
  setAlways(): void {
    this.hi = 0;
    this.lo = 0;
  }

  /** The threshold that rejects everything. */
  setNever(): void {
    this.hi = WORD;
    this.lo = 0;
  }

  /** The highest randomness: it passes every threshold that can be passed. */
  setHighest(): void {
    this.hi = WORD_MASK;
    this.lo = WORD_MASK;
  }

  isAbove(other: Bits56): boolean {
    return this.hi !== other.hi ? this.hi > other.hi : this.lo > other.lo;
  }

  /** Randomness of a trace id: its last seven bytes. */
  readTraceId(bytes: Uint8Array, at: number): void {
    const middle = bytes[at + 12]!;
    this.hi = (bytes[at + 9]! << 20) | (bytes[at + 10]! << 12) | (bytes[at + 11]! << 4) | (middle >> 4);
    this.lo = ((middle & 15) << 24) | (bytes[at + 13]! << 16) | (bytes[at + 14]! << 8) | bytes[at + 15]!;
  }

  /**
   * Digits of `rv` (all 14 of them) or `th` (1 to 14, the rest is zero).
   * @returns false, with the number unchanged, when they are none.
   */
  readHex(bytes: Uint8Array, start: number, end: number): boolean {
    if (end === start || end - start > HEX_DIGITS) return false;
    let hi = 0;
    let lo = 0;
    for (let digit = 0; digit < HEX_DIGITS; digit++) {
      const value = start + digit < end ? DIGIT_VALUES[bytes[start + digit]!]! : 0;
      if (value === NO_DIGIT) return false;
      if (digit < WORD_DIGITS) hi = (hi << BITS_PER_DIGIT) | value;
      else lo = (lo << BITS_PER_DIGIT) | value;
    }
    this.hi = hi;
    this.lo = lo;
    return true;
  }

  /** Writes all 14 digits. @returns the offset behind them. */
  writeRandomness(target: Uint8Array, at: number): number {
    writeDigits(target, at, this.hi);
    writeDigits(target, at + WORD_DIGITS, this.lo);
    return at + HEX_DIGITS;
  }

  /** Writes the digits without zeros at their end; `0` for the threshold that rejects nothing. */
  writeThreshold(target: Uint8Array, at: number): number {
    let end = this.writeRandomness(target, at);
    while (end > at + 1 && target[end - 1] === DIGIT_0) end--;
    return end;
  }

  /** Probability that a threshold keeps an item. */
  probability(): number {
    const borrow = this.lo === 0 ? 0 : 1;
    return ((WORD - this.hi - borrow) * WORD + (borrow === 0 ? 0 : WORD - this.lo)) / VALUES;
  }

  /**
   * The threshold of a probability, rounded to so many hex digits; near 0 and 1 leading digits that are all `f` or
   * all `0` do not count.
   * @returns false, with the number unchanged, outside 2^-56 to 1.
   */
  setProbability(probability: number, precisionDigits: number): boolean {
    if (!(probability >= MIN_PROBABILITY && probability <= 1)) return false;
    if (probability === 1) {
      this.setAlways();
      return true;
    }
    const leading = Math.max(
      Math.trunc(-exponentOf(probability) / BITS_PER_DIGIT),
      Math.trunc(-exponentOf(1 - probability) / BITS_PER_DIGIT),
    );
    const kept = Math.round(probability * VALUES);
    const keptHi = Math.floor(kept / WORD);
    const keptLo = kept - keptHi * WORD;
    this.hi = WORD - keptHi - (keptLo === 0 ? 0 : 1);
    this.lo = keptLo === 0 ? 0 : WORD - keptLo;
    this.#round(Math.min(HEX_DIGITS, precisionDigits + leading));
    return true;
  }

  #round(digits: number): void {
    const bits = (HEX_DIGITS - digits) * BITS_PER_DIGIT;
    if (bits === 0) return;
    if (bits <= WORD_BITS) {
      const unit = 2 ** bits;
      const sum = this.lo + unit / 2;
      const rounded = sum - (sum % unit);
      this.lo = rounded % WORD;
      this.hi += rounded >= WORD ? 1 : 0;
      return;
    }
    const unit = 2 ** (bits - WORD_BITS);
    // Half a unit has no bits in the low word, whose content is then cut off.
    const sum = this.hi + unit / 2;
    this.hi = sum - (sum % unit);
    this.lo = 0;
  }
}

function writeDigits(target: Uint8Array, at: number, word: number): void {
  for (let digit = WORD_DIGITS - 1, rest = word; digit >= 0; digit--, rest >>>= BITS_PER_DIGIT) {
    const value = rest & 15;
    target[at + digit] = value < 10 ? DIGIT_0 + value : LETTER_A + value - 10;
  }
}
