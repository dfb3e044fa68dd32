/** Decompression of stored objects in a stream: bounded output, bounded window, whatever the object claims. */
import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { Decompress as ZstdDecoder } from 'fzstd';
import { PipelineError } from '../component/errors.ts';
import type { ArchiveCompression } from './archive-name.ts';
import { ZstdFrames } from './zstd-stream.ts';

const CHUNK_BYTES = 1024 * 1024;
/** RFC 8878 asks decoders for 8 MiB; writers of archives may take more for the sake of size. */
const WINDOW_LOG_MAX = 27;
/** Steps of the decoder in JavaScript: a block makes at most 128 KiB of a few bytes. */
const STEP_BYTES = 64 * 1024;

type Chunks = AsyncIterable<Uint8Array>;
interface ZstdOptions {
  chunkSize: number;
  params: Record<number, number>;
}
type CreateZstd = (options: ZstdOptions) => zlib.Gunzip;
/** Node has zstd from 22.15 on; before that a JavaScript decoder does it. */
const createZstd = (zlib as { createZstdDecompress?: CreateZstd }).createZstdDecompress;
/** Of libzstd, for Node's types of before it had zstd. */
const ZSTD_D_WINDOW_LOG_MAX = 100;

/** What the first bytes say; the name of an object can be wrong, as after a download that unpacked it. */
export function compressionOf(head: Uint8Array): ArchiveCompression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  const isZstd = head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd;
  return isZstd ? 'zstd' : 'none';
}

/**
 * @param stored bytes of a whole object.
 * @param bytesMax of what comes out.
 * @throws PipelineError DECOMPRESSION_FAILED for a damaged or cut object, after everything before the damage was
 * handed out; BODY_TOO_LARGE. Errors of `stored` pass.
 */
export async function* inflate(
  stored: Chunks,
  compression: ArchiveCompression,
  bytesMax: number,
): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  for await (const chunk of decoded(stored, compression)) {
    sizeBytes += chunk.length;
    if (sizeBytes > bytesMax) {
      const message = `holds more than ${bytesMax} bytes when decompressed`;
      throw new PipelineError('BODY_TOO_LARGE', message, { permanent: true });
    }
    yield chunk;
  }
}

function decoded(stored: Chunks, compression: ArchiveCompression): Chunks {
  if (compression === 'none') return stored;
  if (compression === 'zstd') return zstd(stored);
  return throughNode(stored, zlib.createGunzip({ chunkSize: CHUNK_BYTES }), 'gzip');
}

async function* zstd(stored: Chunks): AsyncGenerator<Uint8Array> {
  const frames = new ZstdFrames(stored, 2 ** WINDOW_LOG_MAX);
  try {
    while (await frames.hasNext())
      yield* createZstd === undefined ? zstdInJavaScript(frames.next()) : zstdByNode(frames.next());
  } finally {
    await frames.close();
  }
}

function zstdByNode(frame: Chunks): Chunks {
  const params = { [ZSTD_D_WINDOW_LOG_MAX]: WINDOW_LOG_MAX };
  return throughNode(frame, createZstd!({ chunkSize: CHUNK_BYTES, params }), 'zstd');
}

function failed(format: string, cause: unknown): PipelineError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const message = `is not valid ${format}: ${text}`;
  return new PipelineError('DECOMPRESSION_FAILED', message, { permanent: true, cause });
}

async function* throughNode(
  stored: Chunks,
  decoder: zlib.Gunzip,
  format: string,
): Chunks & AsyncGenerator<Uint8Array> {
  const source = Readable.from(stored, { objectMode: true });
  let sourceError: unknown;
  source.on('error', (error) => {
    sourceError = error;
    decoder.destroy(error);
  });
  try {
    yield* source.pipe(decoder);
  } catch (error) {
    throw sourceError ?? failed(format, error);
  } finally {
    source.destroy();
    decoder.destroy();
  }
}

async function* zstdInJavaScript(frame: Chunks): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  const decoder = new ZstdDecoder((part) => {
    // The decoder uses its memory again.
    if (part.length > 0) parts.push(part.slice());
  });
  const push = (chunk: Uint8Array, isLast: boolean) => {
    try {
      decoder.push(chunk, isLast);
    } catch (error) {
      throw failed('zstd', error);
    }
    const out = parts;
    parts = [];
    return out;
  };
  for await (const chunk of frame) {
    for (let at = 0; at < chunk.length; at += STEP_BYTES)
      yield* push(chunk.subarray(at, at + STEP_BYTES), false);
  }
  yield* push(new Uint8Array(0), true);
}
