/** Which partition a record key belongs to. Two clients agree on it only if they hash alike. */

export type KeyHasher = 'sarama_compat' | 'murmur2';

/** FNV-1a, 32 bits. */
export function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ bytes[at]!, 0x0100_0193);
  return hash;
}

const MURMUR_SEED = 0x9747b28c;
const MURMUR_FACTOR = 0x5bd1e995;

/** MurmurHash2, 32 bits, with the seed of Kafka's Java client (org.apache.kafka.common.utils.Utils.murmur2). */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  let hash = MURMUR_SEED ^ length;
  const wordsEnd = length & ~3;
  for (let at = 0; at < wordsEnd; at += 4) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    let mixed = Math.imul(word, MURMUR_FACTOR);
    mixed = Math.imul(mixed ^ (mixed >>> 24), MURMUR_FACTOR);
    hash = Math.imul(hash, MURMUR_FACTOR) ^ mixed;
  }
  const rest = length - wordsEnd;
  if (rest >= 3) hash ^= bytes[wordsEnd + 2]! << 16;
  if (rest >= 2) hash ^= bytes[wordsEnd + 1]! << 8;
  if (rest >= 1) hash = Math.imul(hash ^ bytes[wordsEnd]!, MURMUR_FACTOR);
  hash = Math.imul(hash ^ (hash >>> 13), MURMUR_FACTOR);
  return hash ^ (hash >>> 15);
}

/** Both sides of the sign go to the same partition, as in Sarama's hash partitioner; Java drops the sign instead. */
export function partitionOfKey(hasher: KeyHasher, key: Uint8Array, partitionCount: number): number {
  if (hasher === 'murmur2') return (murmur2(key) & 0x7fff_ffff) % partitionCount;
  return Math.abs((fnv1a(key) | 0) % partitionCount);
}
