/**
 * `tracestate` of a span as bytes: the member `ot` with its sampling keys is read and written, all others stay.
 *
 * Grammar and limits are those of W3C Trace Context 3.3.1 and of OpenTelemetry's tracestate handling: 1024 bytes,
 * 31 list elements, `ot=` values of `key:value` parts between semicolons, at most 256 bytes.
 */
import { Bits56, HEX_DIGITS } from './bits56.ts';
import type { SamplingInfo } from './sampler.ts';

const TRACE_STATE_BYTES_MAX = 1024;
const ELEMENTS_END = 32;
const KEY_BYTES_MAX = 256;
const TENANT_BYTES_MAX = 241;
const SYSTEM_BYTES_MAX = 14;
const VALUE_BYTES_MAX = 256;
/** `ot=rv:` 14 digits `;th:` 14 digits and a comma beside all that was there. */
const WRITTEN_BYTES_MAX = TRACE_STATE_BYTES_MAX + 64;

const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const COLON = 0x3a;
const EQUALS = 0x3d;
const AT = 0x40;
const SPACE = 0x20;
const TAB = 0x09;
const LETTER_O = 0x6f;
const LETTER_T = 0x74;
const LETTER_R = 0x72;
const LETTER_V = 0x76;
const LETTER_H = 0x68;

/* What a byte may be. */
const LOWER = 1;
const DIGIT = 2;
const KEY_PUNCTUATION = 4;
/** In a value of the list, spaces apart. */
const VISIBLE = 8;
/** In a value of `ot`. */
const OT_VALUE = 16;
const KEY = LOWER | DIGIT | KEY_PUNCTUATION;
const CLASSES = new Uint8Array(256);
for (let byte = 0x21; byte <= 0x7e; byte++) {
  const text = String.fromCharCode(byte);
  CLASSES[byte] =
    (/[a-z]/.test(text) ? LOWER : 0) |
    (/[0-9]/.test(text) ? DIGIT : 0) |
    (/[-_*/]/.test(text) ? KEY_PUNCTUATION : 0) |
    (/[^,=]/.test(text) ? VISIBLE : 0) |
    (/[\w.-]/.test(text) ? OT_VALUE : 0);
}

function areAll(bytes: Uint8Array, start: number, end: number, classes: number): boolean {
  for (let at = start; at < end; at++) if ((CLASSES[bytes[at]!]! & classes) === 0) return false;
  return true;
}

function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === byte) return at;
  return end;
}

export class TraceState implements SamplingInfo {
  isMalformed = false;
  hasThreshold = false;
  readonly threshold = new Bits56();
  hasRandomness = false;
  readonly randomness = new Bits56();
  /** Bytes [0, writtenBytes) after `write`. */
  readonly written = new Uint8Array(WRITTEN_BYTES_MAX);
  writtenBytes = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  /** Value of the last `ot` member, empty without one. */
  #otStart = 0;
  #otEnd = 0;
  /** Digits as they came, which stay unless another number was set; 0 for none. */
  #randomnessAt = 0;
  #thresholdStart = 0;
  #thresholdEnd = 0;

  /** Reads a text; `isMalformed` tells that it breaks a rule, and it is not to be written then. */
  read(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#readOt(0, 0);
    this.isMalformed = !this.#readList();
  }

  setThreshold(threshold: Bits56): void {
    this.threshold.copy(threshold);
    this.hasThreshold = true;
    this.#thresholdEnd = 0;
  }

  setRandomness(randomness: Bits56): void {
    this.randomness.copy(randomness);
    this.hasRandomness = true;
    this.#randomnessAt = 0;
  }

  clearThreshold(): void {
    this.hasThreshold = false;
  }

  /** Puts the text together: `ot` first, its sampling keys first, then everything else in its order. */
  write(): void {
    this.writtenBytes = 0;
    this.#writeOt();
    const bytes = this.#bytes;
    for (let pos = this.#start; pos < this.#end; ) {
      const comma = indexOf(bytes, COMMA, pos, this.#end);
      const start = skipBlanks(bytes, pos, comma);
      const end = trimBlanks(bytes, start, comma);
      pos = comma + 1;
      if (end === start || isOt(bytes, start, end)) continue;
      if (this.writtenBytes > 0) this.#put(COMMA);
      this.#copy(start, end);
    }
  }

  /** Whether `write` made something else of the text that was read. */
  get isChanged(): boolean {
    const sizeBytes = this.writtenBytes;
    if (sizeBytes !== this.#end - this.#start) return true;
    for (let at = 0; at < sizeBytes; at++) {
      if (this.written[at] !== this.#bytes[this.#start + at]) return true;
    }
    return false;
  }

  #readList(): boolean {
    const bytes = this.#bytes;
    if (this.#end - this.#start > TRACE_STATE_BYTES_MAX) return false;
    let elements = 0;
    for (let pos = this.#start; pos < this.#end; ) {
      if (++elements === ELEMENTS_END) return false;
      const comma = indexOf(bytes, COMMA, pos, this.#end);
      const start = skipBlanks(bytes, pos, comma);
      const end = trimBlanks(bytes, start, comma);
      pos = comma + 1;
      if (end === start) continue;
      const equals = indexOf(bytes, EQUALS, start, end);
      if (equals === end || !isKey(bytes, start, equals) || !isValue(bytes, equals + 1, end)) return false;
      if (isOt(bytes, start, end) && !this.#readOt(equals + 1, end)) return false;
    }
    return true;
  }

  /** A later `ot` member replaces the one before it. */
  #readOt(start: number, end: number): boolean {
    const bytes = this.#bytes;
    this.#otStart = start;
    this.#otEnd = end;
    this.hasThreshold = false;
    this.hasRandomness = false;
    for (let pos = start; pos < end; ) {
      const partEnd = indexOf(bytes, SEMICOLON, pos, end);
      const colon = indexOf(bytes, COLON, pos, partEnd);
      if (colon === partEnd || partEnd === end - 1) return false;
      if ((CLASSES[bytes[pos]!]! & LOWER) === 0 || !areAll(bytes, pos, colon, LOWER | DIGIT)) return false;
      if (!areAll(bytes, colon + 1, partEnd, OT_VALUE)) return false;
      if (isRandomness(bytes, pos, colon)) {
        if (partEnd - colon - 1 !== HEX_DIGITS) return false;
        this.hasRandomness = this.randomness.readHex(bytes, colon + 1, partEnd);
        this.#randomnessAt = colon + 1;
        if (!this.hasRandomness) return false;
      } else if (isThreshold(bytes, pos, colon)) {
        this.hasThreshold = this.threshold.readHex(bytes, colon + 1, partEnd);
        this.#thresholdStart = colon + 1;
        this.#thresholdEnd = partEnd;
        if (!this.hasThreshold) return false;
      }
      pos = partEnd + 1;
    }
    return true;
  }

  #writeOt(): void {
    if (this.hasRandomness) {
      this.#beginPart();
      this.#putName(LETTER_R, LETTER_V);
      if (this.#randomnessAt > 0) this.#copy(this.#randomnessAt, this.#randomnessAt + HEX_DIGITS);
      else this.writtenBytes = this.randomness.writeRandomness(this.written, this.writtenBytes);
    }
    if (this.hasThreshold) {
      this.#beginPart();
      this.#putName(LETTER_T, LETTER_H);
      if (this.#thresholdEnd > 0) this.#copy(this.#thresholdStart, this.#thresholdEnd);
      else this.writtenBytes = this.threshold.writeThreshold(this.written, this.writtenBytes);
    }
    const bytes = this.#bytes;
    for (let pos = this.#otStart; pos < this.#otEnd; ) {
      const partEnd = indexOf(bytes, SEMICOLON, pos, this.#otEnd);
      const colon = indexOf(bytes, COLON, pos, partEnd);
      if (!isRandomness(bytes, pos, colon) && !isThreshold(bytes, pos, colon)) {
        this.#beginPart();
        this.#copy(pos, partEnd);
      }
      pos = partEnd + 1;
    }
  }

  #beginPart(): void {
    if (this.writtenBytes > 0) return this.#put(SEMICOLON);
    this.#put(LETTER_O);
    this.#put(LETTER_T);
    this.#put(EQUALS);
  }

  #putName(first: number, second: number): void {
    this.#put(first);
    this.#put(second);
    this.#put(COLON);
  }

  #put(byte: number): void {
    this.written[this.writtenBytes++] = byte;
  }

  #copy(start: number, end: number): void {
    for (let at = start; at < end; at++) this.written[this.writtenBytes++] = this.#bytes[at]!;
  }
}

const isBlank = (byte: number): boolean => byte === SPACE || byte === TAB;

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(bytes[at]!)) at++;
  return at;
}

function trimBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(bytes[at - 1]!)) at--;
  return at;
}

/** Whether a valid list member, name and value, is that of OpenTelemetry. */
function isOt(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start > 2 &&
    bytes[start] === LETTER_O &&
    bytes[start + 1] === LETTER_T &&
    bytes[start + 2] === EQUALS
  );
}

function isRandomness(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 2 && bytes[start] === LETTER_R && bytes[start + 1] === LETTER_V;
}

function isThreshold(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 2 && bytes[start] === LETTER_T && bytes[start + 1] === LETTER_H;
}

function isKey(bytes: Uint8Array, start: number, end: number): boolean {
  if (end === start || end - start > KEY_BYTES_MAX) return false;
  const at = indexOf(bytes, AT, start, end);
  const first = CLASSES[bytes[start]!]!;
  if (at === end) return (first & LOWER) !== 0 && areAll(bytes, start + 1, end, KEY);
  if (at === start || at + 1 === end) return false;
  if (at - start > TENANT_BYTES_MAX || end - at - 1 > SYSTEM_BYTES_MAX) return false;
  if ((first & (LOWER | DIGIT)) === 0 || (CLASSES[bytes[at + 1]!]! & LOWER) === 0) return false;
  return areAll(bytes, start + 1, at, KEY) && areAll(bytes, at + 2, end, KEY);
}

function isValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (end === start || end - start > VALUE_BYTES_MAX) return false;
  for (let at = start; at < end; at++) {
    if (bytes[at] !== SPACE && (CLASSES[bytes[at]!]! & VISIBLE) === 0) return false;
  }
  // Blanks at the end were cut off before.
  return true;
}
