/*
 * Numbers of OTLP/JSON: bare or quoted, exact over all 64 bits, as two int32 words or as a double.
 *
 * Integers take any notation whose value is integral (`1e3`, `"15.0"`). In quotes a plus sign and leading zeros are
 * accepted as well, because Go's parser, and so the Collector, takes them.
 */
import { type JsonSource, numberEnd, QUOTE } from './json-source.ts';
import { decodeUtf8, malformed } from './wire-reader.ts';

const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const LOWER_E = 0x65;
const TWO_32 = 0x1_0000_0000;
const UINT64_DIGITS = 20;
/** Digits of which any number fits a double exactly. */
const EXACT_DIGITS = 15;
const EXPONENT_BOUND = 1_000_000;
const POWERS_OF_TEN = Float64Array.from({ length: EXACT_DIGITS + 1 }, (_, i) => Number(`1e${i}`));
const QUOTED_NUMBER = /^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** "Infinity" is the specification's spelling, "+Inf" and "-Inf" are what the Collector's JSON writer produces. */
const NAMED_DOUBLES: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['Inf', Number.POSITIVE_INFINITY],
  ['+Inf', Number.POSITIVE_INFINITY],
  ['-Inf', Number.NEGATIVE_INFINITY],
]);

/** Reads numbers; one instance is reused, and its fields hold the last integer. */
export class JsonNumber {
  /** Low word of the last integer, as int32 bits. */
  lo = 0;
  /** High word of the last integer, as int32 bits. */
  hi = 0;
  #isNegative = false;
  readonly #digits = new Uint8Array(UINT64_DIGITS);

  /** int64 or sfixed64 in two's complement. */
  readInt64(source: JsonSource): void {
    const offset = this.#readMagnitude(source);
    const isMinimum = this.#isNegative && this.lo === 0 && this.hi === -0x8000_0000;
    if (this.hi < 0 && !isMinimum) throw malformed('integer over 64 bits', offset);
    if (!this.#isNegative) return;
    this.lo = -this.lo | 0;
    this.hi = (~this.hi + (this.lo === 0 ? 1 : 0)) | 0;
  }

  /** uint64 or fixed64. */
  readUint64(source: JsonSource): void {
    const offset = this.#readMagnitude(source);
    if (this.#isNegative && (this.lo | this.hi) !== 0) throw malformed('negative unsigned integer', offset);
  }

  /** int32, sint32 or the number of an enum, in `lo` and sign-extended in `hi`. */
  readInt32(source: JsonSource): void {
    const offset = source.pos;
    this.readInt64(source);
    if (this.hi !== this.lo >> 31) throw malformed('integer over 32 bits', offset);
  }

  /** uint32 or fixed32, in `lo`. */
  readUint32(source: JsonSource): void {
    const offset = source.pos;
    this.readUint64(source);
    if (this.hi !== 0) throw malformed('integer over 32 bits', offset);
  }

  /** A double; one that no double can hold is malformed, one between two doubles is rounded to the nearest. */
  readDouble(source: JsonSource): number {
    const isQuoted = source.peek() === QUOTE;
    const bytes = source.bytes;
    const start = isQuoted ? source.pos + 1 : source.pos;
    const isNegative = bytes[start] === MINUS;
    const first = isNegative ? start + 1 : start;
    let at = first;
    let value = 0;
    let byte = bytes[at]!;
    for (; byte >= ZERO && byte <= NINE; byte = bytes[++at]!) value = value * 10 + (byte - ZERO);
    const wholeDigits = at - first;
    if (byte === POINT && wholeDigits > 0) {
      for (byte = bytes[++at]!; byte >= ZERO && byte <= NINE; byte = bytes[++at]!)
        value = value * 10 + (byte - ZERO);
    }
    const digits = wholeDigits === at - first ? wholeDigits : at - first - 1;
    const hasPlainEnd = isQuoted ? byte === QUOTE : (byte | 0x20) !== LOWER_E;
    const hasPlainStart =
      wholeDigits > 0 && (wholeDigits === 1 || bytes[first] !== ZERO) && bytes[at - 1] !== POINT;
    if (!hasPlainEnd || !hasPlainStart || digits > EXACT_DIGITS)
      return this.#readLongDouble(source, isQuoted);
    source.pos = isQuoted ? at + 1 : at;
    // Both operands are exact, so the one rounding of the division is the right one.
    if (digits > wholeDigits) value /= POWERS_OF_TEN[digits - wholeDigits]!;
    return isNegative ? -value : value;
  }

  #readLongDouble(source: JsonSource, isQuoted: boolean): number {
    const offset = source.pos;
    let text: string;
    if (isQuoted) {
      source.readToken();
      text = decodeUtf8(source.tokenBytes, source.tokenStart, source.tokenEnd);
      const named = NAMED_DOUBLES.get(text);
      if (named !== undefined) return named;
      if (!QUOTED_NUMBER.test(text)) throw malformed('not a number', offset);
    } else {
      source.pos = numberEnd(source.bytes, offset);
      text = decodeUtf8(source.bytes, offset, source.pos);
    }
    const value = Number(text);
    if (!Number.isFinite(value)) throw malformed('number over the range of a double', offset);
    return value;
  }

  /** Leaves sign and magnitude; returns where the number began. */
  #readMagnitude(source: JsonSource): number {
    let byte = source.peek();
    const bytes = source.bytes;
    const offset = source.pos;
    let at = offset;
    const isQuoted = byte === QUOTE;
    if (isQuoted) byte = bytes[++at]!;
    const isNegative = byte === MINUS;
    if (isNegative) byte = bytes[++at]!;
    const first = at;
    // Ten digits each, so that both halves and their products below stay exact.
    let high = 0;
    for (const limit = at + 10; byte >= ZERO && byte <= NINE && at < limit; byte = bytes[++at]!) {
      high = high * 10 + (byte - ZERO);
    }
    let low = 0;
    let scale = 1;
    for (const limit = at + 10; byte >= ZERO && byte <= NINE && at < limit; byte = bytes[++at]!) {
      low = low * 10 + (byte - ZERO);
      scale *= 10;
    }
    const digits = at - first;
    const hasPlainStart = digits === 1 || (digits > 1 && bytes[first] !== ZERO);
    const hasMore = (byte >= ZERO && byte <= NINE) || byte === POINT || (byte | 0x20) === LOWER_E;
    const isPlain = isQuoted ? byte === QUOTE : !hasMore;
    if (!hasPlainStart || !isPlain) {
      this.#readLongMagnitude(source, isQuoted);
      return offset;
    }
    this.#isNegative = isNegative;
    this.#setMagnitude(high, low, scale, offset);
    source.pos = isQuoted ? at + 1 : at;
    return offset;
  }

  /** high * scale + low, both below 1e10. */
  #setMagnitude(high: number, low: number, scale: number, offset: number): void {
    const sum = high * scale + low;
    if (sum <= Number.MAX_SAFE_INTEGER) {
      this.lo = sum | 0;
      this.hi = (sum / TWO_32) | 0;
      return;
    }
    const upper = Math.floor(high / 0x10000) * scale;
    const lower = (high % 0x10000) * scale + low + (upper % 0x10000) * 0x10000;
    const hi = Math.floor(upper / 0x10000) + Math.floor(lower / TWO_32);
    if (hi >= TWO_32) throw malformed('integer over 64 bits', offset);
    this.lo = lower | 0;
    this.hi = hi | 0;
  }

  /** The general form: any notation, any number of digits, as long as the value is an integer of 64 bits. */
  #readLongMagnitude(source: JsonSource, isQuoted: boolean): void {
    const offset = source.pos;
    if (isQuoted) {
      source.readToken();
      this.#parseDecimal(source.tokenBytes, source.tokenStart, source.tokenEnd, offset);
    } else {
      source.pos = numberEnd(source.bytes, offset);
      this.#parseDecimal(source.bytes, offset, source.pos, offset);
    }
  }

  #parseDecimal(bytes: Uint8Array, start: number, end: number, offset: number): void {
    const sign = start < end ? bytes[start] : 0;
    this.#isNegative = sign === MINUS;
    let at = sign === MINUS || sign === PLUS ? start + 1 : start;
    let digits = 0;
    let zeros = 0;
    let fractionDigits = 0;
    let point = -1;
    const first = at;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === POINT && point < 0 && at > first) {
        point = at;
        continue;
      }
      if (!(byte >= ZERO && byte <= NINE)) break;
      if (point >= 0) fractionDigits++;
      // Zeros count only when another digit follows; those in front never do.
      if (byte === ZERO) zeros += digits > 0 ? 1 : 0;
      else {
        for (; zeros > 0 && digits < UINT64_DIGITS; zeros--) this.#digits[digits++] = 0;
        if (digits >= UINT64_DIGITS) throw malformed('not an integer of 64 bits', offset);
        this.#digits[digits++] = byte - ZERO;
      }
    }
    if (at === first || point === at - 1) throw malformed('not an integer', offset);
    const exponent = at < end ? readExponent(bytes, at, end, offset) : 0;
    this.#setDecimal(digits, exponent - fractionDigits + zeros, offset);
  }

  /** `digits` of the scratch times ten to the `exponent`. */
  #setDecimal(digits: number, exponent: number, offset: number): void {
    if (digits > 0 && exponent < 0) throw malformed('not an integer', offset);
    if (digits > 0 && digits + exponent > UINT64_DIGITS) throw malformed('integer over 64 bits', offset);
    const total = digits === 0 ? 0 : digits + exponent;
    let high = 0;
    let low = 0;
    let scale = 1;
    for (let i = 0; i < total; i++) {
      const digit = i < digits ? this.#digits[i]! : 0;
      if (i < 10) high = high * 10 + digit;
      else {
        low = low * 10 + digit;
        scale *= 10;
      }
    }
    this.#setMagnitude(high, low, scale, offset);
  }
}

function readExponent(bytes: Uint8Array, start: number, end: number, offset: number): number {
  if ((bytes[start]! | 0x20) !== LOWER_E) throw malformed('not an integer', offset);
  const sign = bytes[start + 1];
  const first = sign === MINUS || sign === PLUS ? start + 2 : start + 1;
  if (first >= end) throw malformed('exponent without digits', offset);
  let exponent = 0;
  for (let at = first; at < end; at++) {
    const byte = bytes[at]!;
    if (!(byte >= ZERO && byte <= NINE)) throw malformed('not an integer', offset);
    exponent = Math.min(exponent * 10 + (byte - ZERO), EXPONENT_BOUND);
  }
  return sign === MINUS ? -exponent : exponent;
}
