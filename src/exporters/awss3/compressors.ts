/** Compression of objects as they are made, by compressors that are used again: gzip here, zstd on the thread pool. */
import { setImmediate } from 'node:timers/promises';
import * as zlib from 'node:zlib';
import { freeBuffer } from '../../stdx/free-buffer.ts';
import { GzipEncoder } from '../../stdx/gzip-encoder.ts';
import type { ObjectCompression } from './config.ts';

/** Each full piece of output costs a way through the thread pool. */
const CHUNK_BYTES = 256 << 10;
/** Blocks of gzip after which others have their turn: a MiB before compression, which takes about two milliseconds. */
const TURN_BLOCKS = 4;
/** Kept while nobody uses them: as many as the thread pool has threads. */
const IDLE_MAX = 4;

/** The compressors of one exporter, one for each object that is being made. */
export class Compressors {
  readonly #compression: ObjectCompression;
  readonly #idle: ZstdCompressor[] = [];
  readonly #idleEncoders: GzipEncoder[] = [];
  #isClosed = false;

  constructor(compression: ObjectCompression) {
    this.#compression = compression;
  }

  /**
   * The same bytes, compressed.
   * @param pieces each may be overwritten when the next one is asked for; so may what is returned.
   */
  compress(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    switch (this.#compression) {
      case '':
        return pieces;
      case 'gzip':
        return this.#gzip(pieces);
      case 'zstd':
        return this.#zstd(pieces);
    }
  }

  async *#gzip(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const encoder = this.#idleEncoders.pop() ?? new GzipEncoder();
    let blockCount = 0;
    try {
      for await (const piece of pieces) {
        for (const output of encoder.add(piece)) {
          yield output;
          if (++blockCount % TURN_BLOCKS === 0) await setImmediate();
        }
      }
      yield* encoder.end();
    } finally {
      encoder.reset();
      if (!this.#isClosed && this.#idleEncoders.length < IDLE_MAX) this.#idleEncoders.push(encoder);
    }
  }

  async *#zstd(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const compressor = this.#idle.pop() ?? new ZstdCompressor();
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

  #giveBack(compressor: ZstdCompressor): void {
    if (this.#isClosed || this.#idle.length >= IDLE_MAX || !compressor.reset()) compressor.close();
    else this.#idle.push(compressor);
  }

  /** Those that are in use end with their objects. */
  close(): void {
    this.#isClosed = true;
    this.#idleEncoders.length = 0;
    for (const compressor of this.#idle.splice(0)) compressor.close();
  }
}

/** One stream that is never ended: a flush that finishes the file, then a reset. */
class ZstdCompressor {
  readonly #stream: zlib.ZstdCompress & zlib.ZlibReset;
  readonly #chunks: Buffer[] = [];
  /** What the stream fills, and has given a part of. */
  #filling: ArrayBufferLike | undefined;
  #fail: ((error: Error) => void) | undefined;
  #isUsable = true;

  constructor() {
    const stream = zlib.createZstdCompress({ chunkSize: CHUNK_BYTES });
    // All of zlib's streams have it; the types say so of two only.
    this.#stream = stream as typeof stream & zlib.ZlibReset;
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
    return this.#run((done) => this.#stream.flush(zlib.constants.ZSTD_e_end, done));
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
