import { ByteSink } from './byte-sink.ts';
import { viewOf } from './wire-view.ts';

/** Slots probed before a text is stored once more: ClickHouse accepts repeated keys, and hostile texts cannot make lookups quadratic. */
const PROBES_MAX = 32;
const INITIAL_SLOTS = 256;
const RETAINED_SLOTS_MAX = 1 << 18;

/**
 * Dictionary of one LowCardinality column in one block: byte strings to dense indexes, without a JavaScript
 * string. Open addressing with linear probing over typed arrays. Telemetry repeats itself in order, so
 * each entry remembers the two entries that followed it last; a right guess needs no hash.
 */
export class Dictionary {
  /** Number of entries; indexes run from 0 to count - 1. */
  count = 0;
  /** Raw bytes of all entries, back to back. */
  #arena = new ByteSink();
  #starts = new Uint32Array(INITIAL_SLOTS / 2 + 1);
  #hashes = new Uint32Array(INITIAL_SLOTS / 2);
  /** Two for each entry, the later one first. */
  #successors = new Uint32Array(INITIAL_SLOTS);
  /** Entry index + 1, 0 when free. */
  #slots = new Uint32Array(INITIAL_SLOTS);
  #previous = 0;

  reset(): void {
    this.count = 0;
    this.#previous = 0;
    this.#arena.reset();
    if (this.#slots.length > RETAINED_SLOTS_MAX) this.#allocate(INITIAL_SLOTS);
    else this.#slots.fill(0);
  }

  #allocate(slotCount: number): void {
    this.#slots = new Uint32Array(slotCount);
    this.#starts = new Uint32Array(slotCount / 2 + 1);
    this.#hashes = new Uint32Array(slotCount / 2);
    this.#successors = new Uint32Array(slotCount);
  }

  /** Index of the text, which is added when it is new. */
  indexOf(src: Uint8Array, from: number, count: number): number {
    const pair = this.#previous * 2;
    const guess = this.#successors[pair]!;
    if (guess < this.count && this.#equals(guess, src, from, count)) {
      this.#previous = guess;
      return guess;
    }
    const second = this.#successors[pair + 1]!;
    const isSecond = second < this.count && this.#equals(second, src, from, count);
    const index = isSecond ? second : this.#search(src, from, count);
    // `search` may have moved the array. The newest successor is tried first from now on.
    this.#successors[pair] = index;
    this.#successors[pair + 1] = guess;
    this.#previous = index;
    return index;
  }

  #equals(index: number, src: Uint8Array, from: number, count: number): boolean {
    const start = this.#starts[index]!;
    if (this.#starts[index + 1]! - start !== count) return false;
    const arena = this.#arena.view;
    const wire = viewOf(src);
    let i = 0;
    for (; i + 4 <= count; i += 4) {
      if (arena.getInt32(start + i, true) !== wire.getInt32(from + i, true)) return false;
    }
    for (; i < count; i++) {
      if (arena.getUint8(start + i) !== wire.getUint8(from + i)) return false;
    }
    return true;
  }

  #search(src: Uint8Array, from: number, count: number): number {
    const hash = hashBytes(src, from, count);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const entry = this.#slots[slot]!;
      if (entry === 0) return this.#add(hash, slot, src, from, count);
      if (this.#hashes[entry - 1] === hash && this.#equals(entry - 1, src, from, count)) return entry - 1;
      slot = (slot + 1) & mask;
    }
    return this.#add(hash, -1, src, from, count);
  }

  #add(hash: number, slot: number, src: Uint8Array, from: number, count: number): number {
    const index = this.count;
    const isFull = index >= this.#hashes.length;
    if (isFull) this.#grow();
    this.#arena.appendBytes(src, from, count);
    this.#starts[index + 1] = this.#arena.pos;
    this.#hashes[index] = hash;
    this.#successors[index * 2] = index;
    this.#successors[index * 2 + 1] = index;
    this.count = index + 1;
    if (isFull) this.#place(hash, index);
    else if (slot >= 0) this.#slots[slot] = index + 1;
    return index;
  }

  #grow(): void {
    const { count } = this;
    const starts = this.#starts;
    const hashes = this.#hashes;
    const successors = this.#successors;
    this.#allocate(this.#slots.length * 2);
    this.#starts.set(starts);
    this.#hashes.set(hashes);
    this.#successors.set(successors);
    for (let index = 0; index < count; index++) this.#place(this.#hashes[index]!, index);
  }

  #place(hash: number, index: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      if (this.#slots[slot] === 0) {
        this.#slots[slot] = index + 1;
        return;
      }
      slot = (slot + 1) & mask;
    }
  }

  /** Writes all entries as ClickHouse Strings, in index order. */
  appendTo(out: ByteSink): void {
    for (let index = 0; index < this.count; index++) {
      const start = this.#starts[index]!;
      out.appendString(this.#arena.bytes, start, this.#starts[index + 1]! - start);
    }
  }
}

/** 32-bit multiplicative hash with a final mix; a table lookup, not a defence. */
function hashBytes(src: Uint8Array, from: number, count: number): number {
  let hash = count;
  for (let i = 0; i < count; i++) hash = Math.imul(hash ^ src[from + i]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
