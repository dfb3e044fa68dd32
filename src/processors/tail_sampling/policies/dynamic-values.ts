/** Hashes of attribute values, by the text that a value has, and some of these texts for reports. */
import {
  ANY_BOOL,
  ANY_DOUBLE,
  ANY_EMPTY,
  ANY_INT,
  ANY_STRING,
  type AnyValueView,
} from '../../../otlp/any-value-view.ts';
import { decodeUtf8 } from '../../../otlp/wire-reader.ts';
import { DECIMAL_BYTES_MAX, writeDecimal } from '../../helper/decimal-digits.ts';

const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;
const TEXT_BYTES_MAX = 48;
/** A power of two. */
const RECENT_HASHES = 1024;
const TRUE = new TextEncoder().encode('true');
const FALSE = new TextEncoder().encode('false');
const DIGITS = new Uint8Array(DECIMAL_BYTES_MAX);

/** Spreads what FNV leaves close together (the finalizer of MurmurHash3). */
export function mix32(hash: number): number {
  let mixed = hash;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** 1 to 2^32 - 2, so that neither a hash nor its complement is the word of nothing. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = FNV_OFFSET;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
  const mixed = mix32(hash);
  return mixed === 0 || mixed === 0xffff_ffff ? 1 : mixed;
}

/** A whole number within 2^53 as its decimal digits; any other by the text that JavaScript gives it. */
export function hashNumber(number: number): number {
  if (!Number.isSafeInteger(number)) {
    const text = new TextEncoder().encode(String(number));
    return hashBytes(text, 0, text.length);
  }
  return hashBytes(DIGITS, writeDecimal(DIGITS, number), DIGITS.length);
}

/** The same for values with the same text, so for 1, 1.0 and "1"; lists, maps and bytes by their encoding; 0: no value. */
export function hashValue(value: AnyValueView): number {
  switch (value.kind) {
    case ANY_EMPTY:
      return 0;
    case ANY_BOOL:
      return value.bool() ? hashBytes(TRUE, 0, TRUE.length) : hashBytes(FALSE, 0, FALSE.length);
    case ANY_INT:
      return hashNumber(value.hi * 2 ** 32 + (value.lo >>> 0));
    case ANY_DOUBLE:
      return hashNumber(value.double());
    default:
      return hashBytes(value.bytes, value.start, value.end);
  }
}

/** Texts of hashes that were seen, up to a number of them. What came later has a number for a name. */
export class ValueTexts {
  readonly #texts = new Map<number, string>();
  /** Hashes of late, by their low bits: a look into it costs less than one into the map. */
  readonly #recent = new Uint32Array(RECENT_HASHES);
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  learn(hash: number, value: AnyValueView): void {
    if (this.#wants(hash)) this.#texts.set(hash, textOf(value));
  }

  learnText(hash: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#wants(hash)) this.#texts.set(hash, shortText(bytes, start, end));
  }

  textOf(hash: number): string {
    return this.#texts.get(hash) ?? `#${hash.toString(16)}`;
  }

  #wants(hash: number): boolean {
    const slot = hash & (RECENT_HASHES - 1);
    if (this.#recent[slot] === hash) return false;
    this.#recent[slot] = hash;
    return this.#texts.size < this.#max && !this.#texts.has(hash);
  }
}

function textOf(value: AnyValueView): string {
  if (value.kind === ANY_BOOL) return String(value.bool());
  if (value.kind === ANY_INT) return String(value.hi * 2 ** 32 + (value.lo >>> 0));
  if (value.kind === ANY_DOUBLE) return String(value.double());
  if (value.kind !== ANY_STRING) return '(bytes, list or map)';
  return shortText(value.bytes, value.start, value.end);
}

function shortText(bytes: Uint8Array, start: number, end: number): string {
  const isLong = end - start > TEXT_BYTES_MAX;
  return decodeUtf8(bytes, start, isLong ? start + TEXT_BYTES_MAX : end) + (isLong ? '...' : '');
}
