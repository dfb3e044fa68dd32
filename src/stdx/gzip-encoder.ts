/** gzip (RFC 1952) for data that repeats itself, in little more than half the time of zlib's lowest level, for about its size. */
import { crc32 } from './crc32.ts';
import { fillTables, writeBlock, writeEnd } from './deflate-block.ts';
import { DeflateLoops, WINDOW_BYTES } from './deflate-loops.ts';

/** Deflate, no flags, no time, and as zlib has it: fastest, Unix. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 3);
const TRAILER_BYTES = 8;
/** Out of every window. */
const NOWHERE = -2 * WINDOW_BYTES;

/** One file after the other. The bytes of a file depend on those that were added alone, not on how they were divided. */
export class GzipEncoder {
  readonly #loops = new DeflateLoops();
  /** What of the window is not written yet. */
  #from = 0;
  #to = 0;
  /** Bytes that the window has left behind. */
  #passed = 0;
  #crc = 0;
  #sizeBytes = 0;

  constructor() {
    fillTables(this.#loops);
    this.#loops.heads.fill(NOWHERE);
  }

  /** @returns what there is of the file up to now, piece by piece; each is valid until the next one is asked for. */
  *add(bytes: Uint8Array): Generator<Uint8Array> {
    if (this.#sizeBytes === 0 && bytes.byteLength > 0) yield HEADER;
    this.#crc = crc32(bytes, this.#crc);
    this.#sizeBytes += bytes.byteLength;
    const { window } = this.#loops;
    for (let at = 0; at < bytes.byteLength; ) {
      const count = Math.min(bytes.byteLength - at, window.byteLength - this.#to);
      window.set(bytes.subarray(at, at + count), this.#to);
      this.#to += count;
      at += count;
      if (this.#to === window.byteLength) yield this.#block();
    }
  }

  /** Ends the file. */
  *end(): Generator<Uint8Array> {
    if (this.#sizeBytes === 0) yield HEADER;
    if (this.#to > this.#from) yield this.#block();
    writeEnd(this.#loops);
    yield this.#loops.takeOutput();
    const trailer = new DataView(new ArrayBuffer(TRAILER_BYTES));
    trailer.setUint32(0, this.#crc, true);
    trailer.setUint32(4, this.#sizeBytes, true);
    yield new Uint8Array(trailer.buffer);
  }

  /** Before the next file; the one before may be unfinished. */
  reset(): void {
    this.#loops.reset();
    this.#loops.heads.fill(NOWHERE);
    this.#from = 0;
    this.#to = 0;
    this.#passed = 0;
    this.#crc = 0;
    this.#sizeBytes = 0;
  }

  #block(): Uint8Array {
    writeBlock(this.#loops, this.#from, this.#to, this.#passed);
    this.#slide();
    return this.#loops.takeOutput();
  }

  /** Makes room behind the window of the next block. */
  #slide(): void {
    const by = Math.max(this.#to - WINDOW_BYTES, 0);
    this.#loops.window.copyWithin(0, by, this.#to);
    this.#from = this.#to = this.#to - by;
    this.#passed += by;
  }
}
