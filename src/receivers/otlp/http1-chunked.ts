/** The chunked transfer coding of HTTP/1.1 (RFC 9112, section 7.1), bytes in as they come, body parts out. */
import { isTextByte, isTokenByte } from './http1-head.ts';
import { HEADER_BYTES_MAX } from './limits.ts';

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** 2^48 bytes: far beyond every bound of a body, and exact as a number. */
const SIZE_DIGITS_MAX = 12;
/** Zeros in front of a size are allowed, but not without end. */
const SIZE_CHARS_MAX = 32;

/** States. Those of the line with the size come first, then the bytes of the chunk, then what follows them. */
const SIZE = 0;
const EXTENSION_START = 1;
const EXTENSION_NAME = 2;
const EXTENSION_EQUALS = 3;
const EXTENSION_VALUE = 4;
const EXTENSION_QUOTED = 5;
const EXTENSION_END = 6;
const SIZE_LF = 7;
const DATA = 8;
const DATA_CR = 9;
const DATA_LF = 10;
const TRAILER = 11;
const TRAILER_NAME = 12;
const TRAILER_VALUE = 13;
const TRAILER_LF = 14;
const END_LF = 15;
const DONE = 16;

/** Behind the body they come too late, and a proxy that merges trailers into the head would believe them. */
const FRAMING_NAMES = new Set(['content-length', 'transfer-encoding', 'host']);

/** Gets the parts of a body in order; each lives until the call returns. */
export interface BodySink {
  data(part: Uint8Array): void;
}

export class ChunkedBody {
  #state = SIZE;
  #digits = 0;
  #sizeChars = 0;
  #chunkBytes = 0;
  #trailerName = '';
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
    if (this.#state === SIZE) {
      const digit = hexDigit(byte);
      if (digit >= 0) return this.#addDigit(digit);
      return this.#sizeChars === 0 ? -1 : afterExtension(byte);
    }
    if (this.#state !== SIZE_LF)
      return this.#isSideByte(byte) || byte === CR ? this.#afterExtensionByte(byte) : -1;
    if (byte !== LF) return -1;
    this.#digits = 0;
    this.#sizeChars = 0;
    return this.#chunkBytes === 0 ? TRAILER : DATA;
  }

  /** Without blanks around the signs and escapes in quotes, which are allowed but sent by nobody honest. */
  #afterExtensionByte(byte: number): number {
    switch (this.#state) {
      case EXTENSION_START:
        return isTokenByte(byte) ? EXTENSION_NAME : -1;
      case EXTENSION_NAME:
        if (byte === EQUALS) return EXTENSION_EQUALS;
        return isTokenByte(byte) ? EXTENSION_NAME : afterExtension(byte);
      case EXTENSION_EQUALS:
        if (byte === QUOTE) return EXTENSION_QUOTED;
        return isTokenByte(byte) ? EXTENSION_VALUE : -1;
      case EXTENSION_VALUE:
        return isTokenByte(byte) ? EXTENSION_VALUE : afterExtension(byte);
      case EXTENSION_QUOTED:
        if (byte === QUOTE) return EXTENSION_END;
        return byte === BACKSLASH || byte === CR ? -1 : EXTENSION_QUOTED;
      default:
        return afterExtension(byte);
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
        this.#trailerName = '';
        return this.#addTrailerByte(byte);
      case TRAILER_NAME:
        if (byte === COLON) return FRAMING_NAMES.has(this.#trailerName) ? -1 : TRAILER_VALUE;
        return this.#addTrailerByte(byte);
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

  #addTrailerByte(byte: number): number {
    if (!isTokenByte(byte) || !this.#isSideByte(byte)) return -1;
    this.#trailerName += String.fromCharCode(byte).toLowerCase();
    return TRAILER_NAME;
  }

  #isSideByte(byte: number): boolean {
    this.#sideBytes += 1;
    return this.#sideBytes <= HEADER_BYTES_MAX && isTextByte(byte);
  }
}

function afterExtension(byte: number): number {
  if (byte === SEMICOLON) return EXTENSION_START;
  return byte === CR ? SIZE_LF : -1;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
