/**
 * Protobuf wire format, reading side (protobuf.dev/programming-guides/encoding).
 *
 * Every check of a bound lives here or in scan*.ts; a violation is PipelineError OTLP_MALFORMED, permanent,
 * with the byte offset in the buffer that was given. Nothing is allocated in proportion to a length that the
 * input claims, and 64-bit values travel as two int32 words, never as a BigInt or a rounded number.
 */
import { PipelineError } from '../component/errors.ts';

export const WIRE_VARINT = 0;
export const WIRE_I64 = 1;
export const WIRE_LEN = 2;
export const WIRE_GROUP_START = 3;
export const WIRE_GROUP_END = 4;
export const WIRE_I32 = 5;

/** Deepest nesting of messages, groups and AnyValues that is accepted; the outermost message is level 0. */
export const NESTING_DEPTH_MAX = 100;

const FLOAT_SCRATCH = new DataView(new ArrayBuffer(8));
// ignoreBOM keeps a leading U+FEFF, which belongs to the value; invalid UTF-8 becomes U+FFFD.
const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });
const SHORT_TEXT_BYTES = 24;

/** The error of bytes that are not the message they claim to be. */
export function malformed(what: string, offset: number): PipelineError {
  return new PipelineError('OTLP_MALFORMED', `${what} at byte ${offset}`, { permanent: true });
}

/** The error of a message that is well formed and over one of our limits. */
export function limitExceeded(what: string, offset: number): PipelineError {
  return new PipelineError('OTLP_LIMIT_EXCEEDED', `${what} at byte ${offset}`, { permanent: true });
}

/**
 * Offset behind the varint at `pos`: at most 10 bytes, of which the tenth may carry one bit.
 * Overlong forms (`80 00` for zero) are accepted, here and in every reader of this folder.
 */
export function skipVarint(bytes: Uint8Array, pos: number, end: number): number {
  const limit = Math.min(pos + 10, end);
  for (let at = pos; at < limit; at++) {
    if (bytes[at]! < 0x80) {
      if (at === pos + 9 && bytes[at]! > 1) throw malformed('varint over 64 bits', pos);
      return at + 1;
    }
  }
  throw malformed(limit === end ? 'truncated varint' : 'varint over 10 bytes', pos);
}

/**
 * End of the content of a length-delimited field whose length prefix is at `pos`; never beyond `end`.
 * The content starts behind the prefix: `pos + 1` when that byte is below 0x80, else `skipVarint(...)`.
 */
export function lengthEnd(bytes: Uint8Array, pos: number, end: number): number {
  const first = pos < end ? bytes[pos]! : 0x80;
  if (first >= 0x80) return longLengthEnd(bytes, pos, end);
  const contentEnd = pos + 1 + first;
  if (contentEnd > end) throw malformed('length past the end', pos);
  return contentEnd;
}

function longLengthEnd(bytes: Uint8Array, pos: number, end: number): number {
  const start = skipVarint(bytes, pos, end);
  if (start === pos + 2) {
    const contentEnd = start + ((bytes[pos]! & 0x7f) | (bytes[pos + 1]! << 7));
    if (contentEnd > end) throw malformed('length past the end', pos);
    return contentEnd;
  }
  // A double holds what ten bytes may claim closely enough to compare it with the room that is left.
  let claimedBytes = 0;
  let scale = 1;
  for (let at = pos; at < start; at++) {
    claimedBytes += (bytes[at]! & 0x7f) * scale;
    scale *= 128;
  }
  if (claimedBytes > end - start) throw malformed('length past the end', pos);
  return start + (claimedBytes | 0);
}

/**
 * Offset behind one field whose tag was read already.
 *
 * Groups are skipped without recursion; their nesting counts against the same limit as messages.
 * @param tag the whole tag; its field number must match the end of a group.
 * @param pos offset behind the tag.
 * @param depth nesting level of the message that holds the field.
 */
export function skipField(bytes: Uint8Array, tag: number, pos: number, end: number, depth: number): number {
  const wireType = tag & 7;
  if (wireType === WIRE_VARINT) return skipVarint(bytes, pos, end);
  if (wireType === WIRE_I64 || wireType === WIRE_I32) {
    const next = pos + (wireType === WIRE_I64 ? 8 : 4);
    if (next > end) throw malformed('truncated fixed-size field', pos);
    return next;
  }
  if (wireType === WIRE_LEN) return lengthEnd(bytes, pos, end);
  if (wireType === WIRE_GROUP_START) return skipGroup(bytes, tag, pos, end, depth);
  throw malformed(wireType === WIRE_GROUP_END ? 'unmatched end of group' : 'unknown wire type', pos);
}

function skipGroup(bytes: Uint8Array, tag: number, start: number, end: number, depth: number): number {
  const open: number[] = [tag >>> 3];
  const reader = new WireReader(bytes, start, end);
  while (open.length > 0) {
    if (depth + open.length > NESTING_DEPTH_MAX) throw limitExceeded('nesting over 100 levels', reader.pos);
    if (reader.pos >= end) throw malformed('group without an end', start);
    const tagAt = reader.pos;
    const inner = reader.readTag();
    const wireType = inner & 7;
    if (wireType === WIRE_GROUP_START) open.push(inner >>> 3);
    else if (wireType === WIRE_GROUP_END) {
      if (open.pop() !== inner >>> 3) throw malformed('end of another group', tagAt);
    } else reader.pos = skipField(bytes, inner, reader.pos, end, depth);
  }
  return reader.pos;
}

/** Text of bytes [start, end); invalid UTF-8 becomes U+FFFD. Works on views over shared memory. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > SHORT_TEXT_BYTES) return UTF8.decode(bytes.subarray(start, end));
  let text = '';
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80) return UTF8.decode(bytes.subarray(start, end));
    text += String.fromCharCode(byte);
  }
  return text;
}

/** The double whose IEEE 754 bits are these two words. */
export function doubleOfWords(lo: number, hi: number): number {
  FLOAT_SCRATCH.setInt32(0, lo, true);
  FLOAT_SCRATCH.setInt32(4, hi, true);
  return FLOAT_SCRATCH.getFloat64(0, true);
}

/** Two words as a BigInt, for whoever shows or compares few values; never per item on the hot path. */
export function bigintOfWords(lo: number, hi: number, signed: boolean): bigint {
  const value = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  return signed ? BigInt.asIntN(64, value) : value;
}

/**
 * A cursor over one message. It borrows `bytes` (private or over settled shared memory) and never writes to it.
 * Reuse one reader per loop with `reset`; enter a nested message by narrowing `end` and restoring it after.
 */
export class WireReader {
  bytes: Uint8Array;
  /** Offset of the next byte. */
  pos: number;
  /** Offset behind the message; nothing at or beyond it is read. */
  end: number;
  /** Low word of the last 64-bit value, as int32 bits (`>>> 0` for unsigned). */
  lo = 0;
  /** High word of the last 64-bit value, as int32 bits. */
  hi = 0;

  constructor(bytes: Uint8Array, pos = 0, end = bytes.length) {
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
  }

  reset(bytes: Uint8Array, pos: number, end: number): void {
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
  }

  /** Field number << 3 | wire type, as uint32. Field 0, wire types 6 and 7 and tags over 32 bits are malformed. */
  readTag(): number {
    const at = this.pos;
    const first = at < this.end ? this.bytes[at]! : 0x80;
    let tag = first;
    if (first < 0x80) this.pos = at + 1;
    else {
      tag = this.readVarint32();
      if (this.hi !== 0) throw malformed('field number over 29 bits', at);
    }
    if (tag >>> 3 === 0) throw malformed('field number 0', at);
    if ((tag & 7) > WIRE_I32) throw malformed('unknown wire type', at);
    return tag;
  }

  /** Length prefix of a string, bytes, message or packed field; the content is [pos, pos + length) and fits. */
  readLength(): number {
    const at = this.pos;
    const first = at < this.end ? this.bytes[at]! : 0x80;
    let sizeBytes = first;
    if (first < 0x80) this.pos = at + 1;
    else {
      sizeBytes = this.readVarint32();
      if (this.hi !== 0) throw malformed('length over 32 bits', at);
    }
    if (sizeBytes > this.end - this.pos) throw malformed('length past the end', at);
    return sizeBytes;
  }

  /** Low 32 bits of a varint, as uint32; `lo` and `hi` hold the whole value. */
  readVarint32(): number {
    this.readVarint64();
    return this.lo >>> 0;
  }

  /** Leaves a varint of up to 64 bits in `lo` and `hi`. */
  readVarint64(): void {
    const next = skipVarint(this.bytes, this.pos, this.end);
    const bytes = this.bytes;
    let lo = 0;
    let hi = 0;
    for (let at = this.pos, shift = 0; at < next; at++, shift += 7) {
      const bits = bytes[at]! & 0x7f;
      if (shift < 32) lo |= bits << shift;
      if (shift === 28) hi = bits >>> 4;
      else if (shift > 28) hi |= bits << (shift - 32);
    }
    this.lo = lo;
    this.hi = hi;
    this.pos = next;
  }

  /** bool: true for any value but 0. */
  readBool(): boolean {
    this.readVarint64();
    return (this.lo | this.hi) !== 0;
  }

  /** int32 or enum: the low word of the 64-bit value, as the specification says for longer ones. */
  readInt32(): number {
    this.readVarint64();
    return this.lo;
  }

  /** sint32 (zig-zag). */
  readSint32(): number {
    this.readVarint64();
    return (this.lo >>> 1) ^ -(this.lo & 1);
  }

  /** fixed32 as uint32. */
  readFixed32(): number {
    const at = this.pos;
    if (at + 4 > this.end) throw malformed('truncated fixed32', at);
    this.pos = at + 4;
    return this.#wordAt(at) >>> 0;
  }

  /** Leaves a fixed64, sfixed64 or double in `lo` and `hi`. */
  readFixed64(): void {
    const at = this.pos;
    if (at + 8 > this.end) throw malformed('truncated fixed64', at);
    this.lo = this.#wordAt(at);
    this.hi = this.#wordAt(at + 4);
    this.pos = at + 8;
  }

  /** double; `lo` and `hi` keep its exact bits (a NaN's payload may not survive as a number). */
  readDouble(): number {
    this.readFixed64();
    return doubleOfWords(this.lo, this.hi);
  }

  /** String field behind its tag: length and text, invalid UTF-8 replaced. */
  readString(): string {
    const sizeBytes = this.readLength();
    const start = this.pos;
    this.pos = start + sizeBytes;
    return decodeUtf8(this.bytes, start, start + sizeBytes);
  }

  /** bytes field behind its tag: a view, valid as long as the buffer. */
  readBytes(): Uint8Array {
    const sizeBytes = this.readLength();
    const start = this.pos;
    this.pos = start + sizeBytes;
    return this.bytes.subarray(start, start + sizeBytes);
  }

  /** Skips the field whose tag was just read. @param depth nesting level of the current message. */
  skip(tag: number, depth = 0): void {
    this.pos = skipField(this.bytes, tag, this.pos, this.end, depth);
  }

  #wordAt(at: number): number {
    const bytes = this.bytes;
    return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  }
}
