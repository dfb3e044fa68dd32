/** Compiles a path's field, and the keys behind it, into what reads it. */
import { ANY_ARRAY, ANY_KVLIST, AnyValueView } from '../otlp/any-value-view.ts';
import { ItemView } from '../otlp/item-view.ts';
import { TAG_SPAN_TRACE_STATE } from '../otlp/tags.ts';
import { bigintOfWords, decodeUtf8, doubleOfWords } from '../otlp/wire-reader.ts';
import { HOLDER_ITEM, type Holder, type OttlCursor } from './cursor.ts';
import { EvaluationError } from './errors.ts';
import type { Expr, Getter } from './expr.ts';
import { type Field, idBytes } from './fields.ts';
import { IdValue, mapOf, TimeValue, typeName, type Value, valueOfAny } from './value.ts';

const UTF8 = new TextEncoder();
const NO_ENTRIES: ReadonlyMap<string, Value> = new Map();

type Placed = Extract<Field, { tag: unknown }>;

/** Whether keys may stand behind a field. */
export function takesKeys(field: Field): boolean {
  return ['attributes', 'any', 'trace_state', 'cache'].includes(field.type);
}

/** @param keys compiled, in their order; none for fields that take none. */
export function readField(field: Field, keys: readonly Expr[]): Expr {
  switch (field.type) {
    case 'int':
    case 'time':
      return readWhole(field);
    case 'float':
      return { read: readFloat(field), field };
    case 'bool': {
      const find = scalarFinder(field);
      return { read: (cursor) => (find(cursor) ? (cursor.lo | cursor.hi) !== 0 : undefined) };
    }
    case 'text':
      return { read: readText(field), field };
    case 'id': {
      const { tag, sizeBytes } = field;
      return { read: (cursor) => new IdValue(idBytes(cursor, tag as number, sizeBytes)), field };
    }
    case 'any':
      return { read: readAny(field, keys) };
    case 'attributes':
      return readAttributes(field.holder, keys);
    case 'computed':
      return { read: field.read };
    case 'trace_state':
      return { read: readTraceState(keys[0]) };
    case 'cache':
      return { read: () => (keys.length === 0 ? NO_ENTRIES : undefined) };
    case 'unsupported':
      throw new Error('an unsupported path is refused before it is compiled');
  }
}

/** Leaves the field's words in the cursor; false when the path is nil there. */
function scalarFinder(field: Placed): (cursor: OttlCursor) => boolean {
  const { holder, tag, outer } = field;
  if (typeof tag === 'number') {
    if (outer !== undefined) {
      const nested = new ItemView();
      return (cursor) => {
        const table = cursor.table(holder);
        nested.reset(cursor.bytes, table.start(outer), table.end(outer));
        nested.find(tag);
        cursor.lo = nested.lo;
        cursor.hi = nested.hi;
        return true;
      };
    }
    return (cursor) => {
      const table = cursor.table(holder);
      table.readWords(tag);
      cursor.lo = table.lo;
      cursor.hi = table.hi;
      return true;
    };
  }
  return (cursor) => {
    const pointTag = tag[cursor.pointKind];
    if (pointTag === undefined) return false;
    const table = cursor.table(holder);
    table.readWords(pointTag);
    cursor.lo = table.lo;
    cursor.hi = table.hi;
    return true;
  };
}

function readWhole(field: Extract<Field, { type: 'int' | 'time' }>): Expr {
  const find = scalarFinder(field);
  if (field.type === 'time') {
    return {
      words: { type: 'time', read: find },
      read: (cursor) => (find(cursor) ? new TimeValue(bigintOfWords(cursor.lo, cursor.hi, true)) : undefined),
    };
  }
  const { width, isUnsigned } = field;
  const read =
    width === 64
      ? find
      : (cursor: OttlCursor) => {
          if (!find(cursor)) return false;
          cursor.hi = isUnsigned ? 0 : cursor.lo >> 31;
          return true;
        };
  return {
    words: { type: 'int', read },
    read: (cursor) => (read(cursor) ? bigintOfWords(cursor.lo, cursor.hi, true) : undefined),
  };
}

function readFloat(field: Placed): Getter {
  const find = scalarFinder(field);
  return (cursor) => (find(cursor) ? doubleOfWords(cursor.lo, cursor.hi) : undefined);
}

function readText(field: Placed): Getter {
  const { holder, outer } = field;
  const tag = field.tag as number;
  if (outer !== undefined) {
    const nested = new ItemView();
    return (cursor) => {
      const table = cursor.table(holder);
      nested.reset(cursor.bytes, table.start(outer), table.end(outer));
      return nested.text(tag);
    };
  }
  return (cursor) => {
    const table = cursor.table(holder);
    return decodeUtf8(cursor.bytes, table.start(tag), table.end(tag));
  };
}

function readAny(field: Placed, keys: readonly Expr[]): Getter {
  const tag = field.tag as number;
  const view = new AnyValueView();
  return (cursor) => {
    const table = cursor.table(field.holder);
    view.reset(cursor.bytes, table.start(tag), table.end(tag));
    if (keys.length > 0 && view.kind !== ANY_ARRAY && view.kind !== ANY_KVLIST) {
      throw new EvaluationError('the body is neither a map nor a list');
    }
    return indexValue(valueOfAny(view), keys, 0, cursor);
  };
}

function readAttributes(holder: Holder, keys: readonly Expr[]): Expr {
  const [first] = keys;
  if (first === undefined) {
    return {
      read: (cursor) =>
        mapOf(cursor.bytes, cursor.start(holder), cursor.end(holder), cursor.attributesTag(holder)),
    };
  }
  const view = new AnyValueView();
  const constant = first.constant?.value;
  if (typeof constant === 'string') {
    const key = UTF8.encode(constant);
    const read: Getter = (cursor) => {
      const table = cursor.table(holder);
      const found = table.findAttribute(key);
      if (found < 0) return undefined;
      table.readAttribute(found, view);
      return keys.length === 1 ? valueOfAny(view) : indexValue(valueOfAny(view), keys, 1, cursor);
    };
    return keys.length === 1 ? { read, attribute: { holder, key } } : { read };
  }
  return {
    read: (cursor) => {
      const key = first.read(cursor);
      if (typeof key !== 'string') throw wrongKey('a map', 'a string', key);
      const table = cursor.table(holder);
      const found = table.findAttribute(UTF8.encode(key));
      if (found < 0) return undefined;
      table.readAttribute(found, view);
      return indexValue(valueOfAny(view), keys, 1, cursor);
    },
  };
}

function wrongKey(what: string, wanted: string, key: Value): EvaluationError {
  return new EvaluationError(`${what} is indexed by ${wanted}, not by ${typeName(key)}`);
}

/** What the keys from `at` on lead to inside a path: nil behind a missing key of a map. */
function indexValue(value: Value, keys: readonly Expr[], at: number, cursor: OttlCursor): Value {
  let current = value;
  for (let next = at; next < keys.length; next++) {
    const key = keys[next]!.read(cursor);
    if (current instanceof Map) {
      if (typeof key !== 'string') throw wrongKey('a map', 'a string', key);
      if (!current.has(key)) return undefined;
      current = current.get(key) as Value;
    } else if (Array.isArray(current)) {
      current = elementAt(current, key);
    } else throw new EvaluationError(`${typeName(current)} cannot be indexed`);
  }
  return current;
}

function elementAt(list: readonly Value[] | Uint8Array, key: Value): Value {
  if (typeof key !== 'bigint') throw wrongKey('a list', 'an int', key);
  if (key < 0n || key >= BigInt(list.length)) throw new EvaluationError(`index ${key} is out of bounds`);
  const element = list[Number(key)];
  return typeof element === 'number' && list instanceof Uint8Array ? BigInt(element) : element;
}

/** What keys behind a converter lead to; other than in a path, a missing key is an error. */
export function indexResult(value: Value, keys: readonly Expr[], cursor: OttlCursor): Value {
  let current = value;
  for (const { read } of keys) {
    const key = read(cursor);
    if (current instanceof Map && typeof key === 'string') {
      if (!current.has(key)) throw new EvaluationError(`there is no key ${JSON.stringify(key)}`);
      current = current.get(key) as Value;
    } else if ((Array.isArray(current) || current instanceof Uint8Array) && typeof key === 'bigint') {
      current = elementAt(current, key);
    } else throw new EvaluationError(`${typeName(current)} cannot be indexed by ${typeName(key)}`);
  }
  return current;
}

/** Members of a W3C tracestate are `key=value`, separated by commas with optional blanks. */
function readTraceState(key: Expr | undefined): Getter {
  return (cursor) => {
    const table = cursor.table(HOLDER_ITEM);
    const { bytes } = cursor;
    const text = decodeUtf8(bytes, table.start(TAG_SPAN_TRACE_STATE), table.end(TAG_SPAN_TRACE_STATE));
    if (key === undefined) return text;
    const wanted = key.read(cursor);
    if (typeof wanted !== 'string') throw wrongKey('trace_state', 'a string', wanted);
    return stateMember(text, wanted);
  };
}

const STATE_KEY = /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/;
const STATE_VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const STATE_MEMBERS_MAX = 32;

/** Empty when the key is not there; nil when the text is no tracestate at all. */
function stateMember(text: string, wanted: string): string | undefined {
  if (text === '') return '';
  const members = new Map<string, string>();
  for (const part of text.split(',')) {
    const member = part.replace(/^[ \t]+|[ \t]+$/g, '');
    if (member === '') continue;
    const at = member.indexOf('=');
    const name = member.slice(0, at).trimEnd();
    const value = member.slice(at + 1);
    const isValid = at > 0 && STATE_KEY.test(name) && STATE_VALUE.test(value) && !members.has(name);
    if (!isValid || members.size === STATE_MEMBERS_MAX) return undefined;
    members.set(name, value);
  }
  return members.get(wanted) ?? '';
}
