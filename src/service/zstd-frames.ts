/**
 * Walks the frames and blocks of a zstd body (RFC 8878) without decoding, so that a decoder is never asked for a
 * window or an output beyond the limit.
 */
import { PipelineError } from '../component/errors.ts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
/** RFC 8878, 3.1.1.1.2: decoders should support at least 8 MiB; no sender of telemetry needs more. */
const WINDOW_BYTES_MAX = 8 << 20;
const BLOCK_BYTES_MAX = 128 << 10;

function malformed(offset: number): PipelineError {
  return new PipelineError('DECOMPRESSION_FAILED', `body is not valid zstd at byte ${offset}`, {
    permanent: true,
  });
}

/** The permanent error of every decoder whose output would pass the limit. */
export function tooLarge(bytesMax: number): PipelineError {
  const message = `body is larger than ${bytesMax} bytes after decompression`;
  return new PipelineError('BODY_TOO_LARGE', message, { permanent: true });
}

interface FrameHeader {
  /** Offset of the first block. */
  end: number;
  hasChecksum: boolean;
}

function readFrameHeader(input: Uint8Array, view: DataView, start: number, bytesMax: number): FrameHeader {
  const descriptor = input[start + 4];
  if (descriptor === undefined) throw malformed(start);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const contentSizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3]!;
  if (dictionaryIdBytes > 0) throw malformed(start + 4);
  let at = start + 5;
  if (at + (isSingleSegment ? 0 : 1) + contentSizeBytes > input.byteLength) throw malformed(at);
  let windowBytes = 0;
  if (!isSingleSegment) {
    const byte = input[at++]!;
    const base = 2 ** (10 + (byte >> 3));
    windowBytes = base + (base / 8) * (byte & 7);
  }
  if (contentSizeBytes > 0) {
    let contentBytes = 0;
    if (contentSizeBytes === 1) contentBytes = input[at]!;
    else if (contentSizeBytes === 2) contentBytes = view.getUint16(at, true) + 256;
    else if (contentSizeBytes === 4) contentBytes = view.getUint32(at, true);
    else contentBytes = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    if (contentBytes > bytesMax) throw tooLarge(bytesMax);
    if (isSingleSegment) windowBytes = contentBytes;
  }
  if (windowBytes > Math.max(WINDOW_BYTES_MAX, bytesMax)) throw tooLarge(bytesMax);
  return { end: at + contentSizeBytes, hasChecksum: (descriptor & 4) !== 0 };
}

/** @returns offset behind the last block of the frame. */
function walkBlocks(input: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    if (at + 3 > input.byteLength) throw malformed(at);
    const header = input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16);
    const type = (header >> 1) & 3;
    const sizeBytes = header >> 3;
    if (type === 3 || sizeBytes > BLOCK_BYTES_MAX) throw malformed(at);
    at += 3 + (type === 1 ? 1 : sizeBytes);
    if (at > input.byteLength) throw malformed(at);
    if ((header & 1) === 1) return at;
  }
}

/**
 * Checks every frame of a body.
 * @returns [start, end) of each data frame, flattened; skippable frames are left out.
 * @throws PipelineError DECOMPRESSION_FAILED (truncated, unknown magic, dictionary needed) or BODY_TOO_LARGE
 *   (declared size or window over the limit), both permanent.
 */
export function checkZstdFrames(input: Uint8Array, bytesMax: number): number[] {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const frames: number[] = [];
  let at = 0;
  do {
    if (at + 8 > input.byteLength) throw malformed(at);
    const magic = view.getUint32(at, true);
    if ((magic & 0xffff_fff0) >>> 0 === SKIPPABLE_MAGIC) {
      at += 8 + view.getUint32(at + 4, true);
      if (at > input.byteLength) throw malformed(at);
      continue;
    }
    if (magic !== MAGIC) throw malformed(at);
    const header = readFrameHeader(input, view, at, bytesMax);
    frames.push(at);
    at = walkBlocks(input, header.end) + (header.hasChecksum ? 4 : 0);
    if (at > input.byteLength) throw malformed(at);
    frames.push(at);
  } while (at < input.byteLength);
  return frames;
}
