/**
 * Conditions of the OpenTelemetry Transformation Language over encoded items.
 *
 *     const condition = compileCondition('attributes["http.status_code"] >= 500', { context: 'span' });
 *     const cursor = new OttlCursor();            // one for any number of conditions
 *     cursor.begin('traces', bytes, index);       // a scanned request
 *     cursor.moveToItem(item);                    // and moveToEvent(...) for context spanevent
 *     if (condition.evaluate(cursor)) ...
 *
 * Messages are read once for all conditions that look at the same place of a cursor. Comparisons of attributes,
 * names, kinds, ids, ints and times with literals, and IsMatch of a text, allocate nothing.
 */
import { compileBoolean } from './compile-boolean.ts';
import { type CompilerOptions, ValueCompiler } from './compile-value.ts';
import type { Converters } from './converters/converter.ts';
import type { OttlCursor } from './cursor.ts';
import { OttlSyntaxError } from './errors.ts';
import type { OttlContext } from './fields.ts';
import { parseCondition } from './parser.ts';
import type { BooleanNode } from './syntax.ts';

export interface ConditionOptions {
  /** What an item is; the paths of what is above it are there as well. */
  readonly context: OttlContext;
  /** Paths without a prefix are refused instead of read as the context's own. */
  readonly needsPrefix?: boolean;
  /** Converters of the component, beside those of the language. */
  readonly converters?: Converters;
  /** Leaves out the comparisons on bytes: for tests that compare both ways. */
  readonly isGeneric?: boolean;
}

export interface Condition {
  readonly text: string;
  readonly context: OttlContext;
  /**
   * @param cursor at an item of the context; for `spanevent` at an event of it as well.
   * @throws EvaluationError when it has no answer for this item.
   */
  evaluate(cursor: OttlCursor): boolean;
}

/** @throws OttlSyntaxError with all that is wrong, each with its column. */
export function compileCondition(text: string, options: ConditionOptions): Condition {
  return compileParsed(text, parseCondition(text), options);
}

/** For a text that was parsed before, to find its context. @throws OttlSyntaxError */
export function compileParsed(text: string, node: BooleanNode, options: ConditionOptions): Condition {
  const { context, needsPrefix = false, converters, isGeneric = false } = options;
  const compilerOptions: CompilerOptions = { context, needsPrefix, ...(converters && { converters }) };
  const compiler = new ValueCompiler(compilerOptions);
  const { test } = compileBoolean(node, compiler, isGeneric);
  if (compiler.issues.length > 0) throw new OttlSyntaxError(compiler.issues);
  return { text, context, evaluate: test };
}
