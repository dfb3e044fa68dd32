import { assert } from '../stdx/assert.ts';
import { copyBytes } from '../stdx/copy-bytes.ts';
import {
  createRing,
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

/** Writing end of a ring: exactly one per ring, owned by one thread. */
export class RingProducer {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #frameWords: Uint32Array;
  readonly #data: Uint8Array;
  readonly #dataBytes: number;
  #writeSeq: number;
  #baseSeq: number;
  /** Highest fill seen since the last call of `takePeakBytes`. */
  #peakBytes = 0;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.#data = new Uint8Array(memory, HEADER_BYTES);
    this.#frameWords = new Uint32Array(memory, HEADER_BYTES);
    this.#dataBytes = this.#data.byteLength;
    this.#writeSeq = Atomics.load(this.#words, WORD_WRITE_SEQ);
    this.#baseSeq = Atomics.load(this.#words, WORD_BASE_SEQ);
  }

  static create(dataBytes: number): RingProducer {
    return new RingProducer(createRing(dataBytes));
  }

  /**
   * Copies one frame in, or refuses it; never blocks, never overwrites. The consumer sees it at once, but a
   * sleeping consumer is only woken by `wake`, so that one wake-up serves a batch of writes.
   *
   * @param parts the payload in order; the caller may reuse the memory on return.
   * @param payloadBytes sum of the parts, at least 1.
   * @returns false when there is no room. A payload whose frame is no larger than the capacity always fits
   *   an empty ring.
   */
  tryWrite(parts: readonly Uint8Array[], payloadBytes: number): boolean {
    assert(payloadBytes > 0);
    const readSeq = Atomics.load(this.#words, WORD_READ_SEQ);
    const used = usedBytes(this.#writeSeq, readSeq);
    assert(used <= this.#dataBytes, 'ring sequences torn');
    const needBytes = frameBytes(payloadBytes);
    if (used === 0) this.#moveBase();
    let offset = (this.#writeSeq - this.#baseSeq) & (this.#dataBytes - 1);
    const tailBytes = this.#dataBytes - offset;
    const skipBytes = needBytes > tailBytes ? tailBytes : 0;
    if (used + skipBytes + needBytes > this.#dataBytes) return false;

    if (skipBytes > 0) {
      this.#frameWords[offset >>> 2] = skipBytes - FRAME_HEADER_BYTES;
      this.#frameWords[(offset >>> 2) + 1] = KIND_SKIP;
      this.#writeSeq = (this.#writeSeq + skipBytes) | 0;
      offset = 0;
    }
    this.#copyFrame(offset, parts, payloadBytes);
    // Publish last: a consumer that sees the new sequence must also see the bytes before it.
    this.#writeSeq = (this.#writeSeq + needBytes) | 0;
    Atomics.store(this.#words, WORD_WRITE_SEQ, this.#writeSeq);
    this.#peakBytes = Math.max(this.#peakBytes, used + skipBytes + needBytes);
    return true;
  }

  /** Wakes the consumer if it sleeps; call once after a batch of writes. */
  wake(): void {
    if (Atomics.load(this.#words, WORD_WAITING) === 0) return;
    Atomics.store(this.#words, WORD_WAITING, 0);
    Atomics.notify(this.#words, WORD_WAITING);
  }

  /** A consumer that is awake sees every write before it sleeps. */
  get isConsumerAsleep(): boolean {
    return Atomics.load(this.#words, WORD_WAITING) !== 0;
  }

  get capacityBytes(): number {
    return this.#dataBytes;
  }

  get queuedBytes(): number {
    return usedBytes(this.#writeSeq, Atomics.load(this.#words, WORD_READ_SEQ));
  }

  /** Highest fill in bytes since the last call. */
  takePeakBytes(): number {
    const peak = this.#peakBytes;
    this.#peakBytes = 0;
    return peak;
  }

  /**
   * Nothing is between the sequences, so nobody holds an offset that depends on the base; the consumer loads it
   * again after it has seen the write sequence move.
   */
  #moveBase(): void {
    this.#baseSeq = this.#writeSeq;
    Atomics.store(this.#words, WORD_BASE_SEQ, this.#baseSeq);
  }

  #copyFrame(offset: number, parts: readonly Uint8Array[], payloadBytes: number): void {
    this.#frameWords[offset >>> 2] = payloadBytes;
    this.#frameWords[(offset >>> 2) + 1] = KIND_DATA;
    let at = offset + FRAME_HEADER_BYTES;
    for (const part of parts) {
      copyBytes(this.#data, at, part);
      at += part.byteLength;
    }
    assert(at === offset + FRAME_HEADER_BYTES + payloadBytes, 'payloadBytes is not the sum of the parts');
  }
}
