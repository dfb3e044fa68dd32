/** `tracestate` by the rules of W3C Trace Context, section 3.3, as OpenTelemetry's Go API parses it. */
import { TextSet } from './text-set.ts';

const MEMBERS_MAX = 32;
const VALUE_BYTES_MAX = 256;
/** A configured value has to leave room for its key. */
const MEMBER_CHARACTERS_MAX = 256;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const SPACE = 0x20;
const TAB = 0x09;
const AT = 0x40;
const UTF8 = new TextEncoder();

/** Whether a member has one of some values. A text with any flaw has no members at all. */
export class TraceStateTest {
  readonly #key: Uint8Array;
  readonly #values: TextSet;
  /** Keys of the members so far, to find a second one. */
  readonly #keyStarts = new Uint32Array(MEMBERS_MAX);
  readonly #keyEnds = new Uint32Array(MEMBERS_MAX);

  constructor(key: string, values: readonly string[]) {
    this.#key = UTF8.encode(key);
    const usable = values.filter(
      (value) => value !== '' && this.#key.length + UTF8.encode(value).length < MEMBER_CHARACTERS_MAX,
    );
    this.#values = new TextSet(usable);
  }

  /** @param start text in [start, end). */
  matches(bytes: Uint8Array, start: number, end: number): boolean {
    let isMatch = false;
    let memberCount = 0;
    let pos = start;
    while (pos < end) {
      const memberStart = pos;
      pos = indexOfByte(bytes, COMMA, pos, end);
      const memberEnd = pos++;
      if (memberStart === memberEnd) continue;
      const equals = indexOfByte(bytes, EQUALS, memberStart, memberEnd);
      if (equals === memberEnd) return false;
      let keyStart = memberStart;
      while (keyStart < equals && isBlank(bytes[keyStart]!)) keyStart++;
      let valueEnd = memberEnd;
      while (valueEnd > equals + 1 && isBlank(bytes[valueEnd - 1]!)) valueEnd--;
      if (!isKey(bytes, keyStart, equals) || !isValue(bytes, equals + 1, valueEnd)) return false;
      if (memberCount === MEMBERS_MAX || this.#isTwin(bytes, memberCount, keyStart, equals)) return false;
      this.#keyStarts[memberCount] = keyStart;
      this.#keyEnds[memberCount] = equals;
      memberCount++;
      if (isSame(this.#key, 0, this.#key.length, bytes, keyStart, equals)) {
        isMatch = this.#values.has(bytes, equals + 1, valueEnd);
      }
    }
    return isMatch;
  }

  #isTwin(bytes: Uint8Array, memberCount: number, start: number, end: number): boolean {
    for (let i = 0; i < memberCount; i++) {
      if (isSame(bytes, this.#keyStarts[i]!, this.#keyEnds[i]!, bytes, start, end)) return true;
    }
    return false;
  }
}

function indexOfByte(bytes: Uint8Array, byte: number, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== byte) at++;
  return at;
}

function isSame(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = 0; i < aEnd - aStart; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

function isLower(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** A letter and up to 255 characters more, or tenant@system with 241 and 14 at most. */
function isKey(bytes: Uint8Array, start: number, end: number): boolean {
  const at = indexOfByte(bytes, AT, start, end);
  if (at === end) return start < end && isLower(bytes[start]!) && hasKeyRest(bytes, start, end, 255);
  if (start === at || !(isLower(bytes[start]!) || isDigit(bytes[start]!))) return false;
  if (!hasKeyRest(bytes, start, at, 240)) return false;
  return at + 1 < end && isLower(bytes[at + 1]!) && hasKeyRest(bytes, at + 1, end, 13);
}

/** What follows the first character. */
function hasKeyRest(bytes: Uint8Array, start: number, end: number, charactersMax: number): boolean {
  if (end - start - 1 > charactersMax) return false;
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at]!;
    // _ - * /
    const isSign = byte === 0x5f || byte === 0x2d || byte === 0x2a || byte === 0x2f;
    if (!isLower(byte) && !isDigit(byte) && !isSign) return false;
  }
  return true;
}

/** Printable ASCII without comma and equals sign; spaces inside only. */
function isValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end || end - start > VALUE_BYTES_MAX || bytes[end - 1] === SPACE) return false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < SPACE || byte > 0x7e || byte === COMMA || byte === EQUALS) return false;
  }
  return true;
}
