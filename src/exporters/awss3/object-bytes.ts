/** Compression of an object as it is made, and the choice between one request and an upload in parts. */
import { once } from 'node:events';
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { DEFAULT_LEVEL } from '../helper/body-compression.ts';
import type { ObjectCompression } from './config.ts';

/** Each full piece of output costs a way through the thread pool. */
const CHUNK_BYTES = 256 << 10;

/** The same bytes, compressed on the thread pool; at most some pieces are in memory. */
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
  const feed = async () => {
    for await (const piece of pieces) {
      // A failed or abandoned compressor takes no more.
      if (compressor.destroyed) return;
      if (!compressor.write(piece))
        await Promise.race([once(compressor, 'drain'), once(compressor, 'close')]);
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

/** The beginning of an object, up to about `bytesMax`, and what comes behind it. */
export interface ObjectHead {
  chunks: Uint8Array[];
  sizeBytes: number;
  /** undefined: that was all. Otherwise the whole object again, beginning with `chunks`. */
  whole: AsyncIterable<Uint8Array> | undefined;
}

export async function readHead(source: AsyncIterable<Uint8Array>, bytesMax: number): Promise<ObjectHead> {
  const iterator = source[Symbol.asyncIterator]();
  const head: ObjectHead = { chunks: [], sizeBytes: 0, whole: undefined };
  while (head.sizeBytes <= bytesMax) {
    const { done, value } = await iterator.next();
    if (done === true) return head;
    head.chunks.push(value);
    head.sizeBytes += value.byteLength;
  }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    try {
      // Each is forgotten when it is on its way.
      for (let chunk = head.chunks.shift(); chunk !== undefined; chunk = head.chunks.shift()) yield chunk;
      for (;;) {
        const { done, value } = await iterator.next();
        if (done === true) return;
        yield value;
      }
    } finally {
      await iterator.return?.();
    }
  };
  return { ...head, chunks: head.chunks, whole: whole() };
}
