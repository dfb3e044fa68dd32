/** Bounded decompression in a pipeline worker. Brotli is refused before it gets here: its decoder is not trusted. */
import * as zlib from 'node:zlib';
import { Decompress as ZstdDecoder } from 'fzstd';
import { PipelineError } from '../component/errors.ts';
import { checkZstdFrames, tooLarge } from './zstd-frames.ts';

/** Output buffer of the first try when a body does not tell its size: requests compress about tenfold. */
const EXPANSION_GUESS = 12;
const CHUNK_BYTES_MIN = 64 * 1024;

type ZstdDecompress = (input: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
/** Node has zstd from 22.15 on; before that a JavaScript decoder does it. */
const zstdNative = (zlib as { zstdDecompressSync?: ZstdDecompress }).zstdDecompressSync;

function failed(format: string, cause: unknown): PipelineError {
  return new PipelineError('DECOMPRESSION_FAILED', `body is not valid ${format}`, { permanent: true, cause });
}

function isTooLarge(error: unknown): boolean {
  return (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE';
}

/**
 * Inflates one body.
 * @param compression index into COMPRESSIONS: 1 gzip, 2 deflate (zlib), 3 zstd.
 * @param input the compressed body, may view shared memory; read only during the call.
 * @param bytesMax limit of the output.
 * @returns private memory.
 * @throws PipelineError BODY_TOO_LARGE or DECOMPRESSION_FAILED, both permanent.
 */
export function decompress(compression: number, input: Uint8Array, bytesMax: number): Uint8Array {
  if (compression === 3) return zstd(input, bytesMax);
  const format = compression === 1 ? 'gzip' : 'deflate';
  try {
    // One chunk as large as the body: zlib then makes one buffer and one call instead of many small ones.
    const chunkSize = Math.min(Math.max(sizeHint(compression, input), CHUNK_BYTES_MIN), bytesMax + 1);
    const options = { maxOutputLength: bytesMax, chunkSize };
    return compression === 1 ? zlib.gunzipSync(input, options) : zlib.inflateSync(input, options);
  } catch (error) {
    throw isTooLarge(error) ? tooLarge(bytesMax) : failed(format, error);
  }
}

/** A gzip member ends with its size modulo 2^32 (RFC 1952); it is only a hint, a liar costs one more chunk. */
function sizeHint(compression: number, input: Uint8Array): number {
  const end = input.byteLength;
  if (compression !== 1 || end < 18) return end * EXPANSION_GUESS;
  const size =
    input[end - 4]! + input[end - 3]! * 0x100 + input[end - 2]! * 0x1_0000 + input[end - 1]! * 0x100_0000;
  return size > end * 1100 ? end * EXPANSION_GUESS : size + 1;
}

function zstd(input: Uint8Array, bytesMax: number): Uint8Array {
  const frames = checkZstdFrames(input, bytesMax);
  try {
    return zstdNative === undefined ? zstdInJavaScript(input, bytesMax) : zstdByNode(input, frames, bytesMax);
  } catch (error) {
    if (error instanceof PipelineError) throw error;
    throw isTooLarge(error) ? tooLarge(bytesMax) : failed('zstd', error);
  }
}

/** Node's decoder stops after the first frame without an error, so each frame is its own call. */
function zstdByNode(input: Uint8Array, frames: readonly number[], bytesMax: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for (let i = 0; i < frames.length; i += 2) {
    const part = zstdNative!(input.subarray(frames[i], frames[i + 1]), { maxOutputLength: bytesMax });
    sizeBytes += part.byteLength;
    if (sizeBytes > bytesMax) throw tooLarge(bytesMax);
    parts.push(part);
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, sizeBytes);
}

function zstdInJavaScript(input: Uint8Array, bytesMax: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  const decoder = new ZstdDecoder((part) => {
    sizeBytes += part.byteLength;
    // A block is at most 128 KiB, so the bound is passed by no more than that.
    if (sizeBytes > bytesMax) throw tooLarge(bytesMax);
    parts.push(part);
  });
  decoder.push(input, true);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, sizeBytes);
}
