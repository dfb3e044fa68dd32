import type { ByteSink } from './byte-sink.ts';
import { isValidUtf8 } from './utf8.ts';

const QUOTE = 34;
const BACKSLASH = 92;
const replacingDecoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
const textEncoder = new TextEncoder();
const BASE64_ALPHABET = textEncoder.encode(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
);
const BASE64_PAD = 61;

/** Appends ASCII text without a length. */
export function appendText(out: ByteSink, text: string): void {
  out.reserve(text.length);
  for (let i = 0; i < text.length; i++) out.bytes[out.pos++] = text.charCodeAt(i);
}

/** A JSON string of bytes [from, end): quotes, backslashes and control characters escaped, bad UTF-8 replaced. */
export function appendJsonString(out: ByteSink, src: Uint8Array, from: number, end: number): void {
  if (!isValidUtf8(src, from, end - from)) {
    const fixed = textEncoder.encode(replacingDecoder.decode(src.subarray(from, end)));
    appendJsonString(out, fixed, 0, fixed.length);
    return;
  }
  // The longest escape has six characters.
  out.reserve((end - from) * 6 + 2);
  const bytes = out.bytes;
  let to = out.pos;
  bytes[to++] = QUOTE;
  for (let at = from; at < end; at++) {
    const byte = src[at]!;
    if (byte >= 32 && byte !== QUOTE && byte !== BACKSLASH) bytes[to++] = byte;
    else {
      const escaped = JSON.stringify(String.fromCharCode(byte));
      for (let i = 1; i < escaped.length - 1; i++) bytes[to++] = escaped.charCodeAt(i);
    }
  }
  bytes[to++] = QUOTE;
  out.pos = to;
}

/** Standard base64 with padding of bytes [from, end). */
export function appendBase64(out: ByteSink, src: Uint8Array, from: number, end: number): void {
  out.reserve(Math.ceil((end - from) / 3) * 4);
  for (let at = from; at < end; at += 3) {
    const left = end - at;
    const bits = (src[at]! << 16) | (left > 1 ? src[at + 1]! << 8 : 0) | (left > 2 ? src[at + 2]! : 0);
    out.bytes[out.pos++] = BASE64_ALPHABET[bits >>> 18]!;
    out.bytes[out.pos++] = BASE64_ALPHABET[(bits >>> 12) & 63]!;
    out.bytes[out.pos++] = left > 1 ? BASE64_ALPHABET[(bits >>> 6) & 63]! : BASE64_PAD;
    out.bytes[out.pos++] = left > 2 ? BASE64_ALPHABET[bits & 63]! : BASE64_PAD;
  }
}
