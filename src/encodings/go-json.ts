/** JSON and other text as Go's standard library writes it, for formats whose definition is what the Collector puts out. */

import { compareUtf8, scalarText, valueText } from '../otlp/any-value-text.ts';
import {
  ANY_ARRAY,
  ANY_BYTES,
  ANY_DOUBLE,
  ANY_KVLIST,
  ANY_STRING,
  AnyValueView,
} from '../otlp/any-value-view.ts';
import { AttributeCursor, RepeatedCursor } from '../otlp/item-view.ts';
import { TAG_ARRAY_VALUES, TAG_KVLIST_VALUES } from '../otlp/tags.ts';
import { encodingFailed } from './guard.ts';

const UNSAFE_IN_HTML = /[<>&\u2028\u2029]/g;

/** A JSON string with the letters escaped that Go escapes for the sake of web pages. */
export function quoteText(text: string): string {
  return JSON.stringify(text).replace(
    UNSAFE_IN_HTML,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A finite double as JSON. @throws PipelineError ENCODING_FAILED for the others, which JSON does not have. */
export function doubleJson(value: number): string {
  if (!Number.isFinite(value)) throw encodingFailed(`a value of ${value} has no form in JSON`);
  return Object.is(value, -0) ? '-0' : String(value);
}

/** JSON of any value: bytes as base64, keys of maps in order, an empty value is null. */
export function valueJson(value: AnyValueView): string {
  switch (value.kind) {
    case ANY_STRING:
      return quoteText(value.text());
    case ANY_BYTES:
      return value.end === value.start ? 'null' : `"${valueText(value)}"`;
    case ANY_DOUBLE:
      return doubleJson(value.double());
    case ANY_ARRAY:
      return arrayJson(value);
    case ANY_KVLIST:
      return attributesJson(value.bytes, value.start, value.end, TAG_KVLIST_VALUES);
    default:
      return scalarText(value) ?? 'null';
  }
}

function arrayJson(list: AnyValueView): string {
  const texts: string[] = [];
  const items = new RepeatedCursor();
  const item = new AnyValueView();
  items.reset(list.bytes, list.start, list.end, TAG_ARRAY_VALUES);
  while (items.next()) {
    item.reset(list.bytes, items.start, items.end);
    texts.push(valueJson(item));
  }
  return `[${texts.join(',')}]`;
}

/** A JSON object of the attributes of a message, or of a list of keys and values. */
export function attributesJson(bytes: Uint8Array, start: number, end: number, tag: number): string {
  return objectJson(attributeTexts(bytes, start, end, tag, valueJson));
}

/** A JSON object with its keys in order. @param members JSON by key. */
export function objectJson(members: ReadonlyMap<string, string>): string {
  return `{${sortedKeys(members)
    .map((key) => `${quoteText(key)}:${members.get(key)}`)
    .join(',')}}`;
}

/** Keys in the order of their code points, which is that of their UTF-8. */
export function sortedKeys(members: ReadonlyMap<string, unknown>): string[] {
  return [...members.keys()].sort(compareUtf8);
}

/** Attributes by key, the last of several; each value as `write` puts it. */
export function attributeTexts(
  bytes: Uint8Array,
  start: number,
  end: number,
  tag: number,
  write: (value: AnyValueView) => string,
): Map<string, string> {
  const texts = new Map<string, string>();
  const cursor = new AttributeCursor();
  cursor.reset(bytes, start, end, tag);
  while (cursor.next()) texts.set(cursor.keyText(), write(cursor.value));
  return texts;
}

/** Text of a value where only text will do: JSON for lists and maps, base64 for bytes, nothing for no value. */
export function plainText(value: AnyValueView): string {
  if (value.kind !== ANY_DOUBLE) return valueText(value);
  const double = value.double();
  return Number.isFinite(double) ? doubleJson(double) : String(double);
}
