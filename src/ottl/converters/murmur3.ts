/** MurmurHash3 (Austin Appleby, public domain) with seed 0, in its forms x86_32 and x64_128. */

const rotated32 = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));
const mixed32 = (block: number) => Math.imul(rotated32(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);

export function murmur32(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodyBytes = bytes.length & ~3;
  let hash = 0;
  for (let at = 0; at < bodyBytes; at += 4) {
    hash = rotated32(hash ^ mixed32(view.getInt32(at, true)), 13);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= bodyBytes; at--) tail = (tail << 8) | bytes[at]!;
  if (bodyBytes < bytes.length) hash ^= mixed32(tail);
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const wrapped = (value: bigint) => BigInt.asUintN(64, value);
const rotated = (value: bigint, bits: bigint) => wrapped(value << bits) | (value >> (64n - bits));
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;
const mixedLow = (block: bigint) => wrapped(rotated(wrapped(block * C1), 31n) * C2);
const mixedHigh = (block: bigint) => wrapped(rotated(wrapped(block * C2), 33n) * C1);

function finished(value: bigint): bigint {
  let hash = wrapped((value ^ (value >> 33n)) * 0xff51afd7ed558ccdn);
  hash = wrapped((hash ^ (hash >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return hash ^ (hash >> 33n);
}

/** @returns the two halves, the first one first. */
export function murmur128(bytes: Uint8Array): [bigint, bigint] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodyBytes = bytes.length & ~15;
  let low = 0n;
  let high = 0n;
  for (let at = 0; at < bodyBytes; at += 16) {
    low = rotated(low ^ mixedLow(view.getBigUint64(at, true)), 27n);
    low = wrapped((low + high) * 5n + 0x52dce729n);
    high = rotated(high ^ mixedHigh(view.getBigUint64(at + 8, true)), 31n);
    high = wrapped((high + low) * 5n + 0x38495ab5n);
  }
  const tail = new DataView(new ArrayBuffer(16));
  for (let at = bodyBytes; at < bytes.length; at++) tail.setUint8(at - bodyBytes, bytes[at]!);
  const tailBytes = bytes.length - bodyBytes;
  if (tailBytes > 8) high ^= mixedHigh(tail.getBigUint64(8, true));
  if (tailBytes > 0) low ^= mixedLow(tail.getBigUint64(0, true));
  const sizeBytes = BigInt(bytes.length);
  low = wrapped((low ^ sizeBytes) + (high ^ sizeBytes));
  high = wrapped(low + (high ^ sizeBytes));
  low = finished(low);
  high = finished(high);
  low = wrapped(low + high);
  return [low, wrapped(high + low)];
}
