/**
 * Values at run time, as the generic path of the compiler hands them on. Common comparisons never make them.
 *
 * | OTTL      | here                                          |
 * | --------- | --------------------------------------------- |
 * | nil       | undefined                                     |
 * | int64     | bigint, within 64 signed bits                 |
 * | float64   | number                                        |
 * | bytes     | Uint8Array                                    |
 * | map, list | Map (of equal keys the first one), array      |
 * | events, data points and the like | OpaqueValue: only their number is known |
 */
import {
  ANY_ARRAY,
  ANY_BOOL,
  ANY_BYTES,
  ANY_DOUBLE,
  ANY_INT,
  ANY_KVLIST,
  ANY_STRING,
  AnyValueView,
} from '../otlp/any-value-view.ts';
import { AttributeCursor, RepeatedCursor } from '../otlp/item-view.ts';
import { TAG_ARRAY_VALUES, TAG_KVLIST_VALUES } from '../otlp/tags.ts';
import type { Comparison } from './syntax.ts';

/** A moment. */
export class TimeValue {
  /** Since 1970, UTC. */
  readonly nanos: bigint;
  /** East of UTC; what calendar parts are taken in. */
  readonly offsetSeconds: number;
  /** IANA name of the zone when it is known, for `%Z`. */
  readonly zone: string;

  constructor(nanos: bigint, offsetSeconds = 0, zone = 'UTC') {
    this.nanos = nanos;
    this.offsetSeconds = offsetSeconds;
    this.zone = zone;
  }
}

export class DurationValue {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A trace id (16 bytes) or span id (8). */
export class IdValue {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** Something that can be counted and passed on, and nothing else. */
export class OpaqueValue {
  /** 0 for what is no list. */
  readonly count: number;
  readonly typeName: string;
  readonly isList: boolean;

  /** @param count of its elements; without one it is no list. */
  constructor(typeName: string, count?: number) {
    this.typeName = typeName;
    this.count = count ?? 0;
    this.isList = count !== undefined;
  }
}

export type Value =
  | undefined
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | ReadonlyMap<string, Value>
  | readonly Value[]
  | TimeValue
  | DurationValue
  | IdValue
  | OpaqueValue;

/** How a value is called in messages. */
export function typeName(value: Value): string {
  if (value === undefined) return 'nil';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
    case 'string':
      return 'string';
  }
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Map) return 'map';
  if (Array.isArray(value)) return 'list';
  if (value instanceof TimeValue) return 'time';
  if (value instanceof DurationValue) return 'duration';
  if (value instanceof IdValue) return value.bytes.length === 16 ? 'trace id' : 'span id';
  return (value as OpaqueValue).typeName;
}

/** What an AnyValue holds; bytes are copied. */
export function valueOfAny(view: AnyValueView): Value {
  switch (view.kind) {
    case ANY_STRING:
      return view.text();
    case ANY_BOOL:
      return view.bool();
    case ANY_INT:
      return view.int();
    case ANY_DOUBLE:
      return view.double();
    case ANY_BYTES:
      return view.bytes.slice(view.start, view.end);
    case ANY_ARRAY:
      return listOf(view.bytes, view.start, view.end);
    case ANY_KVLIST:
      return mapOf(view.bytes, view.start, view.end, TAG_KVLIST_VALUES);
    default:
      return undefined;
  }
}

function listOf(bytes: Uint8Array, start: number, end: number): Value[] {
  const values: Value[] = [];
  const cursor = new RepeatedCursor();
  const view = new AnyValueView();
  cursor.reset(bytes, start, end, TAG_ARRAY_VALUES);
  while (cursor.next()) {
    view.reset(bytes, cursor.start, cursor.end);
    values.push(valueOfAny(view));
  }
  return values;
}

/** @param tag of the repeated KeyValue field of the message in [start, end). */
export function mapOf(bytes: Uint8Array, start: number, end: number, tag: number): Map<string, Value> {
  const map = new Map<string, Value>();
  const cursor = new AttributeCursor();
  cursor.reset(bytes, start, end, tag);
  while (cursor.next()) {
    const key = cursor.keyText();
    if (!map.has(key)) map.set(key, valueOfAny(cursor.value));
  }
  return map;
}

/** The order of the texts' UTF-8 bytes, which is that of their code points and not of UTF-16 units. */
export function compareTexts(left: string, right: string): number {
  const sizeMin = Math.min(left.length, right.length);
  for (let at = 0; at < sizeMin; at++) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a === b) continue;
    const isSurrogate = (unit: number) => unit >= 0xd800 && unit < 0xe000;
    // Surrogates stand for code points above all other units.
    if (isSurrogate(a) !== isSurrogate(b)) return isSurrogate(a) ? 1 : -1;
    return a - b;
  }
  return left.length - right.length;
}

export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const sizeMin = Math.min(left.length, right.length);
  for (let at = 0; at < sizeMin; at++) if (left[at] !== right[at]) return left[at]! - right[at]!;
  return left.length - right.length;
}

/** What an operator makes of an order: below 0, 0, above 0, or NaN for neither. */
export function orderHolds(operator: Comparison, order: number): boolean {
  switch (operator) {
    case '==':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

/** What an operator says of values that cannot be compared. */
export function differs(operator: Comparison): boolean {
  return operator === '!=';
}

/** Order of two numbers, NaN when one of them is. */
export function numberOrder(left: number, right: number): number {
  if (left < right) return -1;
  if (left > right) return 1;
  return left === right ? 0 : Number.NaN;
}

export function bigintOrder(left: bigint, right: bigint): number {
  if (left < right) return -1;
  return left > right ? 1 : 0;
}

/** The comparison of two values of any types; never an error. No bytes are nil, as in the Collector. */
export function compareValues(operator: Comparison, leftValue: Value, rightValue: Value): boolean {
  const left = isNoBytes(leftValue) ? undefined : leftValue;
  const right = isNoBytes(rightValue) ? undefined : rightValue;
  if (left === undefined && right === undefined)
    return operator === '==' || operator === '<=' || operator === '>=';
  if (left === undefined || right === undefined) return differs(operator);
  if (isNumber(left) && isNumber(right)) {
    if (typeof left === 'bigint' && typeof right === 'bigint') {
      return orderHolds(operator, bigintOrder(left, right));
    }
    return orderHolds(operator, numberOrder(Number(left), Number(right)));
  }
  if (typeof left === 'string' && typeof right === 'string') {
    return orderHolds(operator, compareTexts(left, right));
  }
  if (typeof left === 'boolean' && typeof right === 'boolean') {
    return orderHolds(operator, Number(left) - Number(right));
  }
  if (left instanceof Uint8Array && right instanceof Uint8Array) {
    return orderHolds(operator, compareBytes(left, right));
  }
  if (
    (left instanceof TimeValue && right instanceof TimeValue) ||
    (left instanceof DurationValue && right instanceof DurationValue)
  ) {
    return orderHolds(operator, bigintOrder(left.nanos, right.nanos));
  }
  if (operator === '==') return isEqualValue(left, right);
  return operator === '!=' && !isEqualValue(left, right);
}

function isNoBytes(value: Value): boolean {
  return value instanceof Uint8Array && value.length === 0;
}

function isNumber(value: Value): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number';
}

/** Deep equality of the same types: an int is no float here. */
export function isEqualValue(left: Value, right: Value): boolean {
  if (left instanceof Map && right instanceof Map) {
    if (left.size !== right.size) return false;
    for (const [key, value] of left) {
      if (!right.has(key) || !isEqualValue(value, right.get(key))) return false;
    }
    return true;
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((value, at) => isEqualValue(value, right[at]));
  }
  if (left instanceof Uint8Array && right instanceof Uint8Array) return compareBytes(left, right) === 0;
  if (left instanceof IdValue && right instanceof IdValue) return compareBytes(left.bytes, right.bytes) === 0;
  if (left instanceof TimeValue && right instanceof TimeValue) return left.nanos === right.nanos;
  if (left instanceof DurationValue && right instanceof DurationValue) return left.nanos === right.nanos;
  return left === right;
}
