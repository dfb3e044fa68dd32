/**
 * Text of Windows-1252. TextDecoder of some versions of Node.js (20.20 among them) takes it for Latin-1, which has
 * control characters where this has letters.
 */

/** Letters of bytes 0x80 to 0x9f; the five without one are control characters, as WHATWG's Encoding Standard has it. */
const LETTERS = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

export function windows1252Text(bytes: Uint8Array): string {
  const latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return latin1.replace(/[\x80-\x9f]/g, (letter) => LETTERS[letter.charCodeAt(0) - 0x80]!);
}
