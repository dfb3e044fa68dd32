/**
 * The attributes of one message as an editable list of offsets. Loading decodes nothing; changed attributes are
 * written again, the others are copied with everything else of the message.
 *
 * Of attributes with the same key the first one counts: reads see it, a write to it removes the others, and a
 * removal takes all of them. New attributes go behind the message's own fields, in the order of their coming.
 */
import type { AnyValueView } from './any-value-view.ts';
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

export class AttributeSet {
  count = 0;
  isChanged = false;
  bytes: Uint8Array = new Uint8Array(0);
  keyStart = new Uint32Array(FIRST_CAPACITY);
  keyEnd = new Uint32Array(FIRST_CAPACITY);
  readonly #constants: Uint8Array;
  readonly #computed: WireWriter;
  #fieldStart = new Uint32Array(FIRST_CAPACITY);
  #fieldEnd = new Uint32Array(FIRST_CAPACITY);
  #valueStart = new Uint32Array(FIRST_CAPACITY);
  #valueEnd = new Uint32Array(FIRST_CAPACITY);
  #keySource = new Uint8Array(FIRST_CAPACITY);
  #valueSource = new Uint8Array(FIRST_CAPACITY);
  #state = new Uint8Array(FIRST_CAPACITY);
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
    if (this.#state.length > KEPT_CAPACITY) this.#setCapacity(FIRST_CAPACITY);
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
    return this.#state[entry] === REMOVED;
  }

  /** Bytes in which `keyStart` and `keyEnd` of the entry are offsets. */
  keyBytes(entry: number): Uint8Array {
    return this.#bytesOf(this.#keySource[entry]!);
  }

  readValue(entry: number, value: AnyValueView): void {
    value.reset(this.#bytesOf(this.#valueSource[entry]!), this.#valueStart[entry]!, this.#valueEnd[entry]!);
  }

  /** Where the value of an entry lies, for `setValue` of another. */
  valueRange(entry: number, range: ValueRange): void {
    range.source = this.#valueSource[entry]!;
    range.start = this.#valueStart[entry]!;
    range.end = this.#valueEnd[entry]!;
  }

  /** Gives an entry another value. */
  replace(entry: number, source: number, start: number, end: number): void {
    this.#valueSource[entry] = source;
    this.#valueStart[entry] = start;
    this.#valueEnd[entry] = end;
    if (this.#state[entry] === SAME) this.#state[entry] = REPLACED;
    this.isChanged = true;
  }

  /** Removes what has the key of this entry behind it. */
  removeTwins(key: Uint8Array, entry: number): void {
    for (let at = this.#findFrom(key, entry + 1); at >= 0; at = this.#findFrom(key, at + 1)) this.remove(at);
  }

  remove(entry: number): void {
    this.#state[entry] = REMOVED;
    this.isChanged = true;
  }

  /** Adds an attribute whose key lies in the constants. */
  add(keyStart: number, keyEnd: number, source: number, start: number, end: number): void {
    const entry = this.#nextEntry();
    this.#keySource[entry] = FROM_CONSTANTS;
    this.keyStart[entry] = keyStart;
    this.keyEnd[entry] = keyEnd;
    this.#valueSource[entry] = source;
    this.#valueStart[entry] = start;
    this.#valueEnd[entry] = end;
    this.#state[entry] = ADDED;
    this.isChanged = true;
  }

  /** Writes the whole message with its attributes as they are now. */
  write(writer: WireWriter): void {
    let runStart = this.#start;
    for (let entry = 0; entry < this.count; entry++) {
      const state = this.#state[entry]!;
      if (state === SAME) continue;
      if (this.#fieldEnd[entry] !== 0) {
        if (this.#fieldStart[entry]! > runStart)
          writer.writeRaw(this.bytes, runStart, this.#fieldStart[entry]!);
        runStart = this.#fieldEnd[entry]!;
      } else {
        // Added: everything of the message itself goes first.
        if (this.#end > runStart) writer.writeRaw(this.bytes, runStart, this.#end);
        runStart = this.#end;
      }
      if (state !== REMOVED) this.#writeAttribute(writer, entry);
    }
    if (this.#end > runStart) writer.writeRaw(this.bytes, runStart, this.#end);
  }

  #writeAttribute(writer: WireWriter, entry: number): void {
    const keyBytes = this.keyEnd[entry]! - this.keyStart[entry]!;
    const valueBytes = this.#valueEnd[entry]! - this.#valueStart[entry]!;
    writer.writeVarint32(this.#tag);
    writer.writeVarint32(2 + varint32Bytes(keyBytes) + keyBytes + varint32Bytes(valueBytes) + valueBytes);
    writer.writeBytesField(
      TAG_KEY_VALUE_KEY,
      this.keyBytes(entry),
      this.keyStart[entry]!,
      this.keyEnd[entry]!,
    );
    const source = this.#bytesOf(this.#valueSource[entry]!);
    writer.writeBytesField(TAG_KEY_VALUE_VALUE, source, this.#valueStart[entry]!, this.#valueEnd[entry]!);
  }

  #bytesOf(source: number): Uint8Array {
    if (source === FROM_MESSAGE) return this.bytes;
    return source === FROM_CONSTANTS ? this.#constants : this.#computed.bytes;
  }

  #findFrom(key: Uint8Array, from: number): number {
    const sizeBytes = key.length;
    for (let entry = from; entry < this.count; entry++) {
      const start = this.keyStart[entry]!;
      if (this.keyEnd[entry]! - start !== sizeBytes || this.#state[entry] === REMOVED) continue;
      const bytes = this.#keySource[entry] === FROM_MESSAGE ? this.bytes : this.#constants;
      // Keys share their beginnings (http.request, http.response), so the end tells them apart sooner.
      let at = sizeBytes - 1;
      while (at >= 0 && bytes[start + at] === key[at]) at--;
      if (at < 0) return entry;
    }
    return -1;
  }

  #addLoaded(fieldStart: number, lengthAt: number, fieldEnd: number): void {
    const bytes = this.bytes;
    const entry = this.#nextEntry();
    this.#fieldStart[entry] = fieldStart;
    this.#fieldEnd[entry] = fieldEnd;
    const pos = bytes[lengthAt]! < 0x80 ? lengthAt + 1 : skipVarint(bytes, lengthAt, fieldEnd);
    // The form that SDKs send: key, then value, nothing else.
    if (pos + 2 <= fieldEnd && bytes[pos] === TAG_KEY_VALUE_KEY && bytes[pos + 1]! < 0x80) {
      const keyEnd = pos + 2 + bytes[pos + 1]!;
      if (keyEnd + 2 <= fieldEnd && bytes[keyEnd] === TAG_KEY_VALUE_VALUE) {
        const valueEnd = lengthEnd(bytes, keyEnd + 1, fieldEnd);
        if (valueEnd === fieldEnd) {
          this.keyStart[entry] = pos + 2;
          this.keyEnd[entry] = keyEnd;
          this.#valueStart[entry] =
            bytes[keyEnd + 1]! < 0x80 ? keyEnd + 2 : skipVarint(bytes, keyEnd + 1, fieldEnd);
          this.#valueEnd[entry] = valueEnd;
          return;
        }
      }
    }
    this.#loadFields(entry, pos, fieldEnd);
  }

  /** Any other order of fields; of several keys or values the last one counts. */
  #loadFields(entry: number, start: number, end: number): void {
    const cursor = new FieldCursor(this.bytes, start, end);
    while (cursor.next()) {
      if (cursor.tag === TAG_KEY_VALUE_KEY) {
        this.keyStart[entry] = cursor.contentStart;
        this.keyEnd[entry] = cursor.fieldEnd;
      } else if (cursor.tag === TAG_KEY_VALUE_VALUE) {
        this.#valueStart[entry] = cursor.contentStart;
        this.#valueEnd[entry] = cursor.fieldEnd;
      }
    }
  }

  /** An entry of nothing. */
  #nextEntry(): number {
    const entry = this.count;
    if (entry === this.#state.length) this.#setCapacity(entry * 2);
    this.#fieldStart[entry] = 0;
    this.#fieldEnd[entry] = 0;
    this.keyStart[entry] = 0;
    this.keyEnd[entry] = 0;
    this.#valueStart[entry] = 0;
    this.#valueEnd[entry] = 0;
    this.#keySource[entry] = FROM_MESSAGE;
    this.#valueSource[entry] = FROM_MESSAGE;
    this.#state[entry] = SAME;
    this.count = entry + 1;
    return entry;
  }

  #setCapacity(capacity: number): void {
    const words = (from: Uint32Array) => {
      const grown = new Uint32Array(capacity);
      grown.set(from.subarray(0, Math.min(this.count, capacity)));
      return grown;
    };
    const octets = (from: Uint8Array) => {
      const grown = new Uint8Array(capacity);
      grown.set(from.subarray(0, Math.min(this.count, capacity)));
      return grown;
    };
    this.keyStart = words(this.keyStart);
    this.keyEnd = words(this.keyEnd);
    this.#fieldStart = words(this.#fieldStart);
    this.#fieldEnd = words(this.#fieldEnd);
    this.#valueStart = words(this.#valueStart);
    this.#valueEnd = words(this.#valueEnd);
    this.#keySource = octets(this.#keySource);
    this.#valueSource = octets(this.#valueSource);
    this.#state = octets(this.#state);
  }
}

/** Offset behind a field whose tag at `start` takes several bytes. */
export function skipLongField(bytes: Uint8Array, start: number, end: number): number {
  const cursor = new FieldCursor(bytes, start, end);
  cursor.next();
  return cursor.fieldEnd;
}
