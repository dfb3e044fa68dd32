/**
 * Comparisons that work on the bytes of an item and allocate nothing: an attribute, a text or an id against a
 * literal, and whole numbers and times against each other. What they answer equals `compareValues`.
 */
import {
  ANY_BOOL,
  ANY_BYTES,
  ANY_DOUBLE,
  ANY_EMPTY,
  ANY_INT,
  ANY_STRING,
  AnyValueView,
} from '../otlp/any-value-view.ts';
import { doubleOfWords } from '../otlp/wire-reader.ts';
import type { Expr, Test, Words } from './expr.ts';
import { numberOfWords, wordsOf } from './expr.ts';
import type { Field } from './fields.ts';
import type { Comparison } from './syntax.ts';
import { differs, IdValue, numberOrder, orderHolds, type Value } from './value.ts';

const UTF8 = new TextEncoder();

const SWAPPED: Readonly<Record<Comparison, Comparison>> = {
  '==': '==',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

/** @returns undefined for what the generic path has to compare. */
export function fastComparison(operator: Comparison, left: Expr, right: Expr): Test | undefined {
  if (left.words !== undefined && right.words !== undefined) {
    return left.words.type === right.words.type ? compareWords(operator, left.words, right.words) : undefined;
  }
  if (right.constant !== undefined) return againstConstant(operator, left, right.constant.value);
  if (left.constant !== undefined) return againstConstant(SWAPPED[operator], right, left.constant.value);
  return undefined;
}

function againstConstant(operator: Comparison, expr: Expr, value: Value): Test | undefined {
  const { attribute, field } = expr;
  if (attribute !== undefined) {
    const compare = valueComparison(operator, value);
    if (compare === undefined) return undefined;
    const { holder, key } = attribute;
    const view = new AnyValueView();
    const absent = new AnyValueView();
    return (cursor) => {
      const table = cursor.table(holder);
      const found = table.findAttribute(key);
      if (found < 0) return compare(absent);
      table.readAttribute(found, view);
      return compare(view);
    };
  }
  if (field?.type === 'text' && typeof value === 'string') return compareTextField(operator, field, value);
  if (field?.type === 'id' && value instanceof IdValue) return compareId(operator, field, value);
  return undefined;
}

/** Comparison of an attribute's value, in which an empty one is nil, with a literal. */
function valueComparison(operator: Comparison, value: Value): ((view: AnyValueView) => boolean) | undefined {
  const isOther = differs(operator);
  switch (typeof value) {
    case 'string': {
      const utf8 = UTF8.encode(value);
      if (operator === '==' || operator === '!=') {
        return ({ kind, bytes, start, end }) =>
          (kind === ANY_STRING && isSame(utf8, bytes, start, end)) !== isOther;
      }
      return ({ kind, bytes, start, end }) =>
        kind === ANY_STRING ? orderHolds(operator, textOrder(bytes, start, end, utf8)) : isOther;
    }
    case 'bigint': {
      const { lo, hi } = wordsOf(value);
      const float = Number(value);
      return (view) => {
        if (view.kind === ANY_INT) return orderHolds(operator, wordOrder(view.lo, view.hi, lo, hi));
        if (view.kind !== ANY_DOUBLE) return isOther;
        return orderHolds(operator, numberOrder(doubleOfWords(view.lo, view.hi), float));
      };
    }
    case 'number':
      return (view) => {
        if (view.kind === ANY_INT) {
          return orderHolds(operator, numberOrder(numberOfWords(view.lo, view.hi), value));
        }
        if (view.kind !== ANY_DOUBLE) return isOther;
        return orderHolds(operator, numberOrder(doubleOfWords(view.lo, view.hi), value));
      };
    case 'boolean': {
      const word = value ? 1 : 0;
      return (view) => (view.kind === ANY_BOOL ? orderHolds(operator, view.lo - word) : isOther);
    }
    case 'undefined': {
      const isHeld = operator === '==' || operator === '<=' || operator === '>=';
      return ({ kind, start, end }) =>
        kind === ANY_EMPTY || (kind === ANY_BYTES && start === end) ? isHeld : isOther;
    }
    default:
      return undefined;
  }
}

function compareTextField(
  operator: Comparison,
  { holder, tag, outer }: Extract<Field, { type: 'text' }>,
  value: string,
): Test | undefined {
  if (outer !== undefined || typeof tag !== 'number') return undefined;
  const utf8 = UTF8.encode(value);
  if (operator === '==' || operator === '!=') {
    const isOther = operator === '!=';
    return (cursor) => {
      const table = cursor.table(holder);
      return isSame(utf8, cursor.bytes, table.start(tag), table.end(tag)) !== isOther;
    };
  }
  return (cursor) => {
    const table = cursor.table(holder);
    return orderHolds(operator, textOrder(cursor.bytes, table.start(tag), table.end(tag), utf8));
  };
}

/** An id that is absent, or of another size, is all zero. */
function compareId(
  operator: Comparison,
  { holder, tag, sizeBytes }: Extract<Field, { type: 'id' }>,
  { bytes: wanted }: IdValue,
): Test | undefined {
  if (operator !== '==' && operator !== '!=') return undefined;
  if (typeof tag !== 'number') return undefined;
  const isOther = operator === '!=';
  if (wanted.length !== sizeBytes) return () => isOther;
  const isZero = wanted.every((byte) => byte === 0);
  return (cursor) => {
    const table = cursor.table(holder);
    const start = table.start(tag);
    const end = table.end(tag);
    const isEqual = end - start === sizeBytes ? isSame(wanted, cursor.bytes, start, end) : isZero;
    return isEqual !== isOther;
  };
}

function compareWords(operator: Comparison, left: Words, right: Words): Test {
  const isHeldByNil = operator === '==' || operator === '<=' || operator === '>=';
  const isOther = differs(operator);
  return (cursor) => {
    const isLeft = left.read(cursor);
    const { lo, hi } = cursor;
    const isRight = right.read(cursor);
    if (isLeft && isRight) return orderHolds(operator, wordOrder(lo, hi, cursor.lo, cursor.hi));
    return isLeft === isRight ? isHeldByNil : isOther;
  };
}

/** Order of two signed numbers of 64 bits. */
export function wordOrder(lo: number, hi: number, otherLo: number, otherHi: number): number {
  if (hi !== otherHi) return hi < otherHi ? -1 : 1;
  return (lo >>> 0) - (otherLo >>> 0);
}

export function isSame(text: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  let at = text.length - 1;
  while (at >= 0 && text[at] === bytes[start + at]) at--;
  return at < 0;
}

function textOrder(bytes: Uint8Array, start: number, end: number, text: Uint8Array): number {
  const sizeMin = Math.min(end - start, text.length);
  for (let at = 0; at < sizeMin; at++) {
    if (bytes[start + at] !== text[at]) return bytes[start + at]! - text[at]!;
  }
  return end - start - text.length;
}
