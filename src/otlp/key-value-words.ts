/** Where key and value of one encoded KeyValue are, as four words in a table of the caller. */
import { FieldCursor } from './levels.ts';
import { TAG_KEY_VALUE_KEY, TAG_KEY_VALUE_VALUE } from './tags.ts';
import { lengthEnd, skipVarint } from './wire-reader.ts';

/** Offsets from the first of the four words. */
export const KEY_START = 0;
export const KEY_END = 1;
export const VALUE_START = 2;
export const VALUE_END = 3;
export const KEY_VALUE_WORDS = 4;

/** Notes the parts of the KeyValue in bytes [start, end), which passed the scan; an absent part is an empty range at 0. */
export function noteKeyValue(
  bytes: Uint8Array,
  start: number,
  end: number,
  words: Uint32Array,
  at: number,
): void {
  // The form that SDKs send: key, then value, nothing else.
  if (start + 2 <= end && bytes[start] === TAG_KEY_VALUE_KEY && bytes[start + 1]! < 0x80) {
    const keyEnd = start + 2 + bytes[start + 1]!;
    if (keyEnd + 2 <= end && bytes[keyEnd] === TAG_KEY_VALUE_VALUE) {
      const size = bytes[keyEnd + 1]!;
      const isLast = size < 0x80 ? keyEnd + 2 + size === end : lengthEnd(bytes, keyEnd + 1, end) === end;
      if (isLast) {
        words[at + KEY_START] = start + 2;
        words[at + KEY_END] = keyEnd;
        words[at + VALUE_START] = size < 0x80 ? keyEnd + 2 : skipVarint(bytes, keyEnd + 1, end);
        words[at + VALUE_END] = end;
        return;
      }
    }
  }
  noteFields(bytes, start, end, words, at);
}

/** Any other order of fields; of several keys or values the last one counts. */
function noteFields(bytes: Uint8Array, start: number, end: number, words: Uint32Array, at: number): void {
  words.fill(0, at, at + KEY_VALUE_WORDS);
  const cursor = new FieldCursor(bytes, start, end);
  while (cursor.next()) {
    if (cursor.tag === TAG_KEY_VALUE_KEY) {
      words[at + KEY_START] = cursor.contentStart;
      words[at + KEY_END] = cursor.fieldEnd;
    } else if (cursor.tag === TAG_KEY_VALUE_VALUE) {
      words[at + VALUE_START] = cursor.contentStart;
      words[at + VALUE_END] = cursor.fieldEnd;
    }
  }
}
