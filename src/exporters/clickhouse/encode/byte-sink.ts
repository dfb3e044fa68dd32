import { endianness } from 'node:os';
import { assert } from '../../../stdx/assert.ts';
import { isValidUtf8 } from './utf8.ts';
import { viewOf } from './wire-view.ts';

// Columns are handed to the server as they lie in memory, and ClickHouse's formats are little-endian.
assert(endianness() === 'LE', 'the ClickHouse exporter needs a little-endian machine');

/** Capacity that a sink keeps for the next batch; a batch that needed more gives the surplus back. */
const RETAINED_BYTES_MAX = 16 * 1024 * 1024;
const INITIAL_BYTES = 4096;
/** Above this length one call into the engine's memory copy is cheaper than a loop of our own. */
const LOOP_COPY_BYTES_MAX = 96;
const VARINT_BYTES_MAX = 5;
/** The bit of each byte that ASCII leaves clear. */
const HIGH_BITS = 0x80808080;

const replacingDecoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
const textEncoder = new TextEncoder();

/**
 * Growing buffer of one column. Code on the hot path writes to `bytes` at `pos` after `reserve`.
 * Views that were handed out stay valid until `reset`: growth moves to new memory and leaves the old alone.
 */
export class ByteSink {
  bytes = new Uint8Array(INITIAL_BYTES);
  /** Words of `bytes` at any offset. */
  view = new DataView(this.bytes.buffer);
  pos = 0;

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.pos + count > this.bytes.length) this.#grow(count);
  }

  #grow(count: number): void {
    const next = new Uint8Array(Math.max(this.bytes.length * 2, this.pos + count));
    next.set(this.bytes.subarray(0, this.pos));
    this.#use(next);
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  /** Forgets the content. Memory beyond the retained maximum is released. */
  reset(): void {
    this.pos = 0;
    if (this.bytes.length > RETAINED_BYTES_MAX) this.#use(new Uint8Array(INITIAL_BYTES));
  }

  /** Unsigned LEB128 of a number below 2^32. */
  appendVarint(value: number): void {
    this.reserve(VARINT_BYTES_MAX);
    let rest = value;
    while (rest > 127) {
      this.bytes[this.pos++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.bytes[this.pos++] = rest;
  }

  /** UInt64 from a number below 2^32. */
  appendUint64(value: number): void {
    this.reserve(8);
    let rest = value;
    for (let i = 0; i < 8; i++) {
      this.bytes[this.pos++] = rest & 255;
      rest >>>= 8;
    }
  }

  /** Copies bytes as they are. */
  appendBytes(src: Uint8Array, from: number, count: number): void {
    this.reserve(count);
    if (count > LOOP_COPY_BYTES_MAX) {
      this.bytes.set(src.subarray(from, from + count), this.pos);
    } else {
      const out = this.bytes;
      const to = this.pos;
      for (let i = 0; i < count; i++) out[to + i] = src[from + i]!;
    }
    this.pos += count;
  }

  /**
   * One ClickHouse String: length, then bytes. What is not UTF-8 becomes U+FFFD, because a
   * client that reads the rows as JSON would otherwise get invalid output for a whole result.
   */
  appendString(src: Uint8Array, from: number, count: number): void {
    this.reserve(count + VARINT_BYTES_MAX);
    if (count > LOOP_COPY_BYTES_MAX) {
      this.#appendLong(src, from, count);
      return;
    }
    const out = this.bytes;
    let to = this.pos;
    out[to++] = count;
    // Four bytes at a time, which also shows whether all of them are ASCII.
    const wire = viewOf(src);
    const view = this.view;
    let seen = 0;
    let i = 0;
    for (; i + 4 <= count; i += 4) {
      const word = wire.getInt32(from + i, true);
      seen |= word;
      view.setInt32(to + i, word, true);
    }
    for (; i < count; i++) {
      const byte = src[from + i]!;
      seen |= byte;
      out[to + i] = byte;
    }
    if ((seen & HIGH_BITS) === 0 || isValidUtf8(src, from, count)) this.pos = to + count;
    else this.#appendReplaced(src.subarray(from, from + count));
  }

  #appendLong(src: Uint8Array, from: number, count: number): void {
    const part = src.subarray(from, from + count);
    if (!isValidUtf8(src, from, count)) {
      this.#appendReplaced(part);
      return;
    }
    this.appendVarint(count);
    this.bytes.set(part, this.pos);
    this.pos += count;
  }

  #appendReplaced(part: Uint8Array): void {
    const fixed = textEncoder.encode(replacingDecoder.decode(part));
    this.appendVarint(fixed.length);
    this.appendBytes(fixed, 0, fixed.length);
  }

  /** Repeats the bytes written since `from` until they stand `times` times in a row. */
  repeatFrom(from: number, times: number): void {
    const unit = this.pos - from;
    if (unit === 0 || times < 2) return;
    this.reserve(unit * (times - 1));
    const end = from + unit * times;
    while (this.pos < end) {
      // Doubling: each copy takes all that is there, so the number of calls is logarithmic.
      const count = Math.min(this.pos - from, end - this.pos);
      this.bytes.copyWithin(this.pos, from, from + count);
      this.pos += count;
    }
  }

  /** The content; valid until `reset`. */
  content(): Uint8Array {
    return this.bytes.subarray(0, this.pos);
  }
}
