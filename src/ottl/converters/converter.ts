/** What a converter is: its parameters, and a function from arguments of the right types to a value. */
import type { OttlCursor } from '../cursor.ts';
import type { OttlContext } from '../fields.ts';
import type { Value } from '../value.ts';

/**
 * How an argument is read. The plain types refuse every other one and nil; the `-like` ones convert and let nil
 * through; `any` takes what comes. A list of a kind converts each element.
 */
export type ParameterKind =
  | 'any'
  | 'string'
  | 'string-like'
  | 'int'
  | 'int-like'
  | 'float'
  | 'float-like'
  | 'bool'
  | 'bool-like'
  | 'bytes-like'
  | 'time'
  | 'duration'
  | 'map'
  | 'list'
  | 'any-list'
  | 'string-list'
  | 'string-like-list';

export interface Parameter {
  readonly name: string;
  readonly kind: ParameterKind;
  /** May be left out: its argument is undefined then. */
  readonly isOptional?: boolean;
}

/** Arguments after conversion; the kinds of the parameters are what makes the casts in converters sound. */
export type Arguments = readonly Value[];

export interface Converter {
  readonly params: readonly Parameter[];
  /** Where it is known; everywhere when absent. */
  readonly contexts?: readonly OttlContext[];
  /** Its value depends on more than its arguments. */
  readonly isVolatile?: boolean;
  /**
   * What is wrong with arguments: told at start of those that do not change, with `UNKNOWN` for the others, and
   * otherwise an error for the item.
   */
  readonly check?: (args: readonly (Value | typeof UNKNOWN)[]) => string | undefined;
  /** @throws EvaluationError */
  readonly apply: (args: Arguments, cursor: OttlCursor) => Value;
}

export type Converters = Readonly<Record<string, Converter>>;

/** Stands for an argument that is known only at run time. */
export const UNKNOWN = Symbol('unknown');

export const param = (name: string, kind: ParameterKind): Parameter => ({ name, kind });
export const optional = (name: string, kind: ParameterKind): Parameter => ({ name, kind, isOptional: true });
