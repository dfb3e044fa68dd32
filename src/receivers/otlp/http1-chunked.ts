/** The chunked transfer coding of HTTP/1.1 (RFC 9112, section 7.1), bytes in as they come, body parts out. */
import { isTextByte, isTokenByte } from './http1-head.ts';
import { HEADER_BYTES_MAX } from './limits.ts';

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
/** 2^48 bytes: far beyond every bound of a body, and exact as a number. */
const SIZE_DIGITS_MAX = 12;
/** Zeros in front of a size are allowed, but not without end. */
const SIZE_CHARS_MAX = 32;

const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILER = 6;
const TRAILER_NAME = 7;
const TRAILER_VALUE = 8;
const TRAILER_LF = 9;
const END_LF = 10;
const DONE = 11;

/** Gets the parts of a body in order; each lives until the call returns. */
export interface BodySink {
  data(part: Uint8Array): void;
}

export class ChunkedBody {
  #state = SIZE;
  #digits = 0;
  #sizeChars = 0;
  #chunkBytes = 0;
  /** Bytes of extensions and trailers: nobody needs them, and they must not be a way to send without end. */
  #sideBytes = 0;

  get isDone(): boolean {
    return this.#state === DONE;
  }

  /**
   * Reads until the body is complete or the bytes end.
   *
   * @returns index after what was read, -1 when this is not the coding: where the body ends is then unknown.
   */
  read(bytes: Uint8Array, start: number, sink: BodySink): number {
    let at = start;
    while (at < bytes.byteLength && this.#state !== DONE) {
      if (this.#state === DATA) {
        const part = bytes.subarray(at, at + Math.min(this.#chunkBytes, bytes.byteLength - at));
        at += part.byteLength;
        this.#chunkBytes -= part.byteLength;
        if (this.#chunkBytes === 0) this.#state = DATA_CR;
        sink.data(part);
        continue;
      }
      const next = this.#state < DATA ? this.#afterSizeByte(bytes[at]!) : this.#afterByte(bytes[at]!);
      if (next < 0) return -1;
      this.#state = next;
      at++;
    }
    return at;
  }

  #afterSizeByte(byte: number): number {
    switch (this.#state) {
      case SIZE: {
        const digit = hexDigit(byte);
        if (digit >= 0) return this.#addDigit(digit);
        if (this.#sizeChars === 0) return -1;
        if (byte === SEMICOLON) return EXTENSION;
        return byte === CR ? SIZE_LF : -1;
      }
      case EXTENSION:
        if (byte === CR) return SIZE_LF;
        return this.#isSideByte(byte) ? EXTENSION : -1;
      default:
        if (byte !== LF) return -1;
        this.#digits = 0;
        this.#sizeChars = 0;
        return this.#chunkBytes === 0 ? TRAILER : DATA;
    }
  }

  #afterByte(byte: number): number {
    switch (this.#state) {
      case DATA_CR:
        return byte === CR ? DATA_LF : -1;
      case DATA_LF:
        return byte === LF ? SIZE : -1;
      case TRAILER:
        if (byte === CR) return END_LF;
        return isTokenByte(byte) && this.#isSideByte(byte) ? TRAILER_NAME : -1;
      case TRAILER_NAME:
        if (byte === COLON) return TRAILER_VALUE;
        return isTokenByte(byte) && this.#isSideByte(byte) ? TRAILER_NAME : -1;
      case TRAILER_VALUE:
        if (byte === CR) return TRAILER_LF;
        return this.#isSideByte(byte) ? TRAILER_VALUE : -1;
      case TRAILER_LF:
        return byte === LF ? TRAILER : -1;
      default:
        return byte === LF ? DONE : -1;
    }
  }

  #addDigit(digit: number): number {
    this.#sizeChars += 1;
    if (digit > 0 || this.#digits > 0) this.#digits += 1;
    if (this.#digits > SIZE_DIGITS_MAX || this.#sizeChars > SIZE_CHARS_MAX) return -1;
    this.#chunkBytes = this.#chunkBytes * 16 + digit;
    return SIZE;
  }

  #isSideByte(byte: number): boolean {
    this.#sideBytes += 1;
    return this.#sideBytes <= HEADER_BYTES_MAX && isTextByte(byte);
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
