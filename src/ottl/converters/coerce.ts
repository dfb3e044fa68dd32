/** Arguments as the parameters of converters want them. */
import { EvaluationError } from '../errors.ts';
import { hexOf } from '../fields.ts';
import { DurationValue, IdValue, type OpaqueValue, TimeValue, typeName, type Value } from '../value.ts';
import type { ParameterKind } from './converter.ts';
import { rfc3339 } from './rfc3339.ts';

const UTF8 = new TextEncoder();
const TRUE_TEXTS: ReadonlySet<string> = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE_TEXTS: ReadonlySet<string> = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);
const INT_TEXT = /^[+-]?[0-9]+$/;
const FLOAT_TEXT =
  /^[+-]?(?:(?:[0-9]+(?:_[0-9]+)*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?:inf|infinity|nan))$/i;

/** @throws EvaluationError when the value is of no use for the kind. */
export function coerce(kind: ParameterKind, value: Value): Value {
  switch (kind) {
    case 'any':
      return value;
    case 'string-like':
      return value === undefined ? undefined : textOf(value);
    case 'int-like':
      return value === undefined ? undefined : intOf(value);
    case 'float-like':
      return value === undefined ? undefined : floatOf(value);
    case 'bool-like':
      return value === undefined ? undefined : boolOf(value);
    case 'bytes-like':
      return value === undefined ? undefined : bytesOf(value);
    case 'any-list':
    case 'string-list':
    case 'string-like-list':
      return listOf(kind, value);
    default:
      if (!isKind(kind, value)) throw wrongType(kind, value);
      return value;
  }
}

function wrongType(wanted: string, value: Value): EvaluationError {
  return new EvaluationError(`expected ${wanted}, got ${typeName(value)}`);
}

/** Whether a value is of one of the plain kinds, without conversion. */
export function isKind(kind: ParameterKind, value: Value): boolean {
  switch (kind) {
    case 'string':
      return typeof value === 'string';
    case 'int':
      return typeof value === 'bigint';
    case 'float':
      return typeof value === 'number';
    case 'bool':
      return typeof value === 'boolean';
    case 'time':
      return value instanceof TimeValue;
    case 'duration':
      return value instanceof DurationValue;
    case 'map':
      return value instanceof Map;
    default:
      return Array.isArray(value);
  }
}

function listOf(kind: 'any-list' | 'string-list' | 'string-like-list', value: Value): Value {
  if (!Array.isArray(value)) throw wrongType('a list', value);
  const elements = value as readonly Value[];
  if (kind === 'any-list') return elements;
  return elements.map((element) => coerce(kind === 'string-list' ? 'string' : 'string-like', element));
}

/** Text of any value but nil: bytes in hexadecimal digits, maps and lists as JSON. */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return hexOf(value);
  return jsonOf(value);
}

/** JSON as the Collector makes it of values where a text is wanted: keys in order, bytes in base64, two digits of exponent. */
export function jsonOf(value: Value): string {
  if (value === undefined) return 'null';
  switch (typeof value) {
    case 'string':
      return jsonText(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'number':
      if (!Number.isFinite(value)) throw new EvaluationError(`${value} has no JSON form`);
      return Object.is(value, -0) ? '-0' : String(value).replace(/e([+-])([0-9])$/, 'e$10$2');
  }
  // What the Collector's encoder makes of no bytes.
  if (value instanceof Uint8Array)
    return value.length === 0 ? 'null' : `"${Buffer.from(value).toString('base64')}"`;
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<string, Value>)].sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, member]) => `${jsonText(key)}:${jsonOf(member)}`).join(',')}}`;
  }
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(jsonOf).join(',')}]`;
  if (value instanceof TimeValue) return `"${rfc3339(value)}"`;
  if (value instanceof DurationValue) return String(value.nanos);
  if (value instanceof IdValue) return `[${value.bytes.join(',')}]`;
  throw new EvaluationError(`${(value as OpaqueValue).typeName} have no text`);
}

/** Text of an attribute's value as its own string form has it: JSON without escapes for HTML, and its exponents. */
export function plainText(value: Value): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return plainJson(value);
}

function plainJson(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return Number.isFinite(value) ? plainText(value) : 'null';
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<string, Value>)].sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${plainJson(member)}`).join(',')}}`;
  }
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(plainJson).join(',')}]`;
  return jsonOf(value);
}

/** With the characters escaped that HTML would take for its own. */
function jsonText(text: string): string {
  const json = JSON.stringify(text);
  if (!/[<>&\u2028\u2029]/.test(json)) return json;
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function intOf(value: Value): Value {
  switch (typeof value) {
    case 'bigint':
      return value;
    case 'number':
      // What a conversion out of range does is the processor's on which it runs; most give the smallest number.
      if (!(Math.abs(value) < 2 ** 63)) return -(2n ** 63n);
      return BigInt(Math.trunc(value));
    case 'boolean':
      return value ? 1n : 0n;
    case 'string':
      return parseInt64(value, 10);
  }
  throw wrongType('what an int can be made of', value);
}

function floatOf(value: Value): Value {
  switch (typeof value) {
    case 'bigint':
      return Number(value);
    case 'number':
      return value;
    case 'boolean':
      return value ? 1 : 0;
    case 'string': {
      const number = parseFloat64(value);
      if (number === undefined) throw new EvaluationError(`${JSON.stringify(value)} is no number`);
      return number;
    }
  }
  throw wrongType('what a float can be made of', value);
}

function boolOf(value: Value): Value {
  switch (typeof value) {
    case 'bigint':
      return value !== 0n;
    case 'number':
      return value !== 0;
    case 'boolean':
      return value;
    case 'string':
      if (TRUE_TEXTS.has(value)) return true;
      if (FALSE_TEXTS.has(value)) return false;
      throw new EvaluationError(`${JSON.stringify(value)} is neither true nor false`);
  }
  throw wrongType('what a bool can be made of', value);
}

function bytesOf(value: Value): Value {
  if (value instanceof Uint8Array) return value;
  const view = new DataView(new ArrayBuffer(8));
  switch (typeof value) {
    case 'string':
      return UTF8.encode(value);
    case 'bigint':
      view.setBigInt64(0, value);
      return new Uint8Array(view.buffer);
    case 'number':
      view.setFloat64(0, value);
      return new Uint8Array(view.buffer);
    case 'boolean':
      return Uint8Array.of(value ? 1 : 0);
  }
  throw wrongType('what bytes can be made of', value);
}

/** A whole number in a base, within 64 signed bits; undefined for anything else. */
export function parseInt64(text: string, base: number): bigint | undefined {
  if (base === 10 && !INT_TEXT.test(text)) return undefined;
  const isNegative = text.startsWith('-');
  const digits = /^[+-]/.test(text) ? text.slice(1) : text;
  if (digits === '' || digits.length > 70) return undefined;
  let value = 0n;
  for (const digit of digits) {
    const number = Number.parseInt(digit, base);
    if (Number.isNaN(number)) return undefined;
    value = value * BigInt(base) + BigInt(number);
  }
  const signed = isNegative ? -value : value;
  return BigInt.asIntN(64, signed) === signed ? signed : undefined;
}

/** A number as Go reads it; undefined for anything else and when it is out of range. */
export function parseFloat64(text: string): number | undefined {
  if (!FLOAT_TEXT.test(text) || text.includes('_')) return undefined;
  const lower = text.toLowerCase().replace(/^\+/, '');
  if (lower === 'nan' || lower === '-nan') return Number.NaN;
  if (lower === 'inf' || lower === 'infinity') return Number.POSITIVE_INFINITY;
  if (lower === '-inf' || lower === '-infinity') return Number.NEGATIVE_INFINITY;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
