/** Protobuf wire format, writing side: one growable private buffer, no intermediate objects. */

const UTF8 = new TextEncoder();
const SHORT_TEXT_UNITS = 40;
const SHORT_COPY_BYTES = 32;

/** Bytes that a length or another uint32 takes as a varint: 1..5. */
export function varint32Bytes(value: number): number {
  const bits = value >>> 0;
  if (bits < 0x80) return 1;
  if (bits < 0x4000) return 2;
  if (bits < 0x200000) return 3;
  return bits < 0x10000000 ? 4 : 5;
}

/**
 * Appends encoded fields to a buffer of its own. Tags are the constants of tags.ts.
 *
 * A nested message is `const mark = writer.beginMessage(tag)`, its fields, `writer.endMessage(mark)`;
 * marks nest like brackets. The buffer grows by doubling; the caller bounds what it writes.
 * 64-bit values are two words (int32 or uint32 bits, low word first).
 */
export class WireWriter {
  /** Grows: read it again after each write. Bytes [0, pos) are valid. */
  bytes: Uint8Array<ArrayBuffer>;
  pos = 0;
  #view: DataView;

  constructor(initialBytes = 1024) {
    this.bytes = new Uint8Array(initialBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Forgets the content and keeps the buffer. */
  reset(): void {
    this.pos = 0;
  }

  /** Makes room for `sizeBytes` more bytes. */
  ensure(sizeBytes: number): void {
    const need = this.pos + sizeBytes;
    if (need <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(need, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.pos));
    this.bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  /** A private copy of the content. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.pos);
  }

  /** The content without a copy: valid until the next write or reset. */
  view(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.pos);
  }

  /** A tag, length, uint32 or bool as varint. */
  writeVarint32(value: number): void {
    this.ensure(5);
    this.#putVarint32(value >>> 0);
  }

  /** int64, uint64, or an int32 or enum sign-extended by the caller (`hi = value >> 31`). */
  writeVarint64(lo: number, hi: number): void {
    this.ensure(10);
    const bytes = this.bytes;
    let low = lo >>> 0;
    let high = hi >>> 0;
    let at = this.pos;
    while (high !== 0) {
      bytes[at++] = low | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.pos = at;
    this.writeVarint32(low);
  }

  /** Zig-zag int32. */
  writeSint32(value: number): void {
    this.writeVarint32((value << 1) ^ (value >> 31));
  }

  writeFixed32(value: number): void {
    this.ensure(4);
    this.#view.setUint32(this.pos, value, true);
    this.pos += 4;
  }

  /** fixed64, sfixed64 or the bits of a double. */
  writeFixed64(lo: number, hi: number): void {
    this.ensure(8);
    this.#view.setUint32(this.pos, lo, true);
    this.#view.setUint32(this.pos + 4, hi, true);
    this.pos += 8;
  }

  writeDouble(value: number): void {
    this.ensure(8);
    this.#view.setFloat64(this.pos, value, true);
    this.pos += 8;
  }

  /** Bytes as they are, without tag or length: already encoded fields, for example. `source` may be shared. */
  writeRaw(source: Uint8Array, start = 0, end = source.length): void {
    this.ensure(end - start);
    if (end - start <= SHORT_COPY_BYTES) {
      // A view and a call cost more than this loop.
      const bytes = this.bytes;
      let at = this.pos;
      for (let from = start; from < end; from++) bytes[at++] = source[from]!;
      this.pos = at;
      return;
    }
    this.bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.pos);
    this.pos += end - start;
  }

  /** A length-delimited field: tag, length, content. */
  writeBytesField(tag: number, source: Uint8Array, start = 0, end = source.length): void {
    this.writeVarint32(tag);
    this.writeVarint32(end - start);
    this.writeRaw(source, start, end);
  }

  /** A string field: tag, length, UTF-8. A lone surrogate becomes U+FFFD. */
  writeStringField(tag: number, text: string): void {
    this.writeVarint32(tag);
    const units = text.length;
    // UTF-8 takes at most 3 bytes for a UTF-16 unit.
    this.ensure(units * 3 + 5);
    if (units <= SHORT_TEXT_UNITS && this.#tryWriteAscii(text)) return;
    const lengthBytes = varint32Bytes(units);
    const start = this.pos + lengthBytes;
    const { written } = UTF8.encodeInto(text, this.bytes.subarray(start));
    const needBytes = varint32Bytes(written);
    if (needBytes !== lengthBytes) this.bytes.copyWithin(this.pos + needBytes, start, start + written);
    this.#putVarint32(written);
    this.pos += written;
  }

  /**
   * Opens a nested message.
   * @param lengthBytes how many bytes its length will probably take (1 under 128 bytes, 2 under 16 KiB, ...);
   * a wrong guess costs one move of the content.
   * @returns the mark for `endMessage`.
   */
  beginMessage(tag: number, lengthBytes = 1): number {
    this.writeVarint32(tag);
    this.ensure(lengthBytes);
    // The guess is kept in the first reserved byte until the length is known.
    this.bytes[this.pos] = lengthBytes;
    const mark = this.pos;
    this.pos += lengthBytes;
    return mark;
  }

  /** Closes the innermost open message: writes its length in front of the content. */
  endMessage(mark: number): void {
    const guessBytes = this.bytes[mark]!;
    const start = mark + guessBytes;
    const sizeBytes = this.pos - start;
    const needBytes = varint32Bytes(sizeBytes);
    if (needBytes > guessBytes) this.ensure(needBytes - guessBytes);
    if (needBytes !== guessBytes) this.bytes.copyWithin(mark + needBytes, start, start + sizeBytes);
    this.pos = mark;
    this.#putVarint32(sizeBytes);
    this.pos = mark + needBytes + sizeBytes;
  }

  /** Writes at `pos` without a look at the room: the callers made it, and content may already stand behind. */
  #putVarint32(value: number): void {
    const bytes = this.bytes;
    let rest = value;
    let at = this.pos;
    while (rest >= 0x80) {
      bytes[at++] = rest | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.pos = at;
  }

  #tryWriteAscii(text: string): boolean {
    const bytes = this.bytes;
    const units = text.length;
    let at = this.pos + 1;
    for (let index = 0; index < units; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) return false;
      bytes[at++] = unit;
    }
    bytes[this.pos] = units;
    this.pos = at;
    return true;
  }
}
