/** Values that actions compute: hashes and other types. */
import { createHash } from 'node:crypto';
import { valueText } from '../../otlp/any-value-text.ts';
import { ANY_BOOL, ANY_DOUBLE, ANY_INT, ANY_STRING, type AnyValueView } from '../../otlp/any-value-view.ts';
import { writeDoubleValue, writeIntValue } from '../../otlp/any-value-write.ts';
import { TAG_ANY_STRING_VALUE } from '../../otlp/tags.ts';
import type { WireWriter } from '../../otlp/wire-writer.ts';

const WORDS = new DataView(new ArrayBuffer(8));
const WORD_BYTES = new Uint8Array(WORDS.buffer);
const INT64_MAX = (1n << 63n) - 1n;
const INT64_MIN = -(1n << 63n);
/** Digits of an int64 and its sign; a longer text is no number of that size. */
const INT_TEXT = /^[+-]?\d{1,400}$/;
const DOUBLE_TEXT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const SPECIAL_TEXT = /^[+-]?(?:inf|infinity|nan)$/i;
const NUMBER_TEXT_MAX = 400;

/** Lower-case hex of the SHA-256 of a value's bytes; empty for lists, maps, bytes and no value. */
export function hashText(value: AnyValueView): string {
  const bytes = hashedBytes(value);
  return bytes === undefined ? '' : createHash('sha256').update(bytes).digest('hex');
}

function hashedBytes(value: AnyValueView): Uint8Array | undefined {
  if (value.kind === ANY_STRING) return value.bytes.subarray(value.start, value.end);
  if (value.kind === ANY_BOOL) return Uint8Array.of(value.lo);
  if (value.kind !== ANY_INT && value.kind !== ANY_DOUBLE) return undefined;
  WORDS.setInt32(0, value.lo, true);
  WORDS.setInt32(4, value.hi, true);
  return WORD_BYTES;
}

/** Writes the value as another type. @returns false when it has it already or cannot have it. */
export function convertValue(
  value: AnyValueView,
  type: 'int' | 'double' | 'string',
  writer: WireWriter,
): boolean {
  if (type === 'string') {
    if (value.kind === ANY_STRING) return false;
    writer.writeStringField(TAG_ANY_STRING_VALUE, valueText(value));
    return true;
  }
  return type === 'int' ? convertToInt(value, writer) : convertToDouble(value, writer);
}

function convertToInt(value: AnyValueView, writer: WireWriter): boolean {
  const number = intOf(value);
  if (number === undefined) return false;
  writeIntValue(writer, Number(BigInt.asIntN(32, number)), Number(BigInt.asIntN(32, number >> 32n)));
  return true;
}

function intOf(value: AnyValueView): bigint | undefined {
  if (value.kind === ANY_BOOL) return BigInt(value.lo);
  if (value.kind === ANY_DOUBLE) {
    const double = Math.trunc(value.double());
    // What does not fit becomes the least integer, which is what the Collector makes of it on x86.
    return double >= -(2 ** 63) && double < 2 ** 63 ? BigInt(double) : INT64_MIN;
  }
  if (value.kind !== ANY_STRING || value.end - value.start > NUMBER_TEXT_MAX) return undefined;
  const text = value.text();
  if (!INT_TEXT.test(text)) return undefined;
  const number = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return number > INT64_MAX || number < INT64_MIN ? undefined : number;
}

function convertToDouble(value: AnyValueView, writer: WireWriter): boolean {
  const number = doubleOf(value);
  if (number === undefined) return false;
  writeDoubleValue(writer, number);
  return true;
}

function doubleOf(value: AnyValueView): number | undefined {
  if (value.kind === ANY_BOOL) return value.lo;
  if (value.kind === ANY_INT) return Number(value.int());
  if (value.kind !== ANY_STRING || value.end - value.start > NUMBER_TEXT_MAX) return undefined;
  return parseDouble(value.text());
}

/** A number as Go's strconv reads it, without its hexadecimal form; undefined for other text and out of range. */
export function parseDouble(text: string): number | undefined {
  if (SPECIAL_TEXT.test(text)) {
    if (/nan$/i.test(text)) return Number.NaN;
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  if (!DOUBLE_TEXT.test(text)) return undefined;
  const number = Number(text);
  // A number out of range is an error for whoever reads it strictly.
  return Number.isFinite(number) ? number : undefined;
}
