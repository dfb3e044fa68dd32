/** Request bodies: what they are compressed with, and their bytes in pieces. */
import type { IncomingMessage } from 'node:http';
import { pipeline, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { cannotDecompress, notImplemented } from './store-error.ts';

/** Content codings that the engine reads by itself, by the name of its COMPRESSION clause. */
const ENGINE_CODINGS: ReadonlyMap<string, string> = new Map([
  ['', 'none'],
  ['identity', 'none'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
  ['zstd', 'zstd'],
  ['lz4', 'lz4'],
  ['xz', 'xz'],
  ['bz2', 'bz2'],
]);

export interface RequestBody {
  readonly message: IncomingMessage;
  /** Name for the engine's COMPRESSION clause. */
  readonly coding: string;
}

/** @throws StoreError 48 for a coding that nobody here reads. */
export function requestBody(message: IncomingMessage): RequestBody {
  const name = (message.headers['content-encoding'] ?? '').trim().toLowerCase();
  const coding = ENGINE_CODINGS.get(name);
  if (coding === undefined) throw notImplemented(`Content-Encoding ${JSON.stringify(name)}`);
  return { message, coding };
}

/**
 * The body's bytes after decompression, in pieces as they arrive.
 * @throws StoreError 48 for codings that this version of Node does not have, 271 for damaged bodies.
 */
export async function* decodedChunks(body: RequestBody): AsyncGenerator<Uint8Array, void, undefined> {
  if (body.coding === 'none') {
    yield* body.message;
    return;
  }
  const decoder = createDecoder(body.coding);
  // The error comes out of the decoder below as well.
  pipeline(body.message, decoder, () => {});
  try {
    yield* decoder;
  } catch (error) {
    throw cannotDecompress(body.coding, (error as Error).message);
  }
}

function createDecoder(coding: string): Transform {
  if (coding === 'gzip') return zlib.createGunzip();
  if (coding === 'deflate') return zlib.createInflate();
  if (coding === 'br') return zlib.createBrotliDecompress();
  if (coding === 'zstd' && 'createZstdDecompress' in zlib) return zlib.createZstdDecompress();
  throw notImplemented(`Content-Encoding ${coding} for the text of a query on this version of Node.js`);
}

/** Pieces already read, then the rest of their source. */
export async function* resumed(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (first.byteLength > 0) yield first;
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value;
  }
}
