/**
 * UTF-16 as the Collector reads it: bytes that are no text become U+FFFD, but not the same number of them as in browsers,
 * whose decoder makes one of a lone surrogate and half a unit behind it, and two of two low surrogates.
 */

const REPLACEMENT = '\ufffd';
const STRICT = { ignoreBOM: true, fatal: true };
const LITTLE_ENDIAN = new TextDecoder('utf-16le', STRICT);
const BIG_ENDIAN = new TextDecoder('utf-16be', STRICT);

export function utf16Text(bytes: Uint8Array, isLittleEndian: boolean): string {
  const even = bytes.subarray(0, bytes.byteLength & ~1);
  const text = wellFormedText(even, isLittleEndian) ?? repairedText(even, isLittleEndian);
  return even.byteLength === bytes.byteLength ? text : text + REPLACEMENT;
}

function wellFormedText(bytes: Uint8Array, isLittleEndian: boolean): string | undefined {
  try {
    return (isLittleEndian ? LITTLE_ENDIAN : BIG_ENDIAN).decode(bytes);
  } catch {
    return undefined;
  }
}

function repairedText(bytes: Uint8Array, isLittleEndian: boolean): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let at = 0; at < bytes.byteLength; at += 2) {
    const unit = view.getUint16(at, isLittleEndian);
    if ((unit & 0xf800) !== 0xd800) {
      text += String.fromCharCode(unit);
      continue;
    }
    const next = at + 2 < bytes.byteLength ? view.getUint16(at + 2, isLittleEndian) : 0;
    const isPair = (next & 0xfc00) === 0xdc00;
    // A low one may not be the first of two, but takes the second with it.
    text += isPair && (unit & 0xfc00) === 0xd800 ? String.fromCharCode(unit, next) : REPLACEMENT;
    if (isPair) at += 2;
  }
  return text;
}
