/**
 * Layout of a single-producer single-consumer byte ring in one SharedArrayBuffer.
 *
 * ```
 * byte 0    int32 write sequence     written by the producer only
 *      4    int32 base sequence      the sequence that lies at data offset 0; producer only, while the ring is empty
 *     64    int32 read sequence      written by the consumer only
 *     68    int32 waiting flag       consumer sets 1 before it sleeps, whoever wakes it sets 0
 *    128    data, a power of two of bytes
 * ```
 *
 * Sequences count bytes and wrap at 2^32: only differences mean anything. A frame is contiguous: when it does
 * not fit before the end of the data, a skip frame fills the rest. An empty ring starts again at data offset 0
 * by moving the base, so that light load keeps touching the same few pages whatever the capacity, and the largest
 * payload always fits an empty ring.
 *
 * ```
 * frame: uint32 payload bytes | uint32 kind | payload | padding to 8 bytes
 * ```
 */
import { assert } from '../stdx/assert.ts';

export const WORD_WRITE_SEQ = 0;
export const WORD_BASE_SEQ = 1;
export const WORD_READ_SEQ = 16;
export const WORD_WAITING = 17;
export const HEADER_BYTES = 128;
export const FRAME_HEADER_BYTES = 8;
export const FRAME_ALIGN_BYTES = 8;
export const KIND_DATA = 1;
/** Fills the space before the end of the data; carries nothing. */
export const KIND_SKIP = 2;
/** Differences of 32-bit sequences stay exact only while the data is far smaller than 2^32. */
export const DATA_BYTES_MAX = 1 << 30;
export const DATA_BYTES_MIN = 4096;

// Each sequence lives in a cache line of its own: one writing thread a line.
assert((WORD_READ_SEQ - WORD_WRITE_SEQ) * Int32Array.BYTES_PER_ELEMENT >= 64);
assert(HEADER_BYTES % 64 === 0 && FRAME_HEADER_BYTES % FRAME_ALIGN_BYTES === 0);

/** Bytes between two sequences; right across the wrap at 2^32. */
export function usedBytes(writeSeq: number, readSeq: number): number {
  return (writeSeq - readSeq) >>> 0;
}

/** Bytes that a payload takes in the ring, header and padding included. */
export function frameBytes(payloadBytes: number): number {
  return FRAME_HEADER_BYTES + ((payloadBytes + FRAME_ALIGN_BYTES - 1) & ~(FRAME_ALIGN_BYTES - 1));
}

/** Smallest legal capacity whose empty ring takes a payload of `payloadBytesMax`. */
export function ringDataBytes(payloadBytesMax: number, atLeastBytes: number = DATA_BYTES_MIN): number {
  let dataBytes = DATA_BYTES_MIN;
  while (dataBytes < frameBytes(payloadBytesMax) || dataBytes < atLeastBytes) dataBytes *= 2;
  assert(dataBytes <= DATA_BYTES_MAX, 'ring larger than 1 GiB');
  return dataBytes;
}

/** Memory of one ring, zeroed. */
export function createRing(dataBytes: number): SharedArrayBuffer {
  assert(dataBytes >= DATA_BYTES_MIN && dataBytes <= DATA_BYTES_MAX && (dataBytes & (dataBytes - 1)) === 0);
  return new SharedArrayBuffer(HEADER_BYTES + dataBytes);
}
