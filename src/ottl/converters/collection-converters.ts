/** Over maps and lists. */
import { EvaluationError } from '../errors.ts';
import {
  bigintOrder,
  compareTexts,
  compareValues,
  numberOrder,
  OpaqueValue,
  typeName,
  type Value,
} from '../value.ts';
import { plainText } from './coerce.ts';
import { type Converters, optional, param } from './converter.ts';

const UTF8 = new TextEncoder();

type Entries = ReadonlyMap<string, Value>;
type List = readonly Value[];

function lengthOf(value: Value): Value {
  if (typeof value === 'string') return BigInt(UTF8.encode(value).length);
  if (value instanceof Map) return BigInt(value.size);
  if (Array.isArray(value) || value instanceof Uint8Array) return BigInt(value.length);
  if (value instanceof OpaqueValue && value.isList) return BigInt(value.count);
  throw new EvaluationError(`${typeName(value)} has no length`);
}

function indexOf(target: Value, value: Value): Value {
  if (typeof target === 'string') {
    if (typeof value !== 'string') throw new EvaluationError('what is searched in a string is a string');
    const at = target.indexOf(value);
    return at < 0 ? -1n : BigInt(UTF8.encode(target.slice(0, at)).length);
  }
  if (!Array.isArray(target))
    throw new EvaluationError(`expected a list or a string, got ${typeName(target)}`);
  return BigInt((target as List).findIndex((element) => compareValues('==', element, value)));
}

/** Numbers by their size; as soon as a text, a bool or nil is among them, by their text. The values
 * stay as they are, and so does a list with others. */
function sorted(target: Value, order: Value): Value {
  if (!Array.isArray(target)) throw new EvaluationError(`expected a list, got ${typeName(target)}`);
  const list = target as List;
  const scalars = ['string', 'bigint', 'number', 'boolean', 'undefined'];
  if (!list.every((element) => scalars.includes(typeof element))) {
    return list;
  }
  const isAll = (types: readonly string[]) => list.every((element) => types.includes(typeof element));
  const direction = order === 'desc' ? -1 : 1;
  const by = <K>(keyOf: (value: Value) => K, compare: (a: K, b: K) => number): Value =>
    list
      .map((value) => ({ key: keyOf(value), value }))
      .sort((a, b) => direction * compare(a.key, b.key))
      .map(({ value }) => value);
  if (isAll(['bigint'])) return by((value) => value as bigint, bigintOrder);
  if (isAll(['bigint', 'number'])) return by(Number, numberOrder);
  return by(plainText, compareTexts);
}

function extracted(element: Value, path: List): Value {
  let current: Value = element;
  for (const key of path) {
    if (!(current instanceof Map) || !current.has(key as string)) {
      throw new EvaluationError(`an element has nothing under ${JSON.stringify(path)}`);
    }
    current = current.get(key as string) as Value;
  }
  return current;
}

function sliceToMap(list: List, keyPath: List | undefined, valuePath: List | undefined): Value {
  const map = new Map<string, Value>();
  list.forEach((element, at) => {
    if ((keyPath !== undefined || valuePath !== undefined) && !(element instanceof Map)) {
      throw new EvaluationError(`element ${at} is no map`);
    }
    const key = keyPath === undefined ? String(at) : extracted(element, keyPath);
    if (typeof key !== 'string') throw new EvaluationError(`the key of element ${at} is no string`);
    map.set(key, valuePath === undefined ? element : extracted(element, valuePath));
  });
  return map;
}

/** In quotes when it holds a delimiter or a quote. */
function quoted(text: string, delimiter: string, pairDelimiter: string): string {
  const escaped = text.replaceAll('"', '\\"');
  return text.includes(delimiter) || text.includes(pairDelimiter) ? `"${escaped}"` : escaped;
}

function keyValueText(map: Entries, delimiter: string, pairDelimiter: string, isSorted: boolean): string {
  const entries = [...map];
  if (isSorted) entries.sort(([a], [b]) => compareTexts(a, b));
  const quote = (text: string) => quoted(text, delimiter, pairDelimiter);
  return entries
    .map(([key, value]) => `${quote(key)}${delimiter}${quote(plainText(value))}`)
    .join(pairDelimiter);
}

/** Delimiters must be there and differ. */
export function delimiterIssue(delimiter: unknown = '=', pairDelimiter: unknown = ' '): string | undefined {
  if (delimiter === '' || pairDelimiter === '') return 'a delimiter must not be empty';
  return delimiter === pairDelimiter ? 'the two delimiters must differ' : undefined;
}

export const COLLECTION_CONVERTERS: Converters = {
  Len: { params: [param('target', 'any')], apply: ([target]) => lengthOf(target) },
  Keys: { params: [param('target', 'map')], apply: ([target]) => [...(target as Entries).keys()] },
  Values: { params: [param('target', 'map')], apply: ([target]) => [...(target as Entries).values()] },
  Sort: {
    params: [param('target', 'any'), optional('order', 'string')],
    check: ([, order]) =>
      typeof order === 'string' && order !== 'asc' && order !== 'desc'
        ? 'order is "asc" or "desc"'
        : undefined,
    apply: ([target, order]) => sorted(target, order),
  },
  ContainsValue: {
    params: [param('target', 'list'), param('item', 'any')],
    apply: ([target, item]) => (target as List).some((element) => compareValues('==', element, item)),
  },
  Index: {
    params: [param('target', 'any'), param('value', 'any')],
    apply: ([target, value]) => indexOf(target, value),
  },
  SliceToMap: {
    params: [
      param('target', 'list'),
      optional('key_path', 'string-list'),
      optional('value_path', 'string-list'),
    ],
    check: ([, ...paths]) =>
      paths.some((path) => Array.isArray(path) && path.length === 0) ? 'a path must not be empty' : undefined,
    apply: ([list, key, value]) =>
      sliceToMap(list as List, key as List | undefined, value as List | undefined),
  },
  Coalesce: {
    params: [param('values', 'any-list')],
    check: ([values]) =>
      Array.isArray(values) && values.length === 0 ? 'needs at least one value' : undefined,
    apply: ([values]) => (values as List).find((value) => value !== undefined),
  },
  ToKeyValueString: {
    params: [
      param('target', 'map'),
      optional('delimiter', 'string'),
      optional('pair_delimiter', 'string'),
      optional('sort_output', 'bool'),
    ],
    check: ([, delimiter, pairDelimiter]) => delimiterIssue(delimiter, pairDelimiter),
    apply: ([map, delimiter = '=', pairDelimiter = ' ', isSorted = false]) =>
      keyValueText(map as Entries, delimiter as string, pairDelimiter as string, isSorted as boolean),
  },
};
