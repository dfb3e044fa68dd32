/** Compression of request bodies, shared by the exporters that speak OTLP. */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { loadSnappy } from './snappy-codec.ts';

export const BODY_COMPRESSIONS = [
  'none',
  'gzip',
  'zlib',
  'deflate',
  'snappy',
  'x-snappy-framed',
  'zstd',
] as const;
export type BodyCompression = (typeof BODY_COMPRESSIONS)[number];

/** Node.js has it from 22.15 on. */
export const HAS_ZSTD = typeof zlib.createZstdCompress === 'function';
export const NO_ZSTD_MESSAGE = `zstd needs Node.js 22.15 or later, this is ${process.version}`;

/** Telemetry repeats itself: gzip at level 1 takes less than half the time of level 6 and leaves a tenth more bytes. */
export const DEFAULT_LEVEL = 1;
/** Each full piece of output costs a way through the thread pool. */
const CHUNK_BYTES = 256 * 1024;

/** Turns a body into the chunks that are sent; what it returns may be the slices themselves. */
export type CompressBody = (slices: readonly Uint8Array[]) => Promise<readonly Uint8Array[]>;

/**
 * @param level of gzip, zlib and deflate -1 to 9, of zstd 1 to 22; undefined means DEFAULT_LEVEL.
 * @throws Error when this Node.js cannot do it.
 */
export function bodyCompressor(compression: BodyCompression, level: number | undefined): CompressBody {
  const options = { level: level ?? DEFAULT_LEVEL, chunkSize: CHUNK_BYTES };
  switch (compression) {
    case 'none':
      return async (slices) => slices;
    case 'gzip':
      return (slices) => pump(zlib.createGzip(options), slices);
    case 'zlib':
    case 'deflate':
      // HTTP's "deflate" is the zlib format (RFC 9110, 8.4.1.2).
      return (slices) => pump(zlib.createDeflate(options), slices);
    case 'zstd': {
      if (!HAS_ZSTD) throw new Error(NO_ZSTD_MESSAGE);
      const params = { [zlib.constants.ZSTD_c_compressionLevel]: options.level };
      return (slices) => pump(zlib.createZstdCompress({ params, chunkSize: CHUNK_BYTES }), slices);
    }
    case 'snappy': {
      const snappy = loadSnappy();
      return async (slices) => [
        snappy.block(slices.length === 1 ? plainView(slices[0]!) : Buffer.concat(slices)),
      ];
    }
    case 'x-snappy-framed': {
      const snappy = loadSnappy();
      return async (slices) => snappy.frames(slices.map(plainView));
    }
  }
}

/** snappyjs treats Buffers and other views differently; every slice becomes a Buffer over the same bytes. */
function plainView(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function pump(compressor: Transform, slices: readonly Uint8Array[]): Promise<Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    compressor.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    compressor.on('end', () => resolve(chunks));
    compressor.on('error', reject);
    for (const slice of slices) compressor.write(slice);
    compressor.end();
  });
}

export function totalBytes(chunks: readonly Uint8Array[]): number {
  let total = 0;
  for (const chunk of chunks) total += chunk.byteLength;
  return total;
}
