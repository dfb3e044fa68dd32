/** Compiles what is true or false: comparisons, calls, and what joins them. */
import type { ValueCompiler } from './compile-value.ts';
import { EvaluationError } from './errors.ts';
import type { Expr, Test } from './expr.ts';
import { fastComparison } from './fast-compare.ts';
import { fastTest } from './fast-test.ts';
import type { BooleanNode, CallNode } from './syntax.ts';
import { compareValues, typeName } from './value.ts';

interface CompiledTest {
  readonly test: Test;
  /** Written out, as `true` and `false` are; constants of other forms stay with their errors. */
  readonly constant?: boolean;
}

const ALWAYS: Readonly<Record<'true' | 'false', CompiledTest>> = {
  true: { test: () => true, constant: true },
  false: { test: () => false, constant: false },
};
const constantTest = (value: boolean) => (value ? ALWAYS.true : ALWAYS.false);

/** @param isGeneric leaves out what works on bytes. */
export function compileBoolean(node: BooleanNode, compiler: ValueCompiler, isGeneric: boolean): CompiledTest {
  switch (node.form) {
    case 'constant':
      return constantTest(node.value);
    case 'comparison': {
      const { operator } = node;
      const left = compiler.compile(node.left);
      const right = compiler.compile(node.right);
      const fast = isGeneric ? undefined : fastComparison(operator, left, right);
      const slow: Test = (cursor) => compareValues(operator, left.read(cursor), right.read(cursor));
      return { test: fast ?? slow };
    }
    case 'test':
      return compileCall(node.call, compiler, isGeneric);
    case 'not': {
      const { test, constant } = compileBoolean(node.operand, compiler, isGeneric);
      if (constant !== undefined) return constantTest(!constant);
      return { test: (cursor) => !test(cursor) };
    }
    case 'and':
    case 'or': {
      const parts = node.operands.map((operand) => compileBoolean(operand, compiler, isGeneric));
      return node.form === 'and' ? joined(parts, false, all) : joined(parts, true, any);
    }
  }
}

function compileCall(call: CallNode, compiler: ValueCompiler, isGeneric: boolean): CompiledTest {
  const issueCount = compiler.issues.length;
  const expr: Expr = compiler.compile(call);
  if (compiler.issues.length > issueCount) return ALWAYS.false;
  const { read, constant } = expr;
  if (constant !== undefined) {
    if (typeof constant.value === 'boolean') return constantTest(constant.value);
    const message = `${call.name} alone is no condition: it yields ${typeName(constant.value)}`;
    compiler.addIssue(message, call.column);
  }
  const fast = isGeneric ? undefined : fastTest(call, compiler);
  if (fast !== undefined) return { test: fast };
  const { name } = call;
  return {
    test: (cursor) => {
      const value = read(cursor);
      if (typeof value === 'boolean') return value;
      throw new EvaluationError(`${name} yields ${typeName(value)}, which is no condition`);
    },
  };
}

/** A part that decides on its own makes the others unneeded, even when they come first. */
function joined(
  parts: readonly CompiledTest[],
  deciding: boolean,
  join: (tests: readonly Test[]) => Test,
): CompiledTest {
  if (parts.some(({ constant }) => constant === deciding)) return constantTest(deciding);
  const left = parts.filter(({ constant }) => constant === undefined).map(({ test }) => test);
  if (left.length === 0) return constantTest(!deciding);
  return { test: left.length === 1 ? left[0]! : join(left) };
}

function all(tests: readonly Test[]): Test {
  const [first, second] = tests;
  if (tests.length === 2) return (cursor) => first!(cursor) && second!(cursor);
  return (cursor) => {
    for (let at = 0; at < tests.length; at++) if (!tests[at]!(cursor)) return false;
    return true;
  };
}

function any(tests: readonly Test[]): Test {
  const [first, second] = tests;
  if (tests.length === 2) return (cursor) => first!(cursor) || second!(cursor);
  return (cursor) => {
    for (let at = 0; at < tests.length; at++) if (tests[at]!(cursor)) return true;
    return false;
  };
}
