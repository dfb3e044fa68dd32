/** JSON text (RFC 8259) as bytes, reading side: position, white space, strings, skipped values. */
import { limitExceeded, malformed, NESTING_DEPTH_MAX } from './wire-reader.ts';

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const OPEN_BRACKET = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSE_BRACKET = 0x5d;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

const SPACE = 0x20;
const LOWER_U = 0x75;
const REPLACEMENT = 0xfffd;
/** What the letter behind a backslash stands for, 0 where the pair is not JSON. */
const ESCAPED = new Uint8Array(256);
for (const [letter, value] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'].map((pair) => [
  ...pair,
])) {
  ESCAPED[letter!.charCodeAt(0)] = value!.charCodeAt(0);
}

/** A literal as bytes, for `JsonSource.expectLiteral`. */
export const LITERAL_TRUE = Uint8Array.from('true', (c) => c.charCodeAt(0));
export const LITERAL_FALSE = Uint8Array.from('false', (c) => c.charCodeAt(0));
export const LITERAL_NULL = Uint8Array.from('null', (c) => c.charCodeAt(0));

const EMPTY = new Uint8Array(0);

/** Value of a hexadecimal digit, or -1. */
export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * A cursor over one JSON document. Reads past the end give `undefined`, which no check below accepts,
 * so that the end needs no comparison of its own per byte.
 */
export class JsonSource {
  /** Borrowed; never written. */
  bytes: Uint8Array = EMPTY;
  pos = 0;
  /** Where `readToken` left the content of a string: `tokenBytes` from `tokenStart` to `tokenEnd`. */
  tokenBytes: Uint8Array = EMPTY;
  tokenStart = 0;
  tokenEnd = 0;
  readonly #containers = new Uint8Array(NESTING_DEPTH_MAX + 1);

  /** Starts at the first byte; a byte order mark in front is stepped over. */
  reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.tokenBytes = EMPTY;
    this.pos = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  }

  /** Bytes that are left: a bound for the text that can still come. */
  get remainingBytes(): number {
    return this.bytes.length - this.pos;
  }

  /** Steps over white space; returns the byte that stands there, `undefined` at the end. */
  peek(): number {
    const bytes = this.bytes;
    let at = this.pos;
    let byte = bytes[at]!;
    while (byte <= SPACE && (byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09))
      byte = bytes[++at]!;
    this.pos = at;
    return byte;
  }

  /** Steps over white space and one punctuation mark. */
  expect(mark: number): void {
    if (this.peek() !== mark) throw malformed(`expected '${String.fromCharCode(mark)}'`, this.pos);
    this.pos++;
  }

  /** Steps over a literal that starts here. */
  expectLiteral(literal: Uint8Array): void {
    for (let i = 0; i < literal.length; i++) {
      if (this.bytes[this.pos + i] !== literal[i]) throw malformed('not a JSON value', this.pos);
    }
    this.pos += literal.length;
  }

  /** `null` is "not set" for every field: true when it stood here and was stepped over. */
  tryNull(): boolean {
    if (this.peek() !== LITERAL_NULL[0]) return false;
    this.expectLiteral(LITERAL_NULL);
    return true;
  }

  /** Reads a string into `tokenBytes`: the source itself, or a private copy when there were escapes. */
  readToken(): void {
    this.expect(QUOTE);
    const bytes = this.bytes;
    const start = this.pos;
    let at = start;
    let byte = bytes[at]!;
    while (byte >= SPACE && byte !== QUOTE && byte !== BACKSLASH) byte = bytes[++at]!;
    if (byte === QUOTE) {
      this.tokenBytes = bytes;
      this.tokenStart = start;
      this.tokenEnd = at;
      this.pos = at + 1;
      return;
    }
    const end = this.#stringEnd(at);
    const copy = new Uint8Array(end - start);
    this.tokenEnd = this.copyString(copy, 0);
    this.tokenBytes = copy;
    this.tokenStart = 0;
  }

  /**
   * Copies the string whose first byte is at `pos` to `target` from `to` on, unescaped, and steps over its quote.
   *
   * Bytes over 0x7f are taken as they are, valid UTF-8 or not, as they would be from protobuf. A lone surrogate
   * escape becomes U+FFFD. The copy is never longer than the text: the caller has made room for all that is left.
   * @returns the offset in `target` behind the copy.
   */
  copyString(target: Uint8Array, to: number): number {
    const bytes = this.bytes;
    let at = this.pos;
    let out = to;
    for (;;) {
      const byte = bytes[at]!;
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) {
        this.pos = at;
        out = this.#copyEscape(target, out);
        at = this.pos;
        continue;
      }
      if (!(byte >= SPACE))
        throw malformed(at < bytes.length ? 'control character' : 'unterminated string', at);
      target[out++] = byte;
      at++;
    }
    this.pos = at + 1;
    return out;
  }

  /** Steps over one value of any kind, checking its grammar. @param depth nesting level of what holds it. */
  skipValue(depth: number): void {
    const containers = this.#containers;
    let open = 0;
    for (;;) {
      const mark = this.peek();
      if (mark === OPEN_BRACE || mark === OPEN_BRACKET) {
        if (depth + open >= NESTING_DEPTH_MAX) throw limitExceeded('nesting over 100 levels', this.pos);
        this.pos++;
        containers[open++] = mark;
        if (this.peek() !== mark + 2) {
          if (mark === OPEN_BRACE) this.#skipName();
          continue;
        }
      } else this.#skipScalar(mark);
      if (!this.#skipEnds(open)) return;
      open = this.#open;
    }
  }

  #open = 0;

  /** Behind a value: closes containers until one goes on; false when none is left. */
  #skipEnds(depth: number): boolean {
    let open = depth;
    while (open > 0) {
      const container = this.#containers[open - 1]!;
      const mark = this.peek();
      if (mark === container + 2) {
        this.pos++;
        open--;
        continue;
      }
      if (mark !== COMMA) throw malformed("expected ',' or the end of the container", this.pos);
      this.pos++;
      if (container === OPEN_BRACE) this.#skipName();
      this.#open = open;
      return true;
    }
    return false;
  }

  #skipName(): void {
    this.expect(QUOTE);
    this.pos = this.#stringEnd(this.pos) + 1;
    this.expect(COLON);
  }

  #skipScalar(mark: number): void {
    if (mark === QUOTE) this.pos = this.#stringEnd(this.pos + 1) + 1;
    else if (mark === LITERAL_TRUE[0]) this.expectLiteral(LITERAL_TRUE);
    else if (mark === LITERAL_FALSE[0]) this.expectLiteral(LITERAL_FALSE);
    else if (mark === LITERAL_NULL[0]) this.expectLiteral(LITERAL_NULL);
    else this.pos = numberEnd(this.bytes, this.pos);
  }

  /** Offset of the quote that ends a string, from anywhere inside it; checks every escape on the way. */
  #stringEnd(from: number): number {
    const bytes = this.bytes;
    let at = from;
    for (;;) {
      const byte = bytes[at]!;
      if (byte === QUOTE) return at;
      if (!(byte >= SPACE))
        throw malformed(at < bytes.length ? 'control character' : 'unterminated string', at);
      if (byte !== BACKSLASH) at++;
      else if (bytes[at + 1] === LOWER_U) {
        this.#codeUnit(at);
        at += 6;
      } else if (ESCAPED[bytes[at + 1]!]) at += 2;
      else throw malformed('unknown escape', at);
    }
  }

  #copyEscape(target: Uint8Array, to: number): number {
    const at = this.pos;
    const letter = this.bytes[at + 1]!;
    if (letter !== LOWER_U) {
      const value = ESCAPED[letter];
      if (!value) throw malformed('unknown escape', at);
      target[to] = value;
      this.pos = at + 2;
      return to + 1;
    }
    let code = this.#codeUnit(at);
    this.pos = at + 6;
    if (code >= 0xd800 && code <= 0xdfff) {
      const hasNext = code < 0xdc00 && this.bytes[at + 6] === BACKSLASH && this.bytes[at + 7] === LOWER_U;
      const low = hasNext ? this.#codeUnit(at + 6) : 0;
      if (low >= 0xdc00 && low <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        this.pos = at + 12;
      } else code = REPLACEMENT;
    }
    return putUtf8(target, to, code);
  }

  /** The code unit of a `\uXXXX` at this offset. */
  #codeUnit(at: number): number {
    let unit = 0;
    for (let i = at + 2; i < at + 6; i++) {
      const digit = hexDigit(this.bytes[i]!);
      if (digit < 0) throw malformed('unknown escape', at);
      unit = (unit << 4) | digit;
    }
    return unit;
  }
}

function putUtf8(target: Uint8Array, to: number, code: number): number {
  let out = to;
  if (code < 0x80) target[out++] = code;
  else if (code < 0x800) {
    target[out++] = 0xc0 | (code >> 6);
    target[out++] = 0x80 | (code & 0x3f);
  } else {
    if (code < 0x10000) target[out++] = 0xe0 | (code >> 12);
    else {
      target[out++] = 0xf0 | (code >> 18);
      target[out++] = 0x80 | ((code >> 12) & 0x3f);
    }
    target[out++] = 0x80 | ((code >> 6) & 0x3f);
    target[out++] = 0x80 | (code & 0x3f);
  }
  return out;
}

function digitsEnd(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++;
  return at;
}

/** Offset behind the JSON number at `from`; anything else there is malformed. */
export function numberEnd(bytes: Uint8Array, from: number): number {
  const first = bytes[from] === 0x2d ? from + 1 : from;
  let at = digitsEnd(bytes, first);
  if (at === first) throw malformed('not a JSON value', from);
  if (bytes[first] === 0x30 && at > first + 1) throw malformed('number with a leading zero', from);
  if (bytes[at] === 0x2e) {
    const fraction = digitsEnd(bytes, at + 1);
    if (fraction === at + 1) throw malformed('number without digits behind the point', from);
    at = fraction;
  }
  if ((bytes[at]! | 0x20) === 0x65) {
    const sign = bytes[at + 1];
    const start = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1;
    at = digitsEnd(bytes, start);
    if (at === start) throw malformed('exponent without digits', from);
  }
  return at;
}
