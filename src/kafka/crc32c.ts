/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), which record batches carry; Node.js has only the one of gzip. */

const POLYNOMIAL = 0x82f63b78;
const SLICES = 16;

/**
 * Table k holds what a byte contributes that lies k bytes before the end of a step; 16 of them make steps of 16 bytes
 * (Kounavis and Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC Generation").
 */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256]!;
    tables[at] = (before >>> 8) ^ tables[before & 0xff]!;
  }
  return tables;
}

const NO_WORDS = new Int32Array(0);

/** The state before any byte; `crc32cValue` of it is the checksum of nothing. */
export const CRC32C_START = -1;

export function crc32cValue(state: number): number {
  return ~state >>> 0;
}

/** The state after more bytes. Words are read where they lie, so the tables assume a little-endian machine. */
export function crc32cUpdate(state: number, bytes: Uint8Array): number {
  const t = TABLES;
  const length = bytes.length;
  let crc = state;
  let at = 0;
  while (at < length && ((bytes.byteOffset + at) & 3) !== 0) {
    crc = t[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
    at++;
  }
  // Views begin at words, which few bytes do not reach.
  const wordCount = (length - at) >>> 2;
  const words = wordCount === 0 ? NO_WORDS : new Int32Array(bytes.buffer, bytes.byteOffset + at, wordCount);
  const lastStep = words.length - 3;
  let word = 0;
  for (; word < lastStep; word += 4) {
    const a = crc ^ words[word]!;
    const b = words[word + 1]!;
    const c = words[word + 2]!;
    const d = words[word + 3]!;
    crc =
      t[3840 | (a & 0xff)]! ^
      t[3584 | ((a >>> 8) & 0xff)]! ^
      t[3328 | ((a >>> 16) & 0xff)]! ^
      t[3072 | (a >>> 24)]! ^
      t[2816 | (b & 0xff)]! ^
      t[2560 | ((b >>> 8) & 0xff)]! ^
      t[2304 | ((b >>> 16) & 0xff)]! ^
      t[2048 | (b >>> 24)]! ^
      t[1792 | (c & 0xff)]! ^
      t[1536 | ((c >>> 8) & 0xff)]! ^
      t[1280 | ((c >>> 16) & 0xff)]! ^
      t[1024 | (c >>> 24)]! ^
      t[768 | (d & 0xff)]! ^
      t[512 | ((d >>> 8) & 0xff)]! ^
      t[256 | ((d >>> 16) & 0xff)]! ^
      t[d >>> 24]!;
  }
  for (at += word * 4; at < length; at++) crc = t[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return crc;
}
