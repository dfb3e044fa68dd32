/**
 * Gathers what the spans of a section say about their traces: one row of words for each trace, whatever the number of
 * its spans. Rows go to the owners of their traces, who merge them.
 *
 * A row is the trace id (4 words), flags, and the facts of trial-facts.ts.
 */
import type { RequestIndex } from '../../../pdata/request-index.ts';
import { OBSERVED_ROOT, type PolicySet } from '../policy-set.ts';
import { SERVICE_OF_ROOT, type ServiceNames } from './service-names.ts';

export const ROW_FLAGS = 4;
export const ROW_SERVICE = 5;
export const ROW_SPANS = 6;
export const ROW_BYTES = 7;
/** Facts of the policies begin here, those of one policy file behind those of the other. */
export const ROW_FACTS = 8;
export const FLAG_ROOT = 1;
/** Head of a section in the words for an owner: time (2 words, milliseconds), bytes; then count and rows by shard. */
export const SECTION_HEAD_WORDS = 3;
const TWO_POW_32 = 0x1_0000_0000;
const FIRST_ROWS = 1024;
const FIRST_WORDS = 16_384;
/** As many as come in while one batch is read. */
const SPARES_MAX = 64;

/** Words that grow. */
class WordList {
  words = new Uint32Array(FIRST_WORDS);
  length = 0;

  /** @returns where the new words begin; what they hold is left over. */
  extend(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.words.length) {
      const wider = new Uint32Array(Math.max(this.words.length * 2, this.length));
      wider.set(this.words.subarray(0, at));
      this.words = wider;
    }
    return at;
  }
}

export class TrialRows {
  readonly rowWords: number;
  readonly #sets: readonly PolicySet[];
  readonly #services: ServiceNames;
  readonly #shards: number;
  readonly #outputs: readonly WordList[];
  readonly #spares: Uint32Array<ArrayBuffer>[] = [];
  #rows: Uint32Array;
  #rowCount = 0;
  /** Open addressing: row number + 1, or 0. */
  #index = new Int32Array(FIRST_ROWS * 2);
  readonly #shardCounts: Uint32Array;

  /** @param shards a power of two. @param owners shard s belongs to owner s mod owners. */
  constructor(sets: readonly PolicySet[], services: ServiceNames, shards: number, owners: number) {
    this.#sets = sets;
    this.#services = services;
    this.#shards = shards;
    this.rowWords = sets.reduce((words, { stateWords }) => words + stateWords, ROW_FACTS);
    this.#rows = new Uint32Array(FIRST_ROWS * this.rowWords);
    this.#outputs = Array.from({ length: owners }, () => new WordList());
    this.#shardCounts = new Uint32Array(shards);
  }

  gather(bytes: Uint8Array, index: RequestIndex): void {
    const sets = this.#sets;
    const [first, second] = sets as [PolicySet, PolicySet | undefined];
    const secondAt = ROW_FACTS + first.stateWords;
    first.begin(bytes, index);
    second?.begin(bytes, index);
    const { itemTraceId, itemScope, itemStart, itemEnd, itemCount } = index;
    this.#reserve(itemCount);
    const rows = this.#rows;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let id0 = 0;
    let id1 = 0;
    let id2 = 0;
    let id3 = 0;
    let row = -1;
    let scope = -1;
    let resource = -1;
    let service = 0;
    for (let item = 0; item < itemCount; item++) {
      const at = itemTraceId[item]!;
      const last = view.getInt32(at + 12);
      if (
        row < 0 ||
        last !== id3 ||
        view.getInt32(at) !== id0 ||
        view.getInt32(at + 4) !== id1 ||
        view.getInt32(at + 8) !== id2
      ) {
        id0 = view.getInt32(at);
        id1 = view.getInt32(at + 4);
        id2 = view.getInt32(at + 8);
        id3 = last;
        row = this.#rowOf(id0, id1, id2, id3);
      }
      if (itemScope[item] !== scope) {
        scope = itemScope[item]!;
        if (index.scopeResource[scope] !== resource) {
          resource = index.scopeResource[scope]!;
          const start = index.resourceInfoStart[resource]!;
          service = this.#services.hashIn(bytes, start, index.resourceInfoEnd[resource]!);
        }
      }
      rows[row + ROW_SPANS]!++;
      rows[row + ROW_BYTES]! += itemEnd[item]! - itemStart[item]!;
      const flags = first.observe(item, rows, row + ROW_FACTS);
      if (second !== undefined) second.observe(item, rows, row + secondAt);
      const isRoot = (flags & OBSERVED_ROOT) !== 0;
      const known = isRoot ? (service | SERVICE_OF_ROOT) >>> 0 : service;
      if (isRoot) rows[row + ROW_FLAGS] = FLAG_ROOT;
      if (known > rows[row + ROW_SERVICE]!) rows[row + ROW_SERVICE] = known;
    }
  }

  endSection(arrivedUnixMs: number, sizeBytes: number): void {
    const { rowWords } = this;
    const counts = this.#shardCounts.fill(0);
    const rows = this.#rows;
    const shardOfRow = this.#index;
    // The index is not needed any more, and has room for a number a row.
    for (let row = 0; row < this.#rowCount; row++) {
      const shard = shardOf(rows, row * rowWords, this.#shards);
      shardOfRow[row] = shard;
      counts[shard]!++;
    }
    this.#copy(counts, arrivedUnixMs, sizeBytes);
    this.#rowCount = 0;
    this.#index.fill(0);
  }

  #copy(counts: Uint32Array, arrivedUnixMs: number, sizeBytes: number): void {
    const { rowWords } = this;
    const rows = this.#rows;
    const next = new Uint32Array(this.#shards);
    for (const [owner, output] of this.#outputs.entries()) {
      const head = output.extend(SECTION_HEAD_WORDS);
      output.words[head] = Math.floor(arrivedUnixMs / TWO_POW_32);
      output.words[head + 1] = arrivedUnixMs % TWO_POW_32;
      output.words[head + 2] = sizeBytes;
      for (let shard = owner; shard < this.#shards; shard += this.#outputs.length) {
        const at = output.extend(1 + counts[shard]! * rowWords);
        output.words[at] = counts[shard]!;
        next[shard] = at + 1;
      }
    }
    const owners = this.#outputs.length;
    for (let row = 0; row < this.#rowCount; row++) {
      const shard = this.#index[row]!;
      const { words } = this.#outputs[shard % owners]!;
      let to = next[shard]!;
      next[shard] = to + rowWords;
      for (let from = row * rowWords; from < (row + 1) * rowWords; from++) words[to++] = rows[from]!;
    }
  }

  /** The memory goes along. */
  take(owner: number): Uint32Array {
    const output = this.#outputs[owner]!;
    const taken = output.words.subarray(0, output.length);
    output.words = this.#spares.pop() ?? new Uint32Array(FIRST_WORDS);
    output.length = 0;
    return taken;
  }

  /** Memory that somebody's `take` gave away, and that nobody reads any more. */
  reuse({ buffer }: Uint32Array): void {
    if (this.#spares.length < SPARES_MAX) this.#spares.push(new Uint32Array(buffer as ArrayBuffer));
  }

  /** Offset of the words of a trace, zeroed when it is new in this section. @param id0 to id3 as signed words. */
  #rowOf(id0: number, id1: number, id2: number, id3: number): number {
    const { rowWords } = this;
    const rows = this.#rows;
    const index = this.#index;
    const mask = index.length - 1;
    let place = hashOf(id0, id1, id2, id3) & mask;
    for (;;) {
      const row = index[place]! - 1;
      if (row < 0) break;
      const base = row * rowWords;
      if (
        (rows[base]! | 0) === id0 &&
        (rows[base + 1]! | 0) === id1 &&
        (rows[base + 2]! | 0) === id2 &&
        (rows[base + 3]! | 0) === id3
      ) {
        return base;
      }
      place = (place + 1) & mask;
    }
    const base = this.#rowCount++ * rowWords;
    index[place] = this.#rowCount;
    rows[base] = id0;
    rows[base + 1] = id1;
    rows[base + 2] = id2;
    rows[base + 3] = id3;
    for (let word = base + ROW_FLAGS; word < base + rowWords; word++) rows[word] = 0;
    return base;
  }

  /** Makes room for so many more rows. */
  #reserve(count: number): void {
    const rowsMax = this.#rowCount + count;
    if (rowsMax * this.rowWords > this.#rows.length) {
      const wider = new Uint32Array(rowsMax * 2 * this.rowWords);
      wider.set(this.#rows.subarray(0, this.#rowCount * this.rowWords));
      this.#rows = wider;
    }
    if (rowsMax * 2 <= this.#index.length) return;
    this.#index = new Int32Array(2 ** Math.ceil(Math.log2(rowsMax * 2)));
    const mask = this.#index.length - 1;
    for (let row = 0; row < this.#rowCount; row++) {
      const base = row * this.rowWords;
      const rows = this.#rows;
      let place = hashOf(rows[base]!, rows[base + 1]!, rows[base + 2]!, rows[base + 3]!) & mask;
      while (this.#index[place] !== 0) place = (place + 1) & mask;
      this.#index[place] = row + 1;
    }
  }
}

function hashOf(id0: number, id1: number, id2: number, id3: number): number {
  let hash = Math.imul(id0, 0x9e3779b1) ^ Math.imul(id1, 0x85ebca77);
  hash ^= Math.imul(id2, 0xc2b2ae3d) ^ Math.imul(id3, 0x27d4eb2f);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

/** Of other bits than the ones that tables look traces up by. */
function shardOf(words: Uint32Array, at: number, shards: number): number {
  const hash = hashOf(words[at + 1]!, words[at + 3]!, words[at]!, words[at + 2]!);
  return (hash >>> 8) & (shards - 1);
}
