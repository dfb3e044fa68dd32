/**
 * The attributes of one message as an editable list of offsets. Loading decodes nothing; changed attributes are
 * written again, the others are copied with everything else of the message.
 *
 * Of attributes with the same key the first one counts: reads see it, a write to it removes the others, and a
 * removal takes all of them. New attributes go behind the message's own fields, in the order of their coming.
 */
import type { AnyValueView } from './any-value-view.ts';
import * as keyValue from './key-value-words.ts';
import { FieldCursor } from './levels.ts';
import { TAG_KEY_VALUE_KEY, TAG_KEY_VALUE_VALUE } from './tags.ts';
import { lengthEnd, skipField, skipVarint, WIRE_LEN } from './wire-reader.ts';
import { varint32Bytes, type WireWriter } from './wire-writer.ts';

const FIRST_CAPACITY = 32;
/** A message with more attributes than this does not keep its arrays for the messages after it. */
const KEPT_CAPACITY = 4096;

/* Where the bytes of a key or value lie. */
/** In the message that was loaded. */
export const FROM_MESSAGE = 0;
/** In the constants that the set was made with. */
export const FROM_CONSTANTS = 1;
/** In `computed`, until the next load. */
export const FROM_COMPUTED = 2;

const SAME = 0;
const REPLACED = 1;
const REMOVED = 2;
const ADDED = 3;

/** AnyValue message in one of the three places. */
export interface ValueRange {
  source: number;
  start: number;
  end: number;
}

/* Words of one entry, in one array so that an entry is one stretch of memory. */
const FIELD_START = 0;
/** 0: added, it stands in no field of the message. */
const FIELD_END = 1;
/** The words of key-value-words.ts. */
const KEY_VALUE = 2;
const KEY_START = KEY_VALUE + keyValue.KEY_START;
const KEY_END = KEY_VALUE + keyValue.KEY_END;
const VALUE_START = KEY_VALUE + keyValue.VALUE_START;
const VALUE_END = KEY_VALUE + keyValue.VALUE_END;
/** Source of the key, source of the value (each 2 bits), state above. */
const SOURCES = 6;
const WORDS = 8;
const VALUE_SOURCE_SHIFT = 2;
const STATE_SHIFT = 4;
const KEY_SOURCE_MASK = 3;

export class AttributeSet {
  count = 0;
  isChanged = false;
  bytes: Uint8Array = new Uint8Array(0);
  readonly #constants: Uint8Array;
  readonly #computed: WireWriter;
  #words = new Uint32Array(FIRST_CAPACITY * WORDS);
  #start = 0;
  #end = 0;
  #tag = 0;

  /**
   * @param constants keys and encoded AnyValues of the configuration.
   * @param computed holds AnyValues made for the present message; emptied by `load`.
   */
  constructor(constants: Uint8Array, computed: WireWriter) {
    this.#constants = constants;
    this.#computed = computed;
  }

  /** @param tag of the repeated KeyValue field of the message in [start, end). */
  load(bytes: Uint8Array, start: number, end: number, tag: number): void {
    this.bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#tag = tag;
    this.count = 0;
    this.isChanged = false;
    this.#computed.reset();
    if (this.#words.length > KEPT_CAPACITY * WORDS) this.#words = new Uint32Array(FIRST_CAPACITY * WORDS);
    let pos = start;
    while (pos < end) {
      const fieldStart = pos;
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
      if (found === tag) this.#addLoaded(fieldStart, pos + 1, fieldEnd);
      pos = fieldEnd;
    }
  }

  /** Index of the first attribute with this key, or -1. */
  find(key: Uint8Array): number {
    return this.#findFrom(key, 0);
  }

  isRemoved(entry: number): boolean {
    return this.#words[entry * WORDS + SOURCES]! >> STATE_SHIFT === REMOVED;
  }

  /** Bytes in which `keyStart` and `keyEnd` of the entry are offsets. */
  keyBytes(entry: number): Uint8Array {
    return this.#bytesOf(this.#words[entry * WORDS + SOURCES]! & KEY_SOURCE_MASK);
  }

  keyStart(entry: number): number {
    return this.#words[entry * WORDS + KEY_START]!;
  }

  keyEnd(entry: number): number {
    return this.#words[entry * WORDS + KEY_END]!;
  }

  readValue(entry: number, value: AnyValueView): void {
    const at = entry * WORDS;
    const bytes = this.#bytesOf(this.#valueSource(entry));
    value.reset(bytes, this.#words[at + VALUE_START]!, this.#words[at + VALUE_END]!);
  }

  /** Where the value of an entry lies, for `replace` of another. */
  valueRange(entry: number, range: ValueRange): void {
    range.source = this.#valueSource(entry);
    range.start = this.#words[entry * WORDS + VALUE_START]!;
    range.end = this.#words[entry * WORDS + VALUE_END]!;
  }

  /** Gives an entry another value. */
  replace(entry: number, source: number, start: number, end: number): void {
    const words = this.#words;
    const at = entry * WORDS;
    const sources = words[at + SOURCES]!;
    const state = sources >> STATE_SHIFT === SAME ? REPLACED : sources >> STATE_SHIFT;
    words[at + VALUE_START] = start;
    words[at + VALUE_END] = end;
    words[at + SOURCES] =
      (sources & KEY_SOURCE_MASK) | (source << VALUE_SOURCE_SHIFT) | (state << STATE_SHIFT);
    this.isChanged = true;
  }

  /** Removes what has the key of this entry behind it. */
  removeTwins(key: Uint8Array, entry: number): void {
    for (let at = this.#findFrom(key, entry + 1); at >= 0; at = this.#findFrom(key, at + 1)) this.remove(at);
  }

  remove(entry: number): void {
    this.#words[entry * WORDS + SOURCES] = REMOVED << STATE_SHIFT;
    this.isChanged = true;
  }

  /** Adds an attribute whose key lies in the constants. */
  add(keyStart: number, keyEnd: number, source: number, start: number, end: number): void {
    const at = this.#nextEntry();
    const words = this.#words;
    words[at + FIELD_START] = 0;
    words[at + FIELD_END] = 0;
    words[at + KEY_START] = keyStart;
    words[at + KEY_END] = keyEnd;
    words[at + VALUE_START] = start;
    words[at + VALUE_END] = end;
    words[at + SOURCES] = FROM_CONSTANTS | (source << VALUE_SOURCE_SHIFT) | (ADDED << STATE_SHIFT);
    this.isChanged = true;
  }

  /** Writes the whole message with its attributes as they are now. */
  write(writer: WireWriter): void {
    const words = this.#words;
    let runStart = this.#start;
    const wordsEnd = this.count * WORDS;
    for (let at = 0; at < wordsEnd; at += WORDS) {
      const state = words[at + SOURCES]! >> STATE_SHIFT;
      if (state === SAME) continue;
      // An added one comes behind everything of the message itself.
      const isAdded = words[at + FIELD_END] === 0;
      const runEnd = isAdded ? this.#end : words[at + FIELD_START]!;
      if (runEnd > runStart) writer.writeRaw(this.bytes, runStart, runEnd);
      runStart = isAdded ? this.#end : words[at + FIELD_END]!;
      if (state !== REMOVED) this.#writeAttribute(writer, at);
    }
    if (this.#end > runStart) writer.writeRaw(this.bytes, runStart, this.#end);
  }

  #writeAttribute(writer: WireWriter, at: number): void {
    const words = this.#words;
    const keyStart = words[at + KEY_START]!;
    const valueStart = words[at + VALUE_START]!;
    const keyBytes = words[at + KEY_END]! - keyStart;
    const valueBytes = words[at + VALUE_END]! - valueStart;
    const sources = words[at + SOURCES]!;
    writer.writeVarint32(this.#tag);
    writer.writeVarint32(2 + varint32Bytes(keyBytes) + keyBytes + varint32Bytes(valueBytes) + valueBytes);
    const key = this.#bytesOf(sources & KEY_SOURCE_MASK);
    writer.writeBytesField(TAG_KEY_VALUE_KEY, key, keyStart, keyStart + keyBytes);
    const value = this.#bytesOf((sources >> VALUE_SOURCE_SHIFT) & KEY_SOURCE_MASK);
    writer.writeBytesField(TAG_KEY_VALUE_VALUE, value, valueStart, valueStart + valueBytes);
  }

  #valueSource(entry: number): number {
    return (this.#words[entry * WORDS + SOURCES]! >> VALUE_SOURCE_SHIFT) & KEY_SOURCE_MASK;
  }

  #bytesOf(source: number): Uint8Array {
    if (source === FROM_MESSAGE) return this.bytes;
    return source === FROM_CONSTANTS ? this.#constants : this.#computed.bytes;
  }

  #findFrom(key: Uint8Array, from: number): number {
    const words = this.#words;
    const sizeBytes = key.length;
    const wordsEnd = this.count * WORDS;
    for (let entry = from * WORDS; entry < wordsEnd; entry += WORDS) {
      const start = words[entry + KEY_START]!;
      if (words[entry + KEY_END]! - start !== sizeBytes) continue;
      const sources = words[entry + SOURCES]!;
      if (sources >> STATE_SHIFT === REMOVED) continue;
      const bytes = (sources & KEY_SOURCE_MASK) === FROM_MESSAGE ? this.bytes : this.#constants;
      // Keys share their beginnings (http.request, http.response), so the end tells them apart sooner.
      let at = sizeBytes - 1;
      while (at >= 0 && bytes[start + at] === key[at]) at--;
      if (at < 0) return entry / WORDS;
    }
    return -1;
  }

  #addLoaded(fieldStart: number, lengthAt: number, fieldEnd: number): void {
    const bytes = this.bytes;
    const at = this.#nextEntry();
    const words = this.#words;
    words[at + FIELD_START] = fieldStart;
    words[at + FIELD_END] = fieldEnd;
    words[at + SOURCES] = 0;
    const pos = bytes[lengthAt]! < 0x80 ? lengthAt + 1 : skipVarint(bytes, lengthAt, fieldEnd);
    keyValue.noteKeyValue(bytes, pos, fieldEnd, words, at + KEY_VALUE);
  }

  /** Room for one entry; its words hold anything. @returns the offset of its words. */
  #nextEntry(): number {
    const at = this.count++ * WORDS;
    if (at === this.#words.length) {
      const grown = new Uint32Array(at * 2);
      grown.set(this.#words);
      this.#words = grown;
    }
    return at;
  }
}

/** Offset behind a field whose tag at `start` takes several bytes. */
export function skipLongField(bytes: Uint8Array, start: number, end: number): number {
  const cursor = new FieldCursor(bytes, start, end);
  cursor.next();
  return cursor.fieldEnd;
}
