/**
 * Snappy for bodies: the block form, and the framed form (google/snappy, framing_format.txt) that gRPC peers and
 * `x-snappy-framed` mean. The only file that uses snappyjs; it is loaded when somebody asks for the codec.
 */
import { createRequire } from 'node:module';

export interface SnappyCodec {
  /** One block of everything. */
  block(bytes: Uint8Array): Uint8Array;
  /** A stream of frames; no frame reaches from one slice into the next. */
  frames(slices: readonly Uint8Array[]): Uint8Array[];
  /** @throws Error when it is no framed stream, or longer than `bytesMax`. */
  unframe(bytes: Uint8Array, bytesMax: number): Uint8Array;
}

interface SnappyJs {
  compress(bytes: Uint8Array): Uint8Array;
  uncompress(bytes: Uint8Array, lengthMax?: number): Uint8Array;
}

/** Largest uncompressed content of one frame. */
const FRAME_CONTENT_BYTES_MAX = 65_536;
const FRAME_HEAD_BYTES = 4;
const CHECKSUM_BYTES = 4;
const FRAME_COMPRESSED = 0x00;
const FRAME_PLAIN = 0x01;
const FRAME_SKIPPABLE_FIRST = 0x80;
const STREAM_IDENTIFIER = Uint8Array.of(0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59);
/** Compressed content is only worth its frame when it saves an eighth, as in the reference implementation. */
const SAVING_SHIFT = 3;

const CRC32C_POLYNOMIAL = 0x82f63b78;
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ CRC32C_POLYNOMIAL;
  return crc >>> 0;
});
const CHECKSUM_MASK_DELTA = 0xa282ead8;

/** CRC-32C, masked so that a checksum of checksums is not weak (framing format, section 3). */
export function maskedCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) crc = CRC32C_TABLE[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  crc = ~crc;
  return (((crc >>> 15) | (crc << 17)) + CHECKSUM_MASK_DELTA) >>> 0;
}

export function loadSnappy(): SnappyCodec {
  const snappy = createRequire(import.meta.url)('snappyjs') as SnappyJs;
  return {
    block: (bytes) => snappy.compress(bytes),
    frames: (slices) => {
      const frames: Uint8Array[] = [STREAM_IDENTIFIER];
      for (const slice of slices) {
        for (let at = 0; at < slice.length; at += FRAME_CONTENT_BYTES_MAX) {
          pushFrame(frames, snappy, slice.subarray(at, at + FRAME_CONTENT_BYTES_MAX));
        }
      }
      return frames;
    },
    unframe: (bytes, bytesMax) => unframe(snappy, bytes, bytesMax),
  };
}

function pushFrame(frames: Uint8Array[], snappy: SnappyJs, content: Uint8Array): void {
  const compressed = snappy.compress(content);
  const isSmaller = compressed.length < content.length - (content.length >> SAVING_SHIFT);
  const data = isSmaller ? compressed : content;
  const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES + CHECKSUM_BYTES);
  head[0] = isSmaller ? FRAME_COMPRESSED : FRAME_PLAIN;
  head.writeUIntLE(CHECKSUM_BYTES + data.length, 1, 3);
  head.writeUInt32LE(maskedCrc32c(content), FRAME_HEAD_BYTES);
  frames.push(head, data);
}

function unframe(snappy: SnappyJs, bytes: Uint8Array, bytesMax: number): Uint8Array {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const contents: Uint8Array[] = [];
  let total = 0;
  let at = 0;
  while (at < source.length) {
    const type = source[at]!;
    const start = at + FRAME_HEAD_BYTES;
    const end = start + source.readUIntLE(at + 1, 3);
    if (end > source.length) throw new Error('a snappy frame is cut off');
    at = end;
    if (type >= FRAME_SKIPPABLE_FIRST) continue;
    if (type > FRAME_PLAIN) throw new Error('a snappy frame of an unknown kind');
    const data = source.subarray(start + CHECKSUM_BYTES, end);
    const content = type === FRAME_PLAIN ? data : snappy.uncompress(data, FRAME_CONTENT_BYTES_MAX);
    if (maskedCrc32c(content) !== source.readUInt32LE(start)) throw new Error('a snappy frame is damaged');
    total += content.length;
    if (total > bytesMax) throw new Error('a snappy stream is too long');
    contents.push(content);
  }
  return Buffer.concat(contents);
}
