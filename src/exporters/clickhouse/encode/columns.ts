import type { BlockWriter, Column } from './block-writer.ts';
import { ByteSink } from './byte-sink.ts';

export const INITIAL_ROWS = 1024;
export const RETAINED_WORDS_MAX = 4 * 1024 * 1024;

/** Twice the room, content kept. */
export function grownWords(words: Uint32Array, need: number): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(Math.max(words.length * 2, need));
  next.set(words);
  return next;
}

/** The first words as bytes, without a copy. */
export function bytesOf(words: Uint32Array, wordCount: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, wordCount * 4);
}

/** String: varint length and bytes a row. */
export class StringColumn implements Column {
  readonly name: string;
  readonly type = 'String';
  readonly sink = new ByteSink();
  #hasContent = false;

  constructor(name: string) {
    this.name = name;
  }

  append(src: Uint8Array, from: number, count: number): void {
    if (count !== 0) {
      this.#hasContent = true;
      this.sink.appendString(src, from, count);
      return;
    }
    this.appendEmpty();
  }

  appendEmpty(): void {
    this.sink.reserve(1);
    this.sink.bytes[this.sink.pos++] = 0;
  }

  /** The same text for `times` rows. */
  appendRepeated(src: Uint8Array, from: number, count: number, times: number): void {
    if (times === 0) return;
    const start = this.sink.pos;
    this.append(src, from, count);
    this.sink.repeatFrom(start, times);
  }

  /** For code that writes to `sink` itself. */
  markContent(): void {
    this.#hasContent = true;
  }

  isDefault(): boolean {
    return !this.#hasContent;
  }

  writePrefix(): void {}

  writeData(out: BlockWriter): void {
    out.appendView(this.sink.content());
  }

  reset(): void {
    this.#hasContent = false;
    this.sink.reset();
  }
}

const HEX_DIGITS = new TextEncoder().encode('0123456789abcdef');
/** Both digits of each byte as one word, the first in its low half. */
const HEX_PAIRS = Uint16Array.from(
  { length: 256 },
  (_, byte) => HEX_DIGITS[byte >> 4]! | (HEX_DIGITS[byte & 15]! << 8),
);

/** String of lower-case hex digits from the bytes of an id; no bytes give an empty string. */
export class HexColumn implements Column {
  readonly name: string;
  readonly type = 'String';
  readonly #sink = new ByteSink();
  #hasContent = false;

  constructor(name: string) {
    this.name = name;
  }

  append(src: Uint8Array, from: number, count: number): void {
    const sink = this.#sink;
    if (count > 0) this.#hasContent = true;
    if (count > 63) sink.appendVarint(count * 2);
    sink.reserve(count * 2 + 1);
    let to = sink.pos;
    if (count < 64) sink.bytes[to++] = count * 2;
    const view = sink.view;
    for (let i = 0; i < count; i++) {
      view.setUint16(to, HEX_PAIRS[src[from + i]!]!, true);
      to += 2;
    }
    sink.pos = to;
  }

  isDefault(): boolean {
    return !this.#hasContent;
  }

  writePrefix(): void {}

  writeData(out: BlockWriter): void {
    out.appendView(this.#sink.content());
  }

  reset(): void {
    this.#hasContent = false;
    this.#sink.reset();
  }
}

/** 64-bit values as pairs of words: DateTime64(9), UInt64, Float64, and array offsets. */
export class Words64Column implements Column {
  readonly name: string;
  readonly type: string;
  words = new Uint32Array(INITIAL_ROWS * 2);
  /** Words written: two a row. */
  used = 0;
  #anyBits = 0;

  constructor(name: string, type: string) {
    this.name = name;
    this.type = type;
  }

  append(low: number, high: number): void {
    if (this.used === this.words.length) this.words = grownWords(this.words, this.used + 2);
    this.words[this.used] = low;
    this.words[this.used + 1] = high;
    this.used += 2;
    this.#anyBits |= low | high;
  }

  isDefault(): boolean {
    return this.#anyBits === 0;
  }

  writePrefix(): void {}

  writeData(out: BlockWriter): void {
    out.appendView(bytesOf(this.words, this.used));
  }

  reset(): void {
    this.used = 0;
    this.#anyBits = 0;
    if (this.words.length > RETAINED_WORDS_MAX) this.words = new Uint32Array(INITIAL_ROWS * 2);
  }
}

/** UInt8, Bool, UInt32 and Int32 columns, `widthBytes` 1 or 4. */
export class IntColumn implements Column {
  readonly name: string;
  readonly type: string;
  readonly #widthBytes: number;
  readonly #sink = new ByteSink();
  #anyBits = 0;

  constructor(name: string, type: 'UInt8' | 'Bool' | 'UInt32' | 'Int32') {
    this.name = name;
    this.type = type;
    this.#widthBytes = type === 'UInt8' || type === 'Bool' ? 1 : 4;
  }

  append(value: number): void {
    const sink = this.#sink;
    sink.reserve(4);
    this.#anyBits |= value;
    sink.bytes[sink.pos++] = value;
    if (this.#widthBytes === 1) return;
    sink.bytes[sink.pos++] = value >>> 8;
    sink.bytes[sink.pos++] = value >>> 16;
    sink.bytes[sink.pos++] = value >>> 24;
  }

  appendRepeated(value: number, times: number): void {
    if (times === 0) return;
    const start = this.#sink.pos;
    this.append(value);
    this.#sink.repeatFrom(start, times);
  }

  isDefault(): boolean {
    return this.#anyBits === 0;
  }

  writePrefix(): void {}

  writeData(out: BlockWriter): void {
    out.appendView(this.#sink.content());
  }

  reset(): void {
    this.#anyBits = 0;
    this.#sink.reset();
  }
}

/** Cumulative ends of arrays and maps: UInt64, of which the upper word stays zero. */
export class OffsetsColumn {
  #words = new Uint32Array(INITIAL_ROWS * 2);
  #used = 0;
  #last = 0;

  append(end: number): void {
    if (this.#used === this.#words.length) this.#words = grownWords(this.#words, this.#used + 2);
    this.#words[this.#used] = end;
    this.#used += 2;
    this.#last = end;
  }

  /** End of the last row, 0 before the first. */
  last(): number {
    return this.#last;
  }

  writeData(out: BlockWriter): void {
    out.appendView(bytesOf(this.#words, this.#used));
  }

  reset(): void {
    this.#used = 0;
    this.#last = 0;
    if (this.#words.length > RETAINED_WORDS_MAX) this.#words = new Uint32Array(INITIAL_ROWS * 2);
  }
}

/** Array of another column; the columns of one Nested group share their offsets. */
export class ArrayColumn implements Column {
  readonly name: string;
  readonly type: string;
  readonly #offsets: OffsetsColumn;
  readonly #elements: Column;

  constructor(name: string, offsets: OffsetsColumn, elements: Column) {
    this.name = name;
    this.type = `Array(${elements.type})`;
    this.#offsets = offsets;
    this.#elements = elements;
  }

  isDefault(): boolean {
    return this.#offsets.last() === 0;
  }

  writePrefix(out: BlockWriter): void {
    this.#elements.writePrefix(out);
  }

  writeData(out: BlockWriter): void {
    this.#offsets.writeData(out);
    this.#elements.writeData(out);
  }

  reset(): void {
    this.#offsets.reset();
    this.#elements.reset();
  }
}

/** Little-endian word at `at`, as uint32. */
export function wordAt(wire: Uint8Array, at: number): number {
  return (wire[at]! | (wire[at + 1]! << 8) | (wire[at + 2]! << 16) | (wire[at + 3]! << 24)) >>> 0;
}
