/** Compression of objects as they are made, on the thread pool, by compressors that are used again. */
import * as zlib from 'node:zlib';
import { freeBuffer } from '../../stdx/free-buffer.ts';
import { DEFAULT_LEVEL } from '../helper/body-compression.ts';
import type { ObjectCompression } from './config.ts';

/** Each full piece of output costs a way through the thread pool. */
const CHUNK_BYTES = 256 << 10;
/** With the largest tables level 1 takes a tenth less time than with zlib's usual ones, for 128 KiB more. */
const MEMORY_LEVEL = 9;
/** Kept while nobody uses them: as many as the thread pool has threads. */
const IDLE_MAX = 4;

/** The compressors of one exporter, one for each object that is being made. */
export class Compressors {
  readonly #compression: ObjectCompression;
  readonly #idle: Compressor[] = [];
  #isClosed = false;

  constructor(compression: ObjectCompression) {
    this.#compression = compression;
  }

  /**
   * The same bytes, compressed.
   * @param pieces each may be overwritten when the next one is asked for; so may what is returned.
   */
  compress(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const compression = this.#compression;
    return compression === '' ? pieces : this.#compress(pieces, compression);
  }

  async *#compress(
    pieces: AsyncIterable<Uint8Array>,
    compression: 'gzip' | 'zstd',
  ): AsyncGenerator<Uint8Array> {
    const compressor = this.#idle.pop() ?? new Compressor(compression);
    try {
      for await (const piece of pieces) {
        await compressor.add(piece);
        yield* compressor.output();
      }
      await compressor.finish();
      yield* compressor.output();
    } finally {
      this.#giveBack(compressor);
    }
  }

  #giveBack(compressor: Compressor): void {
    if (this.#isClosed || this.#idle.length >= IDLE_MAX || !compressor.reset()) compressor.close();
    else this.#idle.push(compressor);
  }

  /** Those that are in use end with their objects. */
  close(): void {
    this.#isClosed = true;
    for (const compressor of this.#idle.splice(0)) compressor.close();
  }
}

/** One stream of zlib that is never ended: a flush that finishes the file, then a reset. */
class Compressor {
  readonly #stream: (zlib.Gzip | zlib.ZstdCompress) & zlib.ZlibReset;
  readonly #endFlush: number;
  readonly #chunks: Buffer[] = [];
  /** What the stream fills, and has given a part of. */
  #filling: ArrayBufferLike | undefined;
  #fail: ((error: Error) => void) | undefined;
  #isUsable = true;

  constructor(compression: 'gzip' | 'zstd') {
    const isGzip = compression === 'gzip';
    const stream = isGzip
      ? zlib.createGzip({ level: DEFAULT_LEVEL, memLevel: MEMORY_LEVEL, chunkSize: CHUNK_BYTES })
      : zlib.createZstdCompress({ chunkSize: CHUNK_BYTES });
    // All of zlib's streams have it; the types say so of two only.
    this.#stream = stream as typeof stream & zlib.ZlibReset;
    this.#endFlush = isGzip ? zlib.constants.Z_FINISH : zlib.constants.ZSTD_e_end;
    this.#stream.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    this.#stream.on('error', (error) => {
      this.#isUsable = false;
      this.#fail?.(error);
    });
  }

  add(piece: Uint8Array): Promise<void> {
    return this.#run((done) => void this.#stream.write(piece, done));
  }

  finish(): Promise<void> {
    return this.#run((done) => this.#stream.flush(this.#endFlush, done));
  }

  #run(start: (done: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      start(() => resolve());
    });
  }

  /** What has come out since the last call; each chunk until the next one is asked for. */
  *output(): Generator<Uint8Array> {
    // What the stream holds back comes by its listener, too.
    while (this.#stream.read() !== null);
    for (const chunk of this.#chunks.splice(0)) {
      if (this.#filling !== undefined && this.#filling !== chunk.buffer) freeBuffer(this.#filling);
      this.#filling = chunk.buffer;
      yield chunk;
    }
  }

  /** @returns false when it cannot be used again. */
  reset(): boolean {
    this.#chunks.length = 0;
    if (this.#isUsable) this.#stream.reset();
    return this.#isUsable;
  }

  close(): void {
    this.#isUsable = false;
    this.#stream.destroy();
  }
}
