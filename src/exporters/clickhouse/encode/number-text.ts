import type { ByteSink } from './byte-sink.ts';

const DIGIT_0 = 48;
const MINUS = 45;
const POINT = 46;
/** Most characters of a number's text: the longest double is -1.7976931348623157e+308. */
export const NUMBER_TEXT_BYTES_MAX = 32;
const TWO_32 = 0x1_0000_0000;
const BILLION = 1_000_000_000;
/** Below this a decimal has at most 15 digits, and every such decimal names one double only. */
const EXACT_DECIMAL_MAX = 1e15;
const FRACTION_DIGITS_MAX = 6;
const POWERS_OF_TEN = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

/** Decimal digits of a non-negative integer up to 2^53. The caller reserved the room. */
function appendDigits(sink: ByteSink, value: number): void {
  const out = sink.bytes;
  let size = 1;
  for (let limit = 10; value >= limit; limit *= 10) size += 1;
  let at = sink.pos + size;
  sink.pos = at;
  let rest = value;
  while (rest > 0x7fffffff) {
    const quotient = Math.floor(rest / 10);
    out[--at] = DIGIT_0 + (rest - quotient * 10);
    rest = quotient;
  }
  // From here on the numbers are small integers, and the division by ten stays in integer registers.
  let small = rest | 0;
  do {
    const quotient = (small / 10) | 0;
    out[--at] = DIGIT_0 + (small - quotient * 10);
    small = quotient;
  } while (small > 0);
}

/**
 * Decimal text of a signed 64-bit integer given as two words; exact over the whole range.
 * Reserves its room and writes no length.
 */
export function appendInt64Text(sink: ByteSink, low: number, high: number): void {
  sink.reserve(NUMBER_TEXT_BYTES_MAX);
  let lo = low >>> 0;
  let hi = high >>> 0;
  if (hi > 0x7fffffff) {
    sink.bytes[sink.pos++] = MINUS;
    // Two's complement by words; -2^63 becomes 2^63, which fits as unsigned.
    hi = (~hi + (lo === 0 ? 1 : 0)) >>> 0;
    lo = -lo >>> 0;
  }
  if (hi < 0x20_0000) {
    appendDigits(sink, hi * TWO_32 + lo);
    return;
  }
  appendLongDigits(sink, hi, lo);
}

/** Splits by 10^9 with long division over 16-bit limbs, because a double cannot hold all 64 bits. */
function appendLongDigits(sink: ByteSink, hi: number, lo: number): void {
  let quotient = 0;
  let rest = 0;
  for (const limb of [hi >>> 16, hi & 0xffff, lo >>> 16, lo & 0xffff]) {
    const value = rest * 0x10000 + limb;
    const digit = Math.floor(value / BILLION);
    quotient = quotient * 0x10000 + digit;
    rest = value - digit * BILLION;
  }
  appendDigits(sink, quotient);
  const out = sink.bytes;
  for (let i = 8; i >= 0; i--) {
    out[sink.pos + i] = DIGIT_0 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  sink.pos += 9;
}

/**
 * Shortest decimal text that reads back as the same double, in the form of Go's JSON encoder: plain
 * digits from 1e-6 up to 1e21, an exponent outside. Not-a-number and the infinities are NaN, +Inf, -Inf.
 */
export function appendDoubleText(sink: ByteSink, value: number): void {
  sink.reserve(NUMBER_TEXT_BYTES_MAX);
  const size = Math.abs(value);
  if (size < EXACT_DECIMAL_MAX && (size >= 1e-6 || value === 0)) {
    for (let digits = 0; digits <= FRACTION_DIGITS_MAX; digits++) {
      const power = POWERS_OF_TEN[digits]!;
      const scaled = Math.round(size * power);
      // The quotient of two exact numbers is rounded once, so equality proves that this decimal is the double's.
      if (scaled < EXACT_DECIMAL_MAX && scaled / power === size) {
        appendDecimal(sink, value < 0 || Object.is(value, -0), scaled, digits, power);
        return;
      }
    }
  }
  appendAscii(sink, textOf(value));
}

function textOf(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

function appendDecimal(
  sink: ByteSink,
  isNegative: boolean,
  scaled: number,
  digits: number,
  power: number,
): void {
  if (isNegative) sink.bytes[sink.pos++] = MINUS;
  const whole = Math.floor(scaled / power);
  appendDigits(sink, whole);
  if (digits === 0) return;
  sink.bytes[sink.pos] = POINT;
  let fraction = scaled - whole * power;
  for (let i = digits; i > 0; i--) {
    sink.bytes[sink.pos + i] = DIGIT_0 + (fraction % 10);
    fraction = Math.floor(fraction / 10);
  }
  sink.pos += digits + 1;
}

function appendAscii(sink: ByteSink, text: string): void {
  for (let i = 0; i < text.length; i++) sink.bytes[sink.pos++] = text.charCodeAt(i);
}
