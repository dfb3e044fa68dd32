/** Text of AnyValues as the Collector's own components make it when they need a string. */
import {
  ANY_ARRAY,
  ANY_BOOL,
  ANY_BYTES,
  ANY_DOUBLE,
  ANY_INT,
  ANY_KVLIST,
  ANY_STRING,
  AnyValueView,
} from './any-value-view.ts';
import { AttributeCursor, RepeatedCursor } from './item-view.ts';
import { TAG_ARRAY_VALUES, TAG_KVLIST_VALUES } from './tags.ts';

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Text of a string, bool, int or double; undefined for every other kind, and for no value. */
export function scalarText(value: AnyValueView): string | undefined {
  if (value.kind === ANY_STRING) return value.text();
  if (value.kind === ANY_BOOL) return value.bool() ? 'true' : 'false';
  if (value.kind === ANY_INT) return value.int().toString();
  return value.kind === ANY_DOUBLE ? plainDouble(value.double()) : undefined;
}

/** Text of any value: JSON for lists and maps (keys in order), base64 for bytes, nothing for no value. */
export function valueText(value: AnyValueView): string {
  if (value.kind === ANY_DOUBLE) return doubleText(value.double());
  if (value.kind === ANY_BYTES) return base64(value.bytes, value.start, value.end);
  if (value.kind === ANY_ARRAY || value.kind === ANY_KVLIST) return jsonText(value);
  return scalarText(value) ?? '';
}

/** Decimal digits without an exponent, whatever the size. */
function plainDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const at = text.indexOf('e');
  if (at < 0) return text;
  const exponent = Number(text.slice(at + 1));
  const sign = text.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = text.slice(sign.length, at).split('.');
  const digits = whole + fraction;
  const point = whole.length + exponent;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}`;
}

/** As JSON has it, with an exponent below 1e-6 and from 1e21 on. */
function doubleText(value: number): string {
  if (!Number.isFinite(value)) return `json: unsupported value: ${plainDouble(value)}`;
  return Object.is(value, -0) ? '-0' : String(value);
}

function jsonText(value: AnyValueView): string {
  switch (value.kind) {
    case ANY_STRING:
      return quote(value.text());
    case ANY_BYTES:
      // What the Collector's encoder makes of no bytes.
      return value.end === value.start ? 'null' : `"${base64(value.bytes, value.start, value.end)}"`;
    case ANY_ARRAY:
      return `[${listTexts(value).join(',')}]`;
    case ANY_KVLIST:
      return `{${mapTexts(value).join(',')}}`;
    case ANY_DOUBLE:
      return Number.isFinite(value.double()) ? doubleText(value.double()) : 'null';
    default:
      return scalarText(value) ?? 'null';
  }
}

/** JavaScript of old took two line separators in strings for line ends, so Go's encoder escapes them. */
function quote(text: string): string {
  return JSON.stringify(text).replace(/[\u2028\u2029]/g, (mark) =>
    mark === '\u2028' ? '\\u2028' : '\\u2029',
  );
}

function listTexts(list: AnyValueView): string[] {
  const texts: string[] = [];
  const items = new RepeatedCursor();
  const item = new AnyValueView();
  items.reset(list.bytes, list.start, list.end, TAG_ARRAY_VALUES);
  while (items.next()) {
    item.reset(list.bytes, items.start, items.end);
    texts.push(jsonText(item));
  }
  return texts;
}

function mapTexts(map: AnyValueView): string[] {
  const members = new Map<string, string>();
  const cursor = new AttributeCursor();
  cursor.reset(map.bytes, map.start, map.end, TAG_KVLIST_VALUES);
  while (cursor.next()) members.set(cursor.keyText(), jsonText(cursor.value));
  return [...members.entries()]
    .sort(([a], [b]) => compareUtf8(a, b))
    .map(([key, text]) => `${quote(key)}:${text}`);
}

/** Order of two texts by their UTF-8, which is that of their code points; UTF-16 has pairs before U+E000. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left === right) continue;
    const isPair = left >= 0xd800 && left < 0xe000;
    if (isPair !== (right >= 0xd800 && right < 0xe000)) return isPair ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}

export function base64(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at += 3) {
    const left = end - at;
    const word =
      (bytes[at]! << 16) | ((left > 1 ? bytes[at + 1]! : 0) << 8) | (left > 2 ? bytes[at + 2]! : 0);
    text += BASE64[word >> 18]! + BASE64[(word >> 12) & 63]!;
    text += (left > 1 ? BASE64[(word >> 6) & 63]! : '=') + (left > 2 ? BASE64[word & 63]! : '=');
  }
  return text;
}
