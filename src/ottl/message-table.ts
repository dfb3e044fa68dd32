/**
 * The fields of one encoded message and its attributes as offsets, found in a single pass, so that any number of
 * conditions on the same item read its bytes once. Reused from message to message; keeps nothing of the bytes.
 */
import type { AnyValueView } from '../otlp/any-value-view.ts';
import { skipLongField } from '../otlp/attribute-set.ts';
import {
  KEY_END,
  KEY_START,
  KEY_VALUE_WORDS,
  noteKeyValue,
  VALUE_END,
  VALUE_START,
} from '../otlp/key-value-words.ts';
import { FieldCursor } from '../otlp/levels.ts';
import {
  lengthEnd,
  skipField,
  skipVarint,
  WIRE_I32,
  WIRE_I64,
  WIRE_LEN,
  WireReader,
} from '../otlp/wire-reader.ts';

/** Fields above this number are of no message that conditions look into. */
const FIELDS = 32;
const FIRST_ATTRIBUTES = 32;
/** A message with more attributes does not keep its array for the messages after it. */
const KEPT_ATTRIBUTES = 4096;

/* Words of an attribute. */
const WORDS = KEY_VALUE_WORDS;

export class MessageTable {
  bytes: Uint8Array = new Uint8Array(0);
  attributeCount = 0;
  /** Words of the last scalar that was read, int32 bits. */
  lo = 0;
  hi = 0;
  /** Bit n: field n is there. */
  #present = 0;
  readonly #starts = new Uint32Array(FIELDS);
  readonly #ends = new Uint32Array(FIELDS);
  #attributes = new Uint32Array(FIRST_ATTRIBUTES * WORDS);
  readonly #reader = new WireReader(new Uint8Array(0));

  /** @param attributesTag of the repeated KeyValue field of the message in [start, end). */
  load(bytes: Uint8Array, start: number, end: number, attributesTag: number): void {
    this.bytes = bytes;
    this.attributeCount = 0;
    if (this.#attributes.length > KEPT_ATTRIBUTES * WORDS) {
      this.#attributes = new Uint32Array(FIRST_ATTRIBUTES * WORDS);
    }
    const starts = this.#starts;
    const ends = this.#ends;
    let present = 0;
    let pos = start;
    while (pos < end) {
      const tag = bytes[pos]!;
      if (tag >= 0x80 || tag < 8) {
        const next = skipLongField(bytes, pos, end);
        present |= this.#addLongField(pos, end);
        pos = next;
        continue;
      }
      const field = tag >>> 3;
      present |= 1 << field;
      if ((tag & 7) === WIRE_LEN) {
        const size = bytes[pos + 1]!;
        const contentStart = size < 0x80 ? pos + 2 : skipVarint(bytes, pos + 1, end);
        // Nearly all fields are shorter than 128 bytes; a call for each would be a third of the pass.
        const contentEnd = size < 0x80 ? contentStart + size : lengthEnd(bytes, pos + 1, end);
        if (tag === attributesTag) this.#addAttribute(contentStart, contentEnd);
        else {
          starts[field] = contentStart;
          ends[field] = contentEnd;
        }
        pos = contentEnd;
        continue;
      }
      starts[field] = pos + 1;
      pos = skipField(bytes, tag, pos + 1, end, 0);
      ends[field] = pos;
    }
    this.#present = present;
  }

  has(tag: number): boolean {
    return (this.#present & (1 << (tag >>> 3))) !== 0;
  }

  /** First byte of the content of a length-delimited field, 0 when absent; of several fields the last one. */
  start(tag: number): number {
    return this.has(tag) ? this.#starts[tag >>> 3]! : 0;
  }

  end(tag: number): number {
    return this.has(tag) ? this.#ends[tag >>> 3]! : 0;
  }

  /** Leaves a scalar in `lo` and `hi`, 0 when it is absent. */
  readWords(tag: number): void {
    this.lo = 0;
    this.hi = 0;
    if (!this.has(tag)) return;
    const reader = this.#reader;
    const field = tag >>> 3;
    reader.reset(this.bytes, this.#starts[field]!, this.#ends[field]!);
    if ((tag & 7) === WIRE_I64) reader.readFixed64();
    else if ((tag & 7) === WIRE_I32) {
      this.lo = reader.readFixed32() | 0;
      return;
    } else reader.readVarint64();
    this.lo = reader.lo;
    this.hi = reader.hi;
  }

  /** The first attribute with this key, or -1. */
  findAttribute(key: Uint8Array): number {
    const words = this.#attributes;
    const bytes = this.bytes;
    const sizeBytes = key.length;
    const wordsEnd = this.attributeCount * WORDS;
    for (let at = 0; at < wordsEnd; at += WORDS) {
      const start = words[at + KEY_START]!;
      if (words[at + KEY_END]! - start !== sizeBytes) continue;
      // Keys share their beginnings, so the end tells them apart sooner.
      let offset = sizeBytes - 1;
      while (offset >= 0 && bytes[start + offset] === key[offset]) offset--;
      if (offset < 0) return at / WORDS;
    }
    return -1;
  }

  /** Moves a view to the value of an attribute. */
  readAttribute(attribute: number, view: AnyValueView): void {
    const at = attribute * WORDS;
    view.reset(this.bytes, this.#attributes[at + VALUE_START]!, this.#attributes[at + VALUE_END]!);
  }

  #addLongField(start: number, end: number): number {
    const cursor = new FieldCursor(this.bytes, start, end);
    cursor.next();
    const field = cursor.tag >>> 3;
    if (field >= FIELDS) return 0;
    this.#starts[field] = cursor.contentStart;
    this.#ends[field] = cursor.fieldEnd;
    return 1 << field;
  }

  #addAttribute(start: number, end: number): void {
    const at = this.attributeCount++ * WORDS;
    if (at === this.#attributes.length) {
      const grown = new Uint32Array(at * 2);
      grown.set(this.#attributes);
      this.#attributes = grown;
    }
    noteKeyValue(this.bytes, start, end, this.#attributes, at);
  }
}
