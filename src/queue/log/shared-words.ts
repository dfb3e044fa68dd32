/**
 * Words that the writer of a log and its readers share, in one SharedArrayBuffer made by the main thread.
 *
 * | 64-bit word            | written by           | meaning                                                   |
 * | ---------------------- | -------------------- | --------------------------------------------------------- |
 * | 0                      | writer               | one past the last flushed item                            |
 * | 8                      | writer               | oldest ordinal that the log still holds                   |
 * | 16                     | writer               | bytes of all segments on disk plus what waits in memory   |
 * | 17                     | writer               | of those, segments that every cursor has passed           |
 * | 18                     | writer               | when the oldest item arrived, ms; 0 when that is unknown  |
 * | 24 (as Int32 word 48)  | writer               | doorbell: changes after every flush                       |
 * | 24 (as Int32 word 49)  | writer               | state: 0 not open yet, 1 open, 2 closed, 3 storage failed |
 * | 24 (as Int32 word 50)  | writer               | not 0 while the disk budget or the reserve refuses data   |
 * | 32 + 8 * slot          | thread of the cursor | every item before it is finished, and that is on disk     |
 * | 33 + 8 * slot          | thread of the cursor | how often items were given up since the start             |
 *
 * Words of different writing threads are a cache line (64 bytes) apart.
 */
import { assert } from '../../stdx/assert.ts';

const LINE_WORDS = 8;
const WORD_FLUSHED_END = 0;
const WORD_BEGIN = 8;
const WORD_SIZE_BYTES = 16;
const WORD_RETAINED_BYTES = 17;
const WORD_OLDEST_UNIX_MS = 18;
const INT32_DOORBELL = 48;
const INT32_STATE = 49;
const INT32_REFUSING = 50;
const WORD_RELEASED = 32;
const WORD_GIVEN_UP = 33;
assert(INT32_DOORBELL * 4 === 24 * 8, 'doorbell overlaps a 64-bit word');
assert(WORD_RELEASED - 24 >= LINE_WORDS, 'cursor words share a cache line with the doorbell');

export const LOG_STATE_NEW = 0;
export const LOG_STATE_OPEN = 1;
export const LOG_STATE_CLOSED = 2;
export const LOG_STATE_FAILED = 3;

/** Words for one log; all zero means: nothing flushed, nothing released. */
export function createSharedWords(cursorCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer((WORD_RELEASED + cursorCount * LINE_WORDS) * 8);
}

/** View of one thread over the words. Ordinals stay below 2^53, so numbers hold them exactly. */
export class SharedWords {
  readonly cursorCount: number;
  readonly #words: BigInt64Array;
  readonly #ints: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new BigInt64Array(shared);
    this.#ints = new Int32Array(shared);
    this.cursorCount = (this.#words.length - WORD_RELEASED) / LINE_WORDS;
    assert(Number.isInteger(this.cursorCount) && this.cursorCount >= 0, 'not the words of a log');
  }

  #load(word: number): number {
    return Number(Atomics.load(this.#words, word));
  }

  #store(word: number, value: number): void {
    Atomics.store(this.#words, word, BigInt(value));
  }

  get flushedEnd(): number {
    return this.#load(WORD_FLUSHED_END);
  }

  get beginOrdinal(): number {
    return this.#load(WORD_BEGIN);
  }

  set beginOrdinal(ordinal: number) {
    this.#store(WORD_BEGIN, ordinal);
  }

  get sizeBytes(): number {
    return this.#load(WORD_SIZE_BYTES);
  }

  set sizeBytes(bytes: number) {
    this.#store(WORD_SIZE_BYTES, bytes);
  }

  get retainedBytes(): number {
    return this.#load(WORD_RETAINED_BYTES);
  }

  set retainedBytes(bytes: number) {
    this.#store(WORD_RETAINED_BYTES, bytes);
  }

  get oldestUnixMs(): number {
    return this.#load(WORD_OLDEST_UNIX_MS);
  }

  set oldestUnixMs(unixMs: number) {
    this.#store(WORD_OLDEST_UNIX_MS, Math.round(unixMs));
  }

  get state(): number {
    return Atomics.load(this.#ints, INT32_STATE);
  }

  setState(state: number): void {
    Atomics.store(this.#ints, INT32_STATE, state);
    this.ring();
  }

  /** For readiness only: nobody waits for it. */
  get isRefusing(): boolean {
    return Atomics.load(this.#ints, INT32_REFUSING) !== 0;
  }

  set isRefusing(isRefusing: boolean) {
    Atomics.store(this.#ints, INT32_REFUSING, isRefusing ? 1 : 0);
  }

  /** Publishes the new end, then rings: a reader that wakes sees it. */
  publishFlushedEnd(ordinal: number): void {
    this.#store(WORD_FLUSHED_END, ordinal);
    this.ring();
  }

  ring(): void {
    Atomics.add(this.#ints, INT32_DOORBELL, 1);
    Atomics.notify(this.#ints, INT32_DOORBELL);
  }

  /**
   * Resolves at the next ring after the doorbell had the value `seen`. It keeps no thread alive and cannot be
   * cancelled, so a waiter holds a timer of its own and keeps one pending promise, not one a wait.
   */
  waitRing(seen: number): Promise<unknown> {
    const result = waitAsync(this.#ints, INT32_DOORBELL, seen);
    return result.async ? result.value : Promise.resolve();
  }

  get doorbell(): number {
    return Atomics.load(this.#ints, INT32_DOORBELL);
  }

  releasedOrdinal(slot: number): number {
    assert(slot >= 0 && slot < this.cursorCount, 'no such cursor slot');
    return this.#load(WORD_RELEASED + slot * LINE_WORDS);
  }

  setReleasedOrdinal(slot: number, ordinal: number): void {
    assert(slot >= 0 && slot < this.cursorCount, 'no such cursor slot');
    this.#store(WORD_RELEASED + slot * LINE_WORDS, ordinal);
  }

  /** How often items were neither delivered nor dead-lettered. */
  givenUpCount(slot: number): number {
    assert(slot >= 0 && slot < this.cursorCount, 'no such cursor slot');
    return this.#load(WORD_GIVEN_UP + slot * LINE_WORDS);
  }

  /** Call before the position moves over the items. */
  countGivenUp(slot: number): void {
    this.#store(WORD_GIVEN_UP + slot * LINE_WORDS, this.givenUpCount(slot) + 1);
  }

  /**
   * Every cursor has passed the items before it; `whenNone` when the log has no cursor.
   * @param slots how many count, from the first: those behind `cursorNames` hold data of exporters that are gone.
   */
  releasedByAll(whenNone: number, slots: number = this.cursorCount): number {
    let released = slots === 0 ? whenNone : Number.MAX_SAFE_INTEGER;
    for (let slot = 0; slot < slots; slot++) {
      released = Math.min(released, this.releasedOrdinal(slot));
    }
    return released;
  }
}

type WaitAsyncResult = { async: false; value: string } | { async: true; value: Promise<string> };

/** In every supported Node; the compiler's ES2023 library does not know it yet. */
const waitAsync = (
  Atomics as unknown as { waitAsync: (array: Int32Array, index: number, value: number) => WaitAsyncResult }
).waitAsync;
