/**
 * Whether bytes are UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
 * The pure-ASCII prefix costs one comparison a byte.
 */
export function isValidUtf8(bytes: Uint8Array, from: number, count: number): boolean {
  const end = from + count;
  let pos = from;
  while (pos < end) {
    const lead = bytes[pos]!;
    if (lead < 0x80) {
      pos += 1;
      continue;
    }
    const size = sequenceBytes(bytes, pos, end, lead);
    if (size === 0) return false;
    pos += size;
  }
  return true;
}

/** Size of the multi-byte sequence at `pos`, or 0 when it is not well formed. */
function sequenceBytes(bytes: Uint8Array, pos: number, end: number, lead: number): number {
  const size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || pos + size > end) return 0;
  const second = bytes[pos + 1]!;
  // The second byte's range depends on the lead: it is what excludes overlong forms and surrogates.
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let i = 2; i < size; i++) {
    if ((bytes[pos + i]! & 0xc0) !== 0x80) return 0;
  }
  return size;
}
