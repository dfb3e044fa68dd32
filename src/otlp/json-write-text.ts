/** Values of OTLP/JSON as bytes, written behind each other into one growing buffer. */
import { decodeUtf8 } from './wire-reader.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const SPACE = 0x20;
const HEX = Uint8Array.from('0123456789abcdef', (char) => char.charCodeAt(0));
const BASE64 = Uint8Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', (char) =>
  char.charCodeAt(0),
);
const PADDING = 0x3d;
const BILLION = 1_000_000_000;
const BILLION_DIGITS = 9;
const UTF8 = new TextEncoder();
const FIRST_BYTES = 1 << 16;

/** Bytes are whole after each call; `reset` makes the buffer free for the next text. */
export class JsonText {
  bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  pos = 0;

  reset(): void {
    this.pos = 0;
  }

  /** Makes room for `count` bytes more. */
  reserve(count: number): void {
    if (this.pos + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.pos + count));
    grown.set(this.bytes.subarray(0, this.pos));
    this.bytes = grown;
  }

  byte(value: number): void {
    if (this.pos === this.bytes.length) this.reserve(1);
    this.bytes[this.pos++] = value;
  }

  /** Short ones: names of members and punctuation. */
  copy(source: Uint8Array): void {
    const { length } = source;
    this.reserve(length);
    const { bytes } = this;
    let at = this.pos;
    for (let i = 0; i < length; i++) bytes[at++] = source[i]!;
    this.pos = at;
  }

  ascii(text: string): void {
    this.reserve(text.length);
    for (let i = 0; i < text.length; i++) this.bytes[this.pos++] = text.charCodeAt(i);
  }

  /** A JSON string of UTF-8 bytes; invalid ones become U+FFFD. */
  string(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start + 2);
    const { bytes } = this;
    let at = this.pos;
    bytes[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const byte = source[i]!;
      // Escapes and everything beyond ASCII are left to those who know all rules.
      if (byte < SPACE || byte > 0x7e || byte === QUOTE || byte === BACKSLASH)
        return this.#anyString(source, start, end);
      bytes[at++] = byte;
    }
    bytes[at++] = QUOTE;
    this.pos = at;
  }

  #anyString(source: Uint8Array, start: number, end: number): void {
    const text = JSON.stringify(decodeUtf8(source, start, end));
    this.reserve(text.length * 3);
    this.pos += UTF8.encodeInto(text, this.bytes.subarray(this.pos)).written;
  }

  hex(source: Uint8Array, start: number, end: number): void {
    this.reserve(2 * (end - start) + 2);
    const { bytes } = this;
    let at = this.pos;
    bytes[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const byte = source[i]!;
      bytes[at++] = HEX[byte >>> 4]!;
      bytes[at++] = HEX[byte & 15]!;
    }
    bytes[at++] = QUOTE;
    this.pos = at;
  }

  /** Standard alphabet with padding. */
  base64(source: Uint8Array, start: number, end: number): void {
    this.reserve(Math.ceil((end - start) / 3) * 4 + 2);
    this.byte(QUOTE);
    for (let i = start; i < end; i += 3) {
      const left = end - i;
      const bits =
        (source[i]! << 16) | (left > 1 ? source[i + 1]! << 8 : 0) | (left > 2 ? source[i + 2]! : 0);
      this.byte(BASE64[bits >>> 18]!);
      this.byte(BASE64[(bits >>> 12) & 63]!);
      this.byte(left > 1 ? BASE64[(bits >>> 6) & 63]! : PADDING);
      this.byte(left > 2 ? BASE64[bits & 63]! : PADDING);
    }
    this.byte(QUOTE);
  }

  /** A 64-bit integer from its words, as the decimal text that OTLP/JSON wants. */
  int64(lo: number, hi: number, isSigned: boolean): void {
    this.reserve(22);
    this.byte(QUOTE);
    const isNegative = isSigned && hi < 0;
    if (isNegative) this.byte(0x2d);
    // The size of a negative number is its two's complement.
    const low = isNegative ? (-lo | 0) >>> 0 : lo >>> 0;
    const high = isNegative ? (low === 0 ? (~hi + 1) >>> 0 : ~hi >>> 0) : hi >>> 0;
    if (high === 0) this.uint(low);
    else this.#long(low, high);
    this.byte(QUOTE);
  }

  /** Division by a billion in steps of sixteen bits, because doubles hold no 64-bit integer. */
  #long(low: number, high: number): void {
    const top = Math.floor(high / BILLION);
    const middle = (high - top * BILLION) * 65_536 + (low >>> 16);
    const middleQuotient = Math.floor(middle / BILLION);
    const rest = (middle - middleQuotient * BILLION) * 65_536 + (low & 0xffff);
    const restQuotient = Math.floor(rest / BILLION);
    const quotient = top * 0x1_0000_0000 + middleQuotient * 65_536 + restQuotient;
    const digits = rest - restQuotient * BILLION;
    if (quotient === 0) this.uint(digits);
    else {
      this.uint(quotient);
      this.#padded(digits);
    }
  }

  #padded(value: number): void {
    let rest = value;
    for (let at = this.pos + BILLION_DIGITS - 1; at >= this.pos; at--) {
      const next = Math.floor(rest / 10);
      this.bytes[at] = ZERO + rest - next * 10;
      rest = next;
    }
    this.pos += BILLION_DIGITS;
  }

  /** An integer from 0 to 2^53 in decimal digits. */
  uint(value: number): void {
    this.reserve(16);
    let count = 1;
    for (let bound = 10; bound <= value; bound *= 10) count++;
    let rest = value;
    for (let at = this.pos + count - 1; at >= this.pos; at--) {
      const next = Math.floor(rest / 10);
      this.bytes[at] = ZERO + rest - next * 10;
      rest = next;
    }
    this.pos += count;
  }
}
