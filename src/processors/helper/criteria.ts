/** Tests of single texts and attribute sets, compiled from criteria. */
import { scalarText } from '../../otlp/any-value-text.ts';
import {
  ANY_BOOL,
  ANY_DOUBLE,
  ANY_EMPTY,
  ANY_INT,
  ANY_STRING,
  AnyValueView,
} from '../../otlp/any-value-view.ts';
import { skipLongField } from '../../otlp/attribute-set.ts';
import { ItemView } from '../../otlp/item-view.ts';
import { TAG_KEY_VALUE_KEY, TAG_KEY_VALUE_VALUE } from '../../otlp/tags.ts';
import { lengthEnd, skipField, skipVarint, WIRE_LEN } from '../../otlp/wire-reader.ts';
import { RegexList } from '../../ottl/regex.ts';
import type { AttributeCriterion } from './match-config.ts';

const UTF8 = new TextEncoder();

function isEqual(text: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  let at = text.length - 1;
  while (at >= 0 && text[at] === bytes[start + at]) at--;
  return at < 0;
}

/** Whether a text is one of several, or one of several expressions is found in it. */
export class TextTest {
  readonly #texts: readonly Uint8Array[];
  readonly #regexes: RegexList | undefined;

  constructor(texts: readonly string[], isRegexp: boolean) {
    this.#texts = isRegexp ? [] : texts.map((text) => UTF8.encode(text));
    this.#regexes = isRegexp ? new RegexList(texts) : undefined;
  }

  /** @param start UTF-8 in [start, end). */
  matches(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#regexes !== undefined) return this.#regexes.matches(bytes, start, end);
    for (const text of this.#texts) if (isEqual(text, bytes, start, end)) return true;
    return false;
  }
}

interface WantedAttribute {
  readonly key: Uint8Array;
  readonly value: unknown;
  /** UTF-8 of a value that is text. */
  readonly text: Uint8Array | undefined;
  readonly pattern: RegexList | undefined;
  /** Words of a whole number. */
  readonly lo: number;
  readonly hi: number;
}

/** Whether a message has all of the wanted attributes; of duplicates the first one counts. */
export class AttributesTest {
  readonly #wanted: readonly WantedAttribute[];
  readonly #isSeen: Uint8Array;
  /** By their sizes below 128: keys of another size need no look. */
  readonly #hasKeySize = new Uint8Array(128);
  readonly #fields = new ItemView();
  readonly #value = new AnyValueView();
  #leftCount = 0;

  constructor(criteria: readonly AttributeCriterion[], isRegexp: boolean) {
    this.#wanted = criteria.map(({ key, value }) => ({
      key: UTF8.encode(key),
      value,
      text: typeof value === 'string' ? UTF8.encode(value) : undefined,
      pattern: isRegexp && value !== undefined ? new RegexList([String(value)]) : undefined,
      lo: Number(value) | 0,
      hi: Math.floor(Number(value) / 2 ** 32) | 0,
    }));
    this.#isSeen = new Uint8Array(criteria.length);
    for (const { key } of this.#wanted) if (key.length < 128) this.#hasKeySize[key.length] = 1;
  }

  /** @param tag of the repeated KeyValue field of the message in [start, end). */
  matches(bytes: Uint8Array, start: number, end: number, tag: number): boolean {
    this.#leftCount = this.#wanted.length;
    this.#isSeen.fill(0);
    let pos = start;
    while (pos < end) {
      const found = bytes[pos]!;
      if (found >= 0x80) {
        pos = skipLongField(bytes, pos, end);
        continue;
      }
      if ((found & 7) !== WIRE_LEN) {
        pos = skipField(bytes, found, pos + 1, end, 0);
        continue;
      }
      const fieldEnd = lengthEnd(bytes, pos + 1, end);
      if (found === tag) {
        if (!this.#testAttribute(bytes, pos + 1, fieldEnd)) return false;
        if (this.#leftCount === 0) return true;
      }
      pos = fieldEnd;
    }
    return this.#leftCount === 0;
  }

  /** @returns false when it is one of the wanted ones and its value is not. */
  #testAttribute(bytes: Uint8Array, lengthAt: number, end: number): boolean {
    const start = bytes[lengthAt]! < 0x80 ? lengthAt + 1 : skipVarint(bytes, lengthAt, end);
    let keyStart = 0;
    let keyEnd = 0;
    let valueStart = 0;
    let valueEnd = 0;
    // The form that SDKs send: key, then value. Anything else is read field by field.
    if (start + 2 <= end && bytes[start] === TAG_KEY_VALUE_KEY && bytes[start + 1]! < 0x80) {
      keyStart = start + 2;
      keyEnd = keyStart + bytes[start + 1]!;
      if (this.#hasKeySize[bytes[start + 1]!] === 0 && isLastField(bytes, keyEnd, end)) return true;
      if (keyEnd + 2 <= end && bytes[keyEnd] === TAG_KEY_VALUE_VALUE) {
        valueEnd = lengthEnd(bytes, keyEnd + 1, end);
        valueStart = bytes[keyEnd + 1]! < 0x80 ? keyEnd + 2 : skipVarint(bytes, keyEnd + 1, end);
      }
    }
    if (valueEnd !== end) {
      const fields = this.#fields;
      fields.reset(bytes, start, end);
      fields.find(TAG_KEY_VALUE_KEY);
      keyStart = fields.contentStart;
      keyEnd = fields.contentEnd;
      fields.find(TAG_KEY_VALUE_VALUE);
      valueStart = fields.contentStart;
      valueEnd = fields.contentEnd;
    }
    const wanted = this.#wanted;
    for (let i = 0; i < wanted.length; i++) {
      const each = wanted[i]!;
      if (this.#isSeen[i] !== 0 || !isEqual(each.key, bytes, keyStart, keyEnd)) continue;
      this.#value.reset(bytes, valueStart, valueEnd);
      if (!hasValue(each, this.#value)) return false;
      this.#isSeen[i] = 1;
      this.#leftCount--;
    }
    return true;
  }
}

/** Whether a value of less than 128 bytes at `pos` fills the rest of its KeyValue. */
function isLastField(bytes: Uint8Array, pos: number, end: number): boolean {
  return pos + 2 <= end && bytes[pos] === TAG_KEY_VALUE_VALUE && pos + 2 + bytes[pos + 1]! === end;
}

function hasValue(wanted: WantedAttribute, value: AnyValueView): boolean {
  if (wanted.pattern !== undefined) {
    if (value.kind === ANY_STRING) return wanted.pattern.matches(value.bytes, value.start, value.end);
    const text = scalarText(value);
    return text !== undefined && wanted.pattern.matchesText(text);
  }
  if (wanted.text !== undefined) {
    return value.kind === ANY_STRING && isEqual(wanted.text, value.bytes, value.start, value.end);
  }
  switch (typeof wanted.value) {
    case 'undefined':
      return true;
    case 'boolean':
      return value.kind === ANY_BOOL && value.bool() === wanted.value;
    case 'number':
      if (!Number.isSafeInteger(wanted.value))
        return value.kind === ANY_DOUBLE && value.double() === wanted.value;
      return value.kind === ANY_INT && value.lo === wanted.lo && value.hi === wanted.hi;
    default:
      return value.kind === ANY_EMPTY;
  }
}
