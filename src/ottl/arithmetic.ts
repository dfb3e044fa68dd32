/** `+ - * /` and the sign. Ints wrap at 64 bits, and with a float become floats. */
import { EvaluationError } from './errors.ts';
import type { Expr, Words } from './expr.ts';
import type { MathOperator } from './syntax.ts';
import { DurationValue, TimeValue, typeName, type Value } from './value.ts';

const wrapped = (value: bigint) => BigInt.asIntN(64, value);

export function calculate(operator: MathOperator, left: Value, right: Value): Value {
  if (typeof left === 'bigint' && typeof right === 'bigint') return wrapped(ofInts(operator, left, right));
  if (isNumber(left) && isNumber(right)) return ofFloats(operator, Number(left), Number(right));
  if (operator === '+') {
    if (left instanceof TimeValue && right instanceof DurationValue) return moved(left, right.nanos);
    if (left instanceof DurationValue && right instanceof TimeValue) return moved(right, left.nanos);
    if (left instanceof DurationValue && right instanceof DurationValue) {
      return new DurationValue(wrapped(left.nanos + right.nanos));
    }
  }
  if (operator === '-') {
    if (left instanceof TimeValue && right instanceof TimeValue) {
      return new DurationValue(clamped(left.nanos - right.nanos));
    }
    if (left instanceof TimeValue && right instanceof DurationValue) return moved(left, -right.nanos);
    if (left instanceof DurationValue && right instanceof DurationValue) {
      return new DurationValue(wrapped(left.nanos - right.nanos));
    }
  }
  throw new EvaluationError(`"${operator}" does not go with ${typeName(left)} and ${typeName(right)}`);
}

export function negate(value: Value): Value {
  if (typeof value === 'bigint') return wrapped(-value);
  if (typeof value === 'number') return -value;
  throw new EvaluationError(`${typeName(value)} has no sign`);
}

function isNumber(value: Value): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number';
}

function moved(time: TimeValue, nanos: bigint): TimeValue {
  return new TimeValue(time.nanos + nanos, time.offsetSeconds, time.zone);
}

/** The distance of two times ends at the longest duration there is. */
function clamped(nanos: bigint): bigint {
  if (wrapped(nanos) === nanos) return nanos;
  return nanos > 0n ? 2n ** 63n - 1n : -(2n ** 63n);
}

function ofInts(operator: MathOperator, left: bigint, right: bigint): bigint {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      if (right === 0n) throw new EvaluationError('division by zero');
      return left / right;
  }
}

function ofFloats(operator: MathOperator, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      if (right === 0) throw new EvaluationError('division by zero');
      return left / right;
  }
}

/** Sums and differences of ints without BigInts, which `end_time_unix_nano - start_time_unix_nano` is. */
export function wordsOfMath(operator: MathOperator, left: Expr, right: Expr): Words | undefined {
  if (operator !== '+' && operator !== '-') return undefined;
  const [leftWords, rightWords] = [left.words, right.words];
  if (leftWords?.type !== 'int' || rightWords?.type !== 'int') return undefined;
  const isSum = operator === '+';
  return {
    type: 'int',
    read: (cursor) => {
      const isLeft = leftWords.read(cursor);
      const { lo, hi } = cursor;
      const isRight = rightWords.read(cursor);
      if (!isLeft || !isRight) throw new EvaluationError(`"${operator}" does not go with nil`);
      const otherLo = cursor.lo;
      if (isSum) {
        cursor.lo = (lo + otherLo) | 0;
        // The sum is below one of its parts when it went over 32 bits.
        const carry = cursor.lo >>> 0 < lo >>> 0 ? 1 : 0;
        cursor.hi = (hi + cursor.hi + carry) | 0;
      } else {
        cursor.lo = (lo - otherLo) | 0;
        cursor.hi = (hi - cursor.hi - (lo >>> 0 < otherLo >>> 0 ? 1 : 0)) | 0;
      }
      return true;
    },
  };
}

/** The distance of two times as words; it ends at the longest duration there is. */
export function timeDistance(operator: MathOperator, left: Expr, right: Expr): Words | undefined {
  if (operator !== '-' || left.words?.type !== 'time' || right.words?.type !== 'time') return undefined;
  const leftWords = left.words;
  const rightWords = right.words;
  return {
    type: 'duration',
    read: (cursor) => {
      const isLeft = leftWords.read(cursor);
      const { lo, hi } = cursor;
      if (!rightWords.read(cursor) || !isLeft) throw new EvaluationError('"-" does not go with nil');
      const rightHi = cursor.hi;
      const borrow = lo >>> 0 < cursor.lo >>> 0 ? 1 : 0;
      cursor.lo = (lo - cursor.lo) | 0;
      cursor.hi = (hi - rightHi - borrow) | 0;
      // Over 64 bits the signs tell: the difference has not that of the left one.
      if (((hi ^ rightHi) & (hi ^ cursor.hi)) < 0) {
        cursor.lo = hi < 0 ? 0 : -1;
        cursor.hi = hi < 0 ? -0x8000_0000 : 0x7fff_ffff;
      }
      return true;
    },
  };
}
