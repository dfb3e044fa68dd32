/**
 * Records of fixed size for live traces, found by trace id, dropped oldest first.
 *
 * Records lie in a ring in the order in which their traces were first seen: the trace with sequence number n is in
 * slot n mod capacity. All memory is reserved at once and touched as it is used; nothing is ever moved by growth.
 *
 * | word      | content                                                          |
 * | --------- | ---------------------------------------------------------------- |
 * | 0 to 3    | trace id, big-endian words                                       |
 * | 4         | verdict (2 bits), flags; from bit 8 on other workers with spans  |
 * | 5         | step in which it was decided                                     |
 * | 6         | number of the epoch in which its newest span came                |
 * | from 7 on | facts for the policies                                           |
 */
import { assert } from '../../stdx/assert.ts';

export const WORD_INFO = 4;
export const WORD_DECIDED_STEP = 5;
export const WORD_LAST_EPOCH = 6;
export const HEADER_WORDS = 7;
/** Bits of WORD_INFO. */
export const INFO_VERDICT = 3;
export const INFO_HAS_ROOT = 4;
/** Another worker decides about it. */
export const INFO_FOREIGN = 8;
/** It has facts that the worker that decides does not have yet. */
export const INFO_DIRTY = 16;

const NOT_FOUND = -1;

export class TraceTable {
  readonly capacity: number;
  readonly strideWords: number;
  /** Record of slot s begins at s * strideWords. */
  readonly words: Uint32Array;
  /** Open addressing, linear probing: slot + 1, or 0. */
  readonly #index: Uint32Array;
  readonly #mask: number;
  readonly #seed: number;
  /** Sequence number of the oldest record. */
  oldest = 0;
  /** Sequence number of the next record. */
  next = 0;
  /** The last `findOrAdd` made the record. */
  wasAdded = false;

  /** @param seed keeps senders from choosing ids that collide. */
  constructor(capacity: number, stateWords: number, seed: number) {
    assert(capacity > 0 && capacity < 0x7fff_ffff, 'capacity of the trace table');
    this.capacity = capacity;
    this.strideWords = HEADER_WORDS + stateWords;
    this.words = new Uint32Array(capacity * this.strideWords);
    const indexSize = 2 ** Math.ceil(Math.log2(capacity * 1.5));
    this.#index = new Uint32Array(indexSize);
    this.#mask = indexSize - 1;
    this.#seed = seed | 0;
  }

  get count(): number {
    return this.next - this.oldest;
  }

  get free(): number {
    return this.capacity - this.count;
  }

  /** Bytes in use: memory behind the newest record of the first round is reserved and not taken. */
  get touchedBytes(): number {
    const records = Math.min(this.next, this.capacity);
    const share = Math.min(1, (records * 4 * 64) / this.#index.byteLength);
    return records * this.strideWords * 4 + Math.ceil(this.#index.byteLength * share);
  }

  slotOf(sequence: number): number {
    return sequence % this.capacity;
  }

  /** Slots are used in turn, so that the slot tells the sequence number of the record that is in it. */
  sequenceOf(slot: number): number {
    return this.oldest + ((slot - (this.oldest % this.capacity) + this.capacity) % this.capacity);
  }

  /** Slot of a trace id given as words, or -1. */
  find(id0: number, id1: number, id2: number, id3: number): number {
    return this.#index[this.#seek(id0, id1, id2, id3)]! - 1;
  }

  /** Where in the index a trace stands, or would. */
  #seek(id0: number, id1: number, id2: number, id3: number): number {
    const { words, strideWords } = this;
    const index = this.#index;
    const mask = this.#mask;
    let at = this.#hash(id0, id1, id2, id3);
    for (;;) {
      const base = (index[at]! - 1) * strideWords;
      if (
        base < 0 ||
        (words[base] === id0 && words[base + 1] === id1 && words[base + 2] === id2 && words[base + 3] === id3)
      ) {
        return at;
      }
      at = (at + 1) & mask;
    }
  }

  /** The same for the sixteen bytes at an offset. */
  findIn(bytes: Uint8Array, at: number): number {
    return this.find(wordAt(bytes, at), wordAt(bytes, at + 4), wordAt(bytes, at + 8), wordAt(bytes, at + 12));
  }

  findOrAddIn(bytes: Uint8Array, at: number): number {
    return this.findOrAdd(
      wordAt(bytes, at),
      wordAt(bytes, at + 4),
      wordAt(bytes, at + 8),
      wordAt(bytes, at + 12),
    );
  }

  /** Slot of a trace, made with zeroed facts when it is new; -1 when it is new and the table is full. */
  findOrAdd(id0: number, id1: number, id2: number, id3: number): number {
    this.wasAdded = false;
    const { words, strideWords } = this;
    const at = this.#seek(id0, id1, id2, id3);
    const found = this.#index[at]! - 1;
    if (found >= 0) return found;
    if (this.count === this.capacity) return NOT_FOUND;
    const slot = this.slotOf(this.next);
    this.next++;
    const base = slot * strideWords;
    words[base] = id0;
    words[base + 1] = id1;
    words[base + 2] = id2;
    words[base + 3] = id3;
    for (let word = base + 4; word < base + strideWords; word++) words[word] = 0;
    this.#index[at] = slot + 1;
    this.wasAdded = true;
    return slot;
  }

  /**
   * Looks many traces up without a result: their memory is fetched for all of them at once, where `findOrAdd` would
   * wait for one after the other.
   *
   * @param ids a trace id in the first four words of each of `count` rows of `rowWords` words.
   */
  touch(ids: Uint32Array, from: number, count: number, rowWords: number): number {
    const { words, strideWords } = this;
    let sum = 0;
    for (let row = 0, at = from; row < count; row++, at += rowWords) {
      const slot = this.#index[this.#hash(ids[at]!, ids[at + 1]!, ids[at + 2]!, ids[at + 3]!)]! - 1;
      if (slot >= 0) sum ^= words[slot * strideWords]!;
    }
    return sum;
  }

  dropOldest(): void {
    assert(this.count > 0, 'no trace to drop');
    this.#unlink(this.slotOf(this.oldest));
    this.oldest++;
  }

  /** Gives the oldest record the newest place: it is still in use. Its slot changes. */
  renewOldest(): void {
    assert(this.count > 0, 'no trace to renew');
    const from = this.slotOf(this.oldest);
    const at = this.#positionOf(from);
    const to = this.slotOf(this.next);
    const { words, strideWords } = this;
    if (to !== from) words.copyWithin(to * strideWords, from * strideWords, from * strideWords + strideWords);
    this.#index[at] = to + 1;
    this.oldest++;
    this.next++;
  }

  #hash(id0: number, id1: number, id2: number, id3: number): number {
    let hash = Math.imul(id0 ^ this.#seed, 0x9e3779b1) ^ Math.imul(id1, 0x85ebca77);
    hash ^= Math.imul(id2, 0xc2b2ae3d) ^ Math.imul(id3, 0x27d4eb2f);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return (hash ^ (hash >>> 13)) & this.#mask;
  }

  #hashOfSlot(slot: number): number {
    const base = slot * this.strideWords;
    const { words } = this;
    return this.#hash(words[base]!, words[base + 1]!, words[base + 2]!, words[base + 3]!);
  }

  #positionOf(slot: number): number {
    let at = this.#hashOfSlot(slot);
    while (this.#index[at] !== slot + 1) at = (at + 1) & this.#mask;
    return at;
  }

  /** Entries behind the hole move up, so that no search ends too early; there are no tombstones. */
  #unlink(slot: number): void {
    let hole = this.#positionOf(slot);
    let at = (hole + 1) & this.#mask;
    for (;;) {
      const entry = this.#index[at]!;
      if (entry === 0) break;
      const home = this.#hashOfSlot(entry - 1);
      // It may move when its home is not between the hole and its place, going round.
      if (((at - home) & this.#mask) >= ((at - hole) & this.#mask)) {
        this.#index[hole] = entry;
        hole = at;
      }
      at = (at + 1) & this.#mask;
    }
    this.#index[hole] = 0;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
