/**
 * Lazy reading of single fields, for whoever needs a few of them: debug output, processors, routing.
 *
 * A view steps over a message from its beginning for each field it is asked for, which is cheaper than a decode as
 * long as few fields are wanted. It borrows the bytes, which must have passed `scanRequest`, and allocates text only.
 */
import { AnyValueView } from './any-value-view.ts';
import { TAG_KEY_VALUE_KEY, TAG_KEY_VALUE_VALUE } from './tags.ts';
import {
  bigintOfWords,
  decodeUtf8,
  doubleOfWords,
  WIRE_I32,
  WIRE_I64,
  WIRE_LEN,
  WireReader,
} from './wire-reader.ts';

/** Fields of one encoded message: Span, LogRecord, a data point, Metric, Resource, Status, ... */
export class ItemView {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Content of the last found length-delimited field. */
  contentStart = 0;
  contentEnd = 0;
  /** Words of the last found scalar field, int32 bits; 0 when it was absent. */
  lo = 0;
  hi = 0;
  readonly #reader = new WireReader(new Uint8Array(0));

  /** @param start first byte of the message, for example `index.itemBody[item]`. */
  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  /**
   * Finds a field by its tag constant; of several the last one, as protobuf has it for scalars.
   * @returns false when absent; content and words are empty and zero then.
   */
  find(tag: number): boolean {
    const reader = this.#reader;
    reader.reset(this.bytes, this.start, this.end);
    this.contentStart = 0;
    this.contentEnd = 0;
    this.lo = 0;
    this.hi = 0;
    let isFound = false;
    while (reader.pos < reader.end) {
      const found = reader.readTag();
      if (found !== tag) reader.skip(found);
      else {
        this.#readContent(reader, tag & 7);
        isFound = true;
      }
    }
    return isFound;
  }

  /** Text of a string field, empty when absent. */
  text(tag: number): string {
    return this.find(tag) ? decodeUtf8(this.bytes, this.contentStart, this.contentEnd) : '';
  }

  /** Low word of an integer or enum field, signed; 0 when absent. */
  int32(tag: number): number {
    this.find(tag);
    return this.lo;
  }

  /** A sint32 field (zig-zag); 0 when absent. */
  sint32(tag: number): number {
    this.find(tag);
    return (this.lo >>> 1) ^ -(this.lo & 1);
  }

  /** An unsigned 64-bit field such as a time in nanoseconds; 0n when absent. */
  uint64(tag: number): bigint {
    this.find(tag);
    return bigintOfWords(this.lo, this.hi, false);
  }

  /** A signed 64-bit field; 0n when absent. */
  int64(tag: number): bigint {
    this.find(tag);
    return bigintOfWords(this.lo, this.hi, true);
  }

  /** A double field, 0 when absent; `find` tells the two apart. */
  double(tag: number): number {
    this.find(tag);
    return doubleOfWords(this.lo, this.hi);
  }

  /** Lower-case hex of an id or other bytes field, empty when absent. */
  hex(tag: number): string {
    this.find(tag);
    let text = '';
    for (let at = this.contentStart; at < this.contentEnd; at++) {
      text += this.bytes[at]!.toString(16).padStart(2, '0');
    }
    return text;
  }

  #readContent(reader: WireReader, wireType: number): void {
    if (wireType === WIRE_LEN) {
      const sizeBytes = reader.readLength();
      this.contentStart = reader.pos;
      this.contentEnd = reader.pos + sizeBytes;
      reader.pos = this.contentEnd;
      return;
    }
    if (wireType === WIRE_I32) {
      this.lo = reader.readFixed32() | 0;
      this.hi = 0;
      return;
    }
    if (wireType === WIRE_I64) reader.readFixed64();
    else reader.readVarint64();
    this.lo = reader.lo;
    this.hi = reader.hi;
  }
}

/** Steps over the submessages of one repeated field: events, links, exemplars, values of an array. */
export class RepeatedCursor {
  start = 0;
  end = 0;
  #tag = 0;
  readonly #reader = new WireReader(new Uint8Array(0));

  /** @param tag of the repeated field; [start, end) is the message that holds it. */
  reset(bytes: Uint8Array, start: number, end: number, tag: number): void {
    this.#tag = tag;
    this.#reader.reset(bytes, start, end);
  }

  /** Moves to the next element, whose message is [start, end). @returns false behind the last one. */
  next(): boolean {
    const reader = this.#reader;
    while (reader.pos < reader.end) {
      const tag = reader.readTag();
      if (tag !== this.#tag) {
        reader.skip(tag);
        continue;
      }
      const sizeBytes = reader.readLength();
      this.start = reader.pos;
      this.end = reader.pos + sizeBytes;
      reader.pos = this.end;
      return true;
    }
    return false;
  }
}

/**
 * Steps over the attributes of a message in wire order; duplicate keys come as often as they are there.
 * A `key` or `value` that is repeated within one KeyValue counts in its last form.
 */
export class AttributeCursor {
  bytes: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;
  readonly value = new AnyValueView();
  readonly #items = new RepeatedCursor();
  readonly #reader = new WireReader(new Uint8Array(0));

  /** @param tag of the repeated KeyValue field, for example TAG_SPAN_ATTRIBUTES; [start, end) is its message. */
  reset(bytes: Uint8Array, start: number, end: number, tag: number): void {
    this.bytes = bytes;
    this.#items.reset(bytes, start, end, tag);
  }

  /** Moves to the next attribute. @returns false behind the last one. */
  next(): boolean {
    const items = this.#items;
    if (!items.next()) return false;
    const reader = this.#reader;
    reader.reset(this.bytes, items.start, items.end);
    this.keyStart = 0;
    this.keyEnd = 0;
    let valueStart = 0;
    let valueEnd = 0;
    while (reader.pos < reader.end) {
      const tag = reader.readTag();
      if (tag !== TAG_KEY_VALUE_KEY && tag !== TAG_KEY_VALUE_VALUE) {
        reader.skip(tag);
        continue;
      }
      const end = reader.readLength() + reader.pos;
      if (tag === TAG_KEY_VALUE_KEY) {
        this.keyStart = reader.pos;
        this.keyEnd = end;
      } else {
        valueStart = reader.pos;
        valueEnd = end;
      }
      reader.pos = end;
    }
    this.value.reset(this.bytes, valueStart, valueEnd);
    return true;
  }

  keyText(): string {
    return decodeUtf8(this.bytes, this.keyStart, this.keyEnd);
  }

  /** Compares the key with UTF-8 bytes, without making text. */
  isKey(utf8: Uint8Array): boolean {
    if (utf8.length !== this.keyEnd - this.keyStart) return false;
    for (let at = 0; at < utf8.length; at++) if (utf8[at] !== this.bytes[this.keyStart + at]) return false;
    return true;
  }

  /** Moves on to the next attribute with this key; of duplicates the first comes first. */
  find(utf8: Uint8Array): boolean {
    while (this.next()) if (this.isKey(utf8)) return true;
    return false;
  }
}
