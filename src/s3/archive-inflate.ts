/** Decompression of stored objects in a stream: bounded output, bounded window, whatever the object claims. */
import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { Decompress as ZstdDecoder } from 'fzstd';
import { PipelineError } from '../component/errors.ts';
import type { ArchiveCompression } from './archive-name.ts';

const CHUNK_BYTES = 1024 * 1024;
/** RFC 8878 asks decoders for 8 MiB; writers of archives may take more for the sake of size. */
const WINDOW_LOG_MAX = 27;
/** Magic number, descriptor, window descriptor: what tells how much memory a zstd frame wants. */
const ZSTD_HEAD_BYTES = 14;

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
  if (compression === 'gzip')
    return throughNode(stored, zlib.createGunzip({ chunkSize: CHUNK_BYTES }), 'gzip');
  if (createZstd === undefined) return zstdInJavaScript(stored);
  const params = { [ZSTD_D_WINDOW_LOG_MAX]: WINDOW_LOG_MAX };
  return throughNode(stored, createZstd({ chunkSize: CHUNK_BYTES, params }), 'zstd');
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

async function* zstdInJavaScript(stored: Chunks): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  const decoder = new ZstdDecoder((part) => {
    parts.push(part);
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
  let head: Uint8Array | undefined = new Uint8Array(0);
  for await (const chunk of stored) {
    if (head === undefined) {
      // A block makes at most 128 KiB of a few bytes: small steps bound what one of them brings forth.
      for (let at = 0; at < chunk.length; at += BLOCK_STEP_BYTES)
        yield* push(chunk.subarray(at, at + BLOCK_STEP_BYTES), false);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < ZSTD_HEAD_BYTES) continue;
    assertWindow(head);
    yield* push(head, false);
    head = undefined;
  }
  yield* push(head ?? new Uint8Array(0), true);
}

const BLOCK_STEP_BYTES = 64 * 1024;

/** The decoder would ask for whatever the frame says. */
function assertWindow(head: Uint8Array): void {
  const isSingleSegment = (head[4]! & 0x20) !== 0;
  if (isSingleSegment) {
    const sizeBytes = 1 << (head[4]! >> 6);
    const bytes = Buffer.from(head.subarray(5, 5 + sizeBytes));
    const contentBytes = sizeBytes <= 6 ? bytes.readUIntLE(0, sizeBytes) : Number(bytes.readBigUInt64LE(0));
    if (contentBytes > 2 ** WINDOW_LOG_MAX) throw failed('zstd', 'its window is too large');
  } else if (10 + (head[5]! >> 3) > WINDOW_LOG_MAX) throw failed('zstd', 'its window is too large');
}
