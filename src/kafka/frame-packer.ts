/**
 * gzip and zstd of record batches on compressors that are used again: each write becomes a frame of its own. A compressor
 * for each batch, with its tables, its copy of the records and its output, is some megabytes outside of the heap, which
 * V8 counts and collects for: that took several times the processor time of the compression itself.
 */
import { once } from 'node:events';
import * as zlib from 'node:zlib';

/** Of one batch. */
export type PackRecords = (
  chunks: readonly Uint8Array[],
  sizeBytes: number,
) => Promise<readonly Uint8Array[]>;

/** As many as Node.js has threads for them, unless told otherwise; the others wait. */
const LANES_MAX = 4;
/** Batches share the memory of their output until it is full. */
const OUTPUT_BYTES = 256 * 1024;
/** Input memory grows in such steps. */
const INPUT_STEP_BYTES = 64 * 1024;

/** gzip has to be told to begin anew; zstd does by itself. */
type Compressor = (zlib.Gzip & zlib.ZlibReset) | zlib.ZstdCompress;

interface Lane {
  readonly stream: Compressor;
  input: Buffer;
  readonly output: Uint8Array[];
}

export class FramePacker {
  readonly #open: () => Compressor;
  readonly #free: Lane[] = [];
  readonly #lanes = new Set<Lane>();
  readonly #waiting: ((lane: Lane | undefined) => void)[] = [];

  /** @param open a compressor whose every write ends a frame. */
  constructor(open: () => Compressor) {
    this.#open = open;
  }

  /**
   * @param chunks read until the promise settles.
   * @returns back to back one frame; nobody writes to them any more.
   */
  async pack(chunks: readonly Uint8Array[], sizeBytes: number): Promise<readonly Uint8Array[]> {
    const lane = await this.#take();
    try {
      const frame = await packIn(lane, chunks, sizeBytes);
      this.#giveBack(lane);
      return frame;
    } catch (error) {
      lane.stream.destroy();
      this.#lanes.delete(lane);
      this.#waiting.shift()?.(undefined);
      throw error;
    }
  }

  /** Lets go of the memory of compressors that nobody uses; it comes back with the next batch. */
  close(): void {
    for (const lane of this.#free.splice(0)) {
      lane.stream.destroy();
      this.#lanes.delete(lane);
    }
  }

  async #take(): Promise<Lane> {
    for (;;) {
      const free = this.#free.pop();
      if (free !== undefined) return free;
      if (this.#lanes.size < LANES_MAX) return this.#newLane();
      const given = await new Promise<Lane | undefined>((resolve) => this.#waiting.push(resolve));
      if (given !== undefined) return given;
    }
  }

  #giveBack(lane: Lane): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(lane);
    else next(lane);
  }

  #newLane(): Lane {
    const output: Uint8Array[] = [];
    const stream = this.#open();
    stream.on('data', (chunk: Buffer) => output.push(chunk));
    // Each failure belongs to a batch, which hears of it by itself.
    stream.on('error', () => undefined);
    const lane = { stream, input: Buffer.alloc(0), output };
    this.#lanes.add(lane);
    return lane;
  }
}

async function packIn(
  lane: Lane,
  chunks: readonly Uint8Array[],
  sizeBytes: number,
): Promise<readonly Uint8Array[]> {
  const { stream, output } = lane;
  if (lane.input.length < sizeBytes)
    lane.input = Buffer.allocUnsafeSlow(Math.ceil(sizeBytes / INPUT_STEP_BYTES) * INPUT_STEP_BYTES);
  let at = 0;
  for (const chunk of chunks) {
    lane.input.set(chunk, at);
    at += chunk.length;
  }
  const written = new Promise<void>((resolve, reject) => {
    stream.write(lane.input.subarray(0, at), (error) => (error == null ? resolve() : reject(error)));
  });
  await written;
  // What the stream could not hand on at once comes by events of its own.
  while (stream.readableLength > 0) await once(stream, 'data');
  if (stream instanceof zlib.Gzip) stream.reset();
  return output.splice(0);
}

export function gzipPacker(level: number): FramePacker {
  const flush = zlib.constants.Z_FINISH;
  return new FramePacker(
    () => zlib.createGzip({ level, flush, chunkSize: OUTPUT_BYTES }) as zlib.Gzip & zlib.ZlibReset,
  );
}

/** Node.js 22.15 and later. */
export function zstdPacker(level: number): FramePacker {
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: level };
  const flush = zlib.constants.ZSTD_e_end;
  return new FramePacker(() => zlib.createZstdCompress({ params, flush, chunkSize: OUTPUT_BYTES }));
}
