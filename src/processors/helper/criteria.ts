/** Tests of single texts and attribute sets, compiled from criteria. */
import { scalarText } from '../../otlp/any-value-text.ts';
import {
  ANY_BOOL,
  ANY_DOUBLE,
  ANY_EMPTY,
  ANY_INT,
  ANY_STRING,
  type AnyValueView,
} from '../../otlp/any-value-view.ts';
import { AttributeCursor } from '../../otlp/item-view.ts';
import type { AttributeCriterion } from './match-config.ts';
import { RegexList } from './regex.ts';

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
  readonly #cursor = new AttributeCursor();

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
  }

  /** @param tag of the repeated KeyValue field of the message in [start, end). */
  matches(bytes: Uint8Array, start: number, end: number, tag: number): boolean {
    const cursor = this.#cursor;
    const wanted = this.#wanted;
    let leftCount = wanted.length;
    this.#isSeen.fill(0);
    cursor.reset(bytes, start, end, tag);
    while (leftCount > 0 && cursor.next()) {
      for (let i = 0; i < wanted.length; i++) {
        if (this.#isSeen[i] !== 0 || !cursor.isKey(wanted[i]!.key)) continue;
        if (!hasValue(wanted[i]!, cursor.value)) return false;
        this.#isSeen[i] = 1;
        leftCount--;
      }
    }
    return leftCount === 0;
  }
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
