import type { Holder, OttlCursor } from './cursor.ts';
import type { Field } from './fields.ts';
import type { Value } from './value.ts';

/** Makes the value at the cursor. @throws EvaluationError */
export type Getter = (cursor: OttlCursor) => Value;

/** The answer at the cursor. @throws EvaluationError */
export type Test = (cursor: OttlCursor) => boolean;

/** A whole number of 64 signed bits without making a BigInt: leaves it in the cursor's lo and hi. */
export interface Words {
  /** Nanoseconds for the last two. */
  readonly type: 'int' | 'time' | 'duration';
  /** @returns false for nil. @throws EvaluationError */
  readonly read: (cursor: OttlCursor) => boolean;
}

/** A compiled value: how to make it, and what is known about it beforehand. */
export interface Expr {
  readonly read: Getter;
  /** It is the same everywhere, and needs no cursor. */
  readonly constant?: { readonly value: Value };
  readonly words?: Words;
  /** One attribute by a key that does not change. */
  readonly attribute?: { readonly holder: Holder; readonly key: Uint8Array };
  /** A whole field, read without keys. */
  readonly field?: Field;
}

/** Low and high word of a number of 64 bits, int32 bits each. */
export function wordsOf(value: bigint): { lo: number; hi: number } {
  return { lo: Number(BigInt.asIntN(32, value)), hi: Number(BigInt.asIntN(32, value >> 32n)) };
}

/** The float64 that is nearest to a signed number of 64 bits. */
export function numberOfWords(lo: number, hi: number): number {
  return hi * 0x1_0000_0000 + (lo >>> 0);
}
