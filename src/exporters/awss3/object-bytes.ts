/** Compression of an object as it is made, and the choice between one request and an upload in parts. */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { DEFAULT_LEVEL } from '../helper/body-compression.ts';
import type { ObjectCompression } from './config.ts';

/** Each full piece of output costs a way through the thread pool. */
const CHUNK_BYTES = 256 << 10;

/**
 * The same bytes, compressed on the thread pool.
 * @param pieces each may be overwritten when the next one is asked for; so may what is returned.
 */
export function compressPieces(
  pieces: AsyncIterable<Uint8Array>,
  compression: ObjectCompression,
): AsyncIterable<Uint8Array> {
  if (compression === '') return pieces;
  const compressor =
    compression === 'gzip'
      ? zlib.createGzip({ level: DEFAULT_LEVEL, chunkSize: CHUNK_BYTES })
      : zlib.createZstdCompress({ chunkSize: CHUNK_BYTES });
  return pump(pieces, compressor);
}

async function* pump(pieces: AsyncIterable<Uint8Array>, compressor: Transform): AsyncGenerator<Uint8Array> {
  let failure: unknown;
  // Ends waits for a compressor that nobody reads any more.
  const closed = new Promise<void>((resolve) => compressor.once('close', resolve));
  const feed = async () => {
    for await (const piece of pieces) {
      if (compressor.destroyed) return;
      const written = new Promise<void>((resolve) => compressor.write(piece, () => resolve()));
      await Promise.race([written, closed]);
    }
    compressor.end();
  };
  feed().catch((error: unknown) => {
    failure = error;
    compressor.destroy();
  });
  try {
    for await (const chunk of compressor) yield chunk as Uint8Array;
  } catch (error) {
    throw failure ?? error;
  } finally {
    compressor.destroy();
  }
  if (failure !== undefined) throw failure;
}

/** The beginning of an object, copies of about `bytesMax`, and what comes behind it. */
export interface ObjectHead {
  chunks: Uint8Array[];
  sizeBytes: number;
  /** undefined: that was all. Otherwise the whole object again, beginning with `chunks`. */
  whole: AsyncIterable<Uint8Array> | undefined;
  /** Lets go of the source; call it in any case. */
  end(): void;
}

export async function readHead(source: AsyncIterable<Uint8Array>, bytesMax: number): Promise<ObjectHead> {
  const iterator = source[Symbol.asyncIterator]();
  const end = () => void iterator.return?.().catch(() => undefined);
  const head: ObjectHead = { chunks: [], sizeBytes: 0, whole: undefined, end };
  while (head.sizeBytes <= bytesMax) {
    const { done, value } = await iterator.next();
    if (done === true) return head;
    // What comes next may overwrite it.
    head.chunks.push(Buffer.from(value));
    head.sizeBytes += value.byteLength;
  }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    // Each is forgotten when it is on its way.
    for (let chunk = head.chunks.shift(); chunk !== undefined; chunk = head.chunks.shift()) yield chunk;
    for (;;) {
      const { done, value } = await iterator.next();
      if (done === true) return;
      yield value;
    }
  };
  return { ...head, whole: whole() };
}
