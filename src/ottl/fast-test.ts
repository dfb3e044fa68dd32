/** IsMatch, the tests of types and IsRootSpan on the bytes of an item, for attributes and texts. */
import {
  ANY_BOOL,
  ANY_DOUBLE,
  ANY_EMPTY,
  ANY_INT,
  ANY_KVLIST,
  ANY_STRING,
  AnyValueView,
} from '../otlp/any-value-view.ts';
import { TAG_SPAN_PARENT_SPAN_ID } from '../otlp/tags.ts';
import type { ValueCompiler } from './compile-value.ts';
import { textOf } from './converters/coerce.ts';
import { HOLDER_ITEM } from './cursor.ts';
import { regexText } from './dynamic-regex.ts';
import type { Expr, Test } from './expr.ts';
import { RegexList } from './regex.ts';
import type { CallNode, ValueNode } from './syntax.ts';
import { valueOfAny } from './value.ts';

const KINDS: Readonly<Record<string, number>> = {
  IsString: ANY_STRING,
  IsInt: ANY_INT,
  IsDouble: ANY_DOUBLE,
  IsBool: ANY_BOOL,
  IsMap: ANY_KVLIST,
};

/** @param call that compiles without issues. @returns undefined for what only the converter itself can do. */
export function fastTest(call: CallNode, compiler: ValueCompiler): Test | undefined {
  if (call.keys.length > 0) return undefined;
  if (call.name === 'IsRootSpan') return isRootSpan;
  const [target, pattern] = call.args.map(({ name, value }) =>
    name === undefined && value.form !== 'function' ? value : undefined,
  );
  if (target?.form !== 'path') return undefined;
  const kind = KINDS[call.name];
  if (kind !== undefined) return typeTest(compiler.compile(target), kind);
  if (call.name !== 'IsMatch' || pattern === undefined) return undefined;
  return matchTest(compiler.compile(target), compiler.compile(pattern as ValueNode));
}

const isRootSpan: Test = (cursor) => {
  const table = cursor.table(HOLDER_ITEM);
  const start = table.start(TAG_SPAN_PARENT_SPAN_ID);
  if (table.end(TAG_SPAN_PARENT_SPAN_ID) - start !== 8) return true;
  for (let at = start; at < start + 8; at++) if (cursor.bytes[at] !== 0) return false;
  return true;
};

function typeTest({ attribute }: Expr, kind: number): Test | undefined {
  if (attribute === undefined) return undefined;
  const { holder, key } = attribute;
  const view = new AnyValueView();
  return (cursor) => {
    const table = cursor.table(holder);
    const found = table.findAttribute(key);
    if (found < 0) return false;
    table.readAttribute(found, view);
    return view.kind === kind;
  };
}

function matchTest({ attribute, field }: Expr, { constant }: Expr): Test | undefined {
  const pattern = constant?.value;
  if (typeof pattern !== 'string') return undefined;
  if (field?.type === 'text' && field.outer === undefined && typeof field.tag === 'number') {
    const regexes = new RegexList([pattern]);
    const { holder, tag } = field;
    return (cursor) => {
      const table = cursor.table(holder);
      return regexes.matches(cursor.bytes, table.start(tag), table.end(tag));
    };
  }
  if (attribute === undefined) return undefined;
  const regexes = new RegexList([pattern]);
  const { holder, key } = attribute;
  const view = new AnyValueView();
  return (cursor) => {
    const table = cursor.table(holder);
    const found = table.findAttribute(key);
    if (found < 0) return false;
    table.readAttribute(found, view);
    if (view.kind === ANY_STRING) return regexes.matches(view.bytes, view.start, view.end);
    if (view.kind === ANY_EMPTY) return false;
    return regexes.matchesText(regexText(textOf(valueOfAny(view))));
  };
}
