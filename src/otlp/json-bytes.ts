/** Byte fields of OTLP/JSON: ids as hexadecimal text, everything else as base64. */
import { hexDigit } from './json-source.ts';

const PAD = 0x3d;
const BASE64_VALUE = new Int8Array(256).fill(-1);
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
for (const [index, letter] of [...ALPHABET].entries()) BASE64_VALUE[letter.charCodeAt(0)] = index;
// Both alphabets at once: clients mix them up, and no text means different bytes in the two.
for (const [letter, value] of [
  ['+', 62],
  ['-', 62],
  ['/', 63],
  ['_', 63],
] as const) {
  BASE64_VALUE[letter.charCodeAt(0)] = value;
}

/**
 * Decodes hexadecimal text of either case from `start` to `end` into `target`.
 * @returns offset behind the bytes written, or -1 for a letter that is no digit or half a byte.
 */
export function decodeHex(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  to: number,
): number {
  if ((end - start) % 2 !== 0) return -1;
  let out = to;
  for (let at = start; at < end; at += 2) {
    const value = (hexDigit(bytes[at]!) << 4) | hexDigit(bytes[at + 1]!);
    if (value < 0) return -1;
    target[out++] = value;
  }
  return out;
}

/**
 * Decodes base64 from `start` to `end` into `target`: standard or URL-safe alphabet, with padding or without.
 * Bits left over in the last letter are ignored, as Go's decoder does.
 * @returns offset behind the bytes written, or -1 when the text is not base64.
 */
export function decodeBase64(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  to: number,
): number {
  let last = end;
  while (last > start && end - last < 2 && bytes[last - 1] === PAD) last--;
  if (last < end && (end - start) % 4 !== 0) return -1;
  if ((last - start) % 4 === 1) return -1;
  let out = to;
  let bits = 0;
  let bitCount = 0;
  for (let at = start; at < last; at++) {
    const value = BASE64_VALUE[bytes[at]!]!;
    if (value < 0) return -1;
    bits = ((bits << 6) | value) & 0xffff;
    bitCount += 6;
    if (bitCount >= 8) {
      bitCount -= 8;
      target[out++] = bits >>> bitCount;
    }
  }
  return out;
}
