/** Compiles values: literals, paths, arithmetic and calls of converters. */
import { didYouMean } from '../stdx/nearest.ts';
import { calculate, negate, timeDistance, wordsOfMath } from './arithmetic.ts';
import { CONVERTERS, UNSUPPORTED_CONVERTERS } from './converters/catalogue.ts';
import { coerce } from './converters/coerce.ts';
import { type Converter, type Converters, type Parameter, UNKNOWN } from './converters/converter.ts';
import { OttlCursor } from './cursor.ts';
import { ENUMS } from './enums.ts';
import { EvaluationError, type OttlIssue } from './errors.ts';
import { type Expr, type Getter, wordsOf } from './expr.ts';
import type { Field, Fields, OttlContext } from './fields.ts';
import { contextOfPrefix, FIELDS, REACHES } from './paths.ts';
import { indexResult, readField, takesKeys } from './read-field.ts';
import type { ArgumentNode, CallNode, FieldNode, KeyNode, PathNode, ValueNode } from './syntax.ts';
import { DurationValue, TimeValue, type Value } from './value.ts';

const NIL: Expr = { read: () => undefined, constant: { value: undefined } };
/** Where constants are evaluated: they look at nothing. */
const NOWHERE = new OttlCursor();

export interface CompilerOptions {
  readonly context: OttlContext;
  /** Paths have to begin with their context. */
  readonly needsPrefix: boolean;
  /** Converters beside those of the language. */
  readonly converters?: Converters;
}

/** Collects what is wrong instead of stopping at it; what it returns then is nil. */
export class ValueCompiler {
  readonly issues: OttlIssue[] = [];
  readonly #context: OttlContext;
  readonly #needsPrefix: boolean;
  readonly #converters: Converters;

  constructor({ context, needsPrefix, converters = {} }: CompilerOptions) {
    this.#context = context;
    this.#needsPrefix = needsPrefix;
    this.#converters = { ...CONVERTERS, ...converters };
  }

  compile(node: ValueNode): Expr {
    switch (node.form) {
      case 'literal':
        return constantExpr(node.value);
      case 'enum':
        return this.#enum(node.name, node.column);
      case 'list':
        return this.#list(node.items.map((item) => this.compile(item)));
      case 'map':
        return this.#map(node.entries.map(({ key, value }) => [key, this.compile(value)]));
      case 'path':
        return this.#path(node);
      case 'call':
        return this.#call(node);
      case 'math': {
        const { operator } = node;
        const left = this.compile(node.left);
        const right = this.compile(node.right);
        const read: Getter = (cursor) => calculate(operator, left.read(cursor), right.read(cursor));
        const words = wordsOfMath(operator, left, right) ?? timeDistance(operator, left, right);
        return foldable([left, right], words === undefined ? { read } : { read, words });
      }
      case 'negate': {
        const operand = this.compile(node.operand);
        return foldable([operand], { read: (cursor) => negate(operand.read(cursor)) });
      }
    }
  }

  addIssue(message: string, column: number): void {
    this.issues.push({ message, column });
  }

  #enum(name: string, column: number): Expr {
    const value = ENUMS[this.#context].get(name);
    if (value !== undefined) return constantExpr(value);
    const guess = didYouMean(name, ENUMS[this.#context].keys());
    this.addIssue(`unknown name "${name}" in context ${this.#context}${guess}`, column);
    return NIL;
  }

  #list(items: readonly Expr[]): Expr {
    return foldable(items, { read: (cursor) => items.map(({ read }) => read(cursor)) });
  }

  #map(entries: readonly (readonly [string, Expr])[]): Expr {
    const values = entries.map(([, value]) => value);
    const read: Getter = (cursor) => new Map(entries.map(([key, value]) => [key, value.read(cursor)]));
    return foldable(values, { read });
  }

  #path(node: PathNode): Expr {
    const found = this.#findField(node);
    if (found === undefined) return NIL;
    const { field, last } = found;
    if (field.type === 'unsupported') {
      this.addIssue(`path "${node.text}" is not supported yet`, node.column);
      return NIL;
    }
    const keys = this.#keys(last.keys);
    if (keys.length > 0 && !takesKeys(field)) {
      this.addIssue(`path "${node.text}" cannot be indexed`, last.column);
      return NIL;
    }
    if (field.type === 'trace_state' && keys.length > 1) {
      this.addIssue('"trace_state" is indexed by one key', last.column);
      return NIL;
    }
    return readField(field, keys);
  }

  #findField(node: PathNode): { field: Field; last: FieldNode } | undefined {
    const [first] = node.fields;
    const prefix = node.fields.length > 1 && first!.keys.length === 0 ? first!.name : '';
    const named = contextOfPrefix(prefix);
    if (prefix === 'otelcol' || prefix === 'exemplar' || prefix === 'profile') {
      this.addIssue(`path "${node.text}": the paths of "${prefix}" are not supported yet`, node.column);
      return undefined;
    }
    const reached = REACHES[this.#context];
    if (named !== undefined && !reached.includes(named)) {
      const message = `path "${node.text}" is not there in context ${this.#context}, which reaches ${reached.join(', ')}`;
      this.addIssue(message, node.column);
      return undefined;
    }
    const fields = named === undefined ? node.fields : node.fields.slice(1);
    const found = follow(FIELDS[named ?? this.#context], fields);
    if (found === undefined || (this.#needsPrefix && named === undefined)) {
      const what = found === undefined ? 'unknown path' : 'a path begins with its context here:';
      this.addIssue(`${what} "${node.text}"${didYouMean(node.text, this.#pathNames())}`, node.column);
      return undefined;
    }
    return { field: found, last: fields.at(-1)! };
  }

  /** All that may be written for a path. */
  #pathNames(): string[] {
    const own = this.#needsPrefix ? [] : namesOf(FIELDS[this.#context], '');
    return own.concat(REACHES[this.#context].flatMap((context) => namesOf(FIELDS[context], `${context}.`)));
  }

  #keys(keys: readonly KeyNode[]): Expr[] {
    return keys.map((key) => this.compile(key));
  }

  #call(node: CallNode): Expr {
    const converter = this.#converter(node);
    const args = node.args.map(({ name, value }) => ({ name, expr: this.#argument(value) }));
    const keys = this.#keys(node.keys);
    if (converter === undefined) return NIL;
    const issueCount = this.issues.length;
    const exprs = this.#bind(node, converter.params, args);
    if (exprs === undefined) return NIL;
    this.#check(node, converter, exprs);
    if (this.issues.length > issueCount) return NIL;
    const { apply, check, params } = converter;
    // What a converter says of its constants holds for what items give in their place.
    const isChecked =
      check !== undefined && exprs.slice(1).some((expr) => expr !== undefined && !expr.constant);
    const call: Getter = (cursor) => {
      const values: Value[] = [];
      for (let at = 0; at < params.length; at++) {
        const expr = exprs[at];
        values.push(expr === undefined ? undefined : coerce(params[at]!.kind, expr.read(cursor)));
      }
      const issue = isChecked ? check(values) : undefined;
      if (issue !== undefined) throw new EvaluationError(issue);
      return apply(values, cursor);
    };
    const read: Getter = keys.length === 0 ? call : (cursor) => indexResult(call(cursor), keys, cursor);
    if (converter.isVolatile === true) return { read };
    return foldable([...exprs.filter((expr) => expr !== undefined), ...keys], { read });
  }

  #converter({ name, column }: CallNode): Converter | undefined {
    if (Object.hasOwn(this.#converters, name)) {
      const converter = this.#converters[name]!;
      if (converter.contexts === undefined || converter.contexts.includes(this.#context)) return converter;
      this.addIssue(`converter "${name}" is not there in context ${this.#context}`, column);
    } else if (UNSUPPORTED_CONVERTERS.has(name)) {
      this.addIssue(`converter "${name}" is not supported yet`, column);
    } else {
      const known = [...Object.keys(this.#converters), ...UNSUPPORTED_CONVERTERS];
      this.addIssue(`unknown converter "${name}"${didYouMean(name, known)}`, column);
    }
    return undefined;
  }

  #argument(value: ArgumentNode['value']): Expr {
    if (value.form !== 'function') return this.compile(value);
    this.addIssue(`converter "${value.name}" as an argument is not supported yet`, value.column);
    return NIL;
  }

  /** Arguments in the order of the parameters, undefined for those left out. */
  #bind(
    { name, column }: CallNode,
    params: readonly Parameter[],
    args: readonly { name: string | undefined; expr: Expr }[],
  ): (Expr | undefined)[] | undefined {
    const issueCount = this.issues.length;
    const bound = new Array<Expr | undefined>(params.length).fill(undefined);
    let isNamed = false;
    args.forEach((argument, at) => {
      const index =
        argument.name === undefined ? at : params.findIndex((each) => each.name === argument.name);
      if (argument.name === undefined && isNamed) {
        this.addIssue(`${name}: arguments by position come before those by name`, column);
      } else if (argument.name !== undefined && index < 0) {
        const guess = didYouMean(
          argument.name,
          params.map((each) => each.name),
        );
        this.addIssue(`${name} has no parameter "${argument.name}"${guess}`, column);
      } else if (index < bound.length) bound[index] = argument.expr;
      if (argument.name !== undefined) isNamed = true;
    });
    const missing = params.filter((each, at) => bound[at] === undefined && each.isOptional !== true);
    if (missing.length > 0 || args.length > params.length) {
      const wanted = params.map((each) => (each.isOptional === true ? `[${each.name}]` : each.name));
      this.addIssue(`${name} takes (${wanted.join(', ')}), got ${args.length} arguments`, column);
    }
    return this.issues.length === issueCount ? bound : undefined;
  }

  /** Literals that an argument cannot be, and whatever the converter says of its constants. */
  #check(
    { name, column }: CallNode,
    { params, check }: Converter,
    exprs: readonly (Expr | undefined)[],
  ): void {
    const constants = exprs.map((expr, at) => {
      if (expr === undefined) return undefined;
      if (expr.constant === undefined) return UNKNOWN;
      try {
        return coerce(params[at]!.kind, expr.constant.value);
      } catch (error) {
        if (!(error instanceof EvaluationError)) throw error;
        this.addIssue(`${name}: ${params[at]!.name}: ${error.message}`, column);
        return UNKNOWN;
      }
    });
    const message = check?.(constants);
    if (message !== undefined) this.addIssue(`${name}: ${message}`, column);
  }
}

function follow(fields: Fields, path: readonly FieldNode[]): Field | undefined {
  let current: Field | undefined;
  let members: Fields | undefined = fields;
  for (const { name } of path) {
    if (members === undefined || !Object.hasOwn(members, name)) return undefined;
    current = members[name];
    members = current?.members;
  }
  return current;
}

function namesOf(fields: Fields, prefix: string): string[] {
  return Object.entries(fields).flatMap(([name, { members }]) => [
    prefix + name,
    ...(members === undefined ? [] : namesOf(members, `${prefix}${name}.`)),
  ]);
}

export function constantExpr(value: Value): Expr {
  const read = () => value;
  const words = wordsOfConstant(value);
  return words === undefined ? { read, constant: { value } } : { read, constant: { value }, words };
}

function wordsOfConstant(value: Value): Expr['words'] {
  let type: 'int' | 'time' | 'duration' = 'int';
  let whole: bigint;
  if (typeof value === 'bigint') whole = value;
  else if (value instanceof DurationValue || value instanceof TimeValue) {
    type = value instanceof TimeValue ? 'time' : 'duration';
    whole = value.nanos;
  } else return undefined;
  if (BigInt.asIntN(64, whole) !== whole) return undefined;
  const { lo, hi } = wordsOf(whole);
  return {
    type,
    read: (cursor) => {
      cursor.lo = lo;
      cursor.hi = hi;
      return true;
    },
  };
}

/** Evaluates at once what depends on constants only. What fails is left to fail for each item, as in the Collector. */
function foldable(parts: readonly Expr[], expr: Expr): Expr {
  if (!parts.every(({ constant }) => constant !== undefined)) return expr;
  try {
    return constantExpr(expr.read(NOWHERE));
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    return { read: expr.read };
  }
}
