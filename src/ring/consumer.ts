import { assert } from '../stdx/assert.ts';
import {
  FRAME_HEADER_BYTES,
  frameBytes,
  HEADER_BYTES,
  KIND_DATA,
  KIND_SKIP,
  usedBytes,
  WORD_BASE_SEQ,
  WORD_READ_SEQ,
  WORD_WAITING,
  WORD_WRITE_SEQ,
} from './layout.ts';

/**
 * Reading end of a ring: exactly one at a time, owned by one thread. Reading and releasing are apart: frames that
 * were read but not released stay in the ring, so that a successor finds them when this thread dies.
 */
export class RingConsumer {
  /** The ring's data; `payloadStart` and `payloadEnd` are offsets into it. Valid until `release`. */
  readonly bytes: Uint8Array;
  payloadStart = 0;
  payloadEnd = 0;
  readonly #words: Int32Array;
  readonly #frameWords: Uint32Array;
  readonly #dataBytes: number;
  #nextSeq: number;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.bytes = new Uint8Array(memory, HEADER_BYTES);
    this.#frameWords = new Uint32Array(memory, HEADER_BYTES);
    this.#dataBytes = this.bytes.byteLength;
    this.#nextSeq = Atomics.load(this.#words, WORD_READ_SEQ);
  }

  /**
   * Moves to the next frame and sets `payloadStart` and `payloadEnd`.
   * @returns false when the ring holds nothing more.
   */
  tryRead(): boolean {
    const writeSeq = Atomics.load(this.#words, WORD_WRITE_SEQ);
    // Loaded after the write sequence: while frames are unreleased the base stands still.
    const baseSeq = Atomics.load(this.#words, WORD_BASE_SEQ);
    while (this.#nextSeq !== writeSeq) {
      const offset = (this.#nextSeq - baseSeq) & (this.#dataBytes - 1);
      const payloadBytes = this.#frameWords[offset >>> 2]!;
      const kind = this.#frameWords[(offset >>> 2) + 1]!;
      const takenBytes = frameBytes(payloadBytes);
      assert(kind === KIND_DATA || kind === KIND_SKIP, 'ring frame torn');
      assert(takenBytes <= usedBytes(writeSeq, this.#nextSeq), 'ring frame longer than what was written');
      this.#nextSeq = (this.#nextSeq + takenBytes) | 0;
      if (kind === KIND_DATA) {
        this.payloadStart = offset + FRAME_HEADER_BYTES;
        this.payloadEnd = this.payloadStart + payloadBytes;
        return true;
      }
    }
    return false;
  }

  /** Gives the space of every frame read so far back to the producer. */
  release(): void {
    Atomics.store(this.#words, WORD_READ_SEQ, this.#nextSeq);
  }

  /** Whether frames wait that `tryRead` has not returned yet. */
  hasMore(): boolean {
    return Atomics.load(this.#words, WORD_WRITE_SEQ) !== this.#nextSeq;
  }

  /**
   * Resolves when the producer calls `wake` after a write, or at `interrupt`. Keeps no thread alive by itself:
   * the caller holds a handle open. Returns undefined when frames wait already.
   *
   * Without a timeout: V8 cannot take one back, so each sleep would later wake the thread once more for nothing.
   */
  sleep(): Promise<unknown> | undefined {
    Atomics.store(this.#words, WORD_WAITING, 1);
    // The flag is set before the sequence is read again, and the producer writes before it reads the flag:
    // one of the two always sees the other.
    if (this.hasMore()) {
      Atomics.store(this.#words, WORD_WAITING, 0);
      return undefined;
    }
    const waiting = Atomics.waitAsync(this.#words, WORD_WAITING, 1);
    return waiting.async ? waiting.value : undefined;
  }

  /** Ends this consumer's own sleep, from the thread that owns it. */
  interrupt(): void {
    Atomics.store(this.#words, WORD_WAITING, 0);
    Atomics.notify(this.#words, WORD_WAITING);
  }
}
