/**
 * What pipeline workers tell each other about traces whose spans came through several of them.
 *
 * Every trace has an owner, by its id. Whoever holds spans of a trace sends the owner what they say about it, not the
 * spans; the owner decides, and tells the holders when its decision is on disk.
 *
 * A message is a list of u32 words, in the byte order of the machine:
 *
 * | words                         | content                                                        |
 * | ----------------------------- | -------------------------------------------------------------- |
 * | kind, count                   | 1 facts, 2 verdicts, 3 everything of an earlier start was sent |
 * | facts: 4, 1, stateWords each  | trace id, flags of the record, facts since the last message    |
 * | verdicts: 4, 1 each           | trace id, verdict                                              |
 */
import { HOLDING_WORKERS_MAX } from '../../component/holding.ts';
import { assert } from '../../stdx/assert.ts';
import { DecisionLog } from './decision-log.ts';
import { DECISION_WORDS } from './journal.ts';
import { HEADER_WORDS, INFO_DIRTY, INFO_HAS_ROOT, type TraceTable, WORD_INFO } from './trace-table.ts';

export const MESSAGE_FACTS = 1;
export const MESSAGE_VERDICTS = 2;
export const MESSAGE_FENCE = 3;
export const MESSAGE_HEAD_WORDS = 2;
/** Words of the largest message. */
export const MESSAGE_WORDS_MAX = 16_384;
/** Holders of a trace are bits of WORD_INFO from here on. */
const HOLDERS_SHIFT = 8;
assert(HOLDERS_SHIFT + HOLDING_WORKERS_MAX <= 32, 'holders do not fit into a word');

/** Lists of one other worker. */
class Peer {
  /** Sequence numbers of records with facts that the other worker, their owner, does not have yet. */
  dirty: number[] = [];
  /** Verdicts by how far their journal entry is: made, being written, on disk. */
  made = new DecisionLog();
  writing = new DecisionLog();
  ready = new DecisionLog();
  owesFence = true;
}

export class Exchange {
  readonly worker: number;
  readonly #peers: readonly Peer[];
  readonly #factWords: number;
  /** Other workers whose facts of an earlier start are not here yet. */
  #fencesLeft: number;

  constructor(worker: number, workers: number, stateWords: number) {
    this.worker = worker;
    this.#peers = Array.from({ length: workers }, () => new Peer());
    this.#factWords = 5 + stateWords;
    this.#fencesLeft = workers - 1;
  }

  /** Until then decisions would be made on a part of what is known. */
  get isComplete(): boolean {
    return this.#fencesLeft === 0;
  }

  fenceCame(): void {
    this.#fencesLeft--;
  }

  /** The same in every worker and at every start. */
  ownerOf(words: Uint32Array, at: number): number {
    let hash = Math.imul(words[at]! ^ words[at + 2]!, 0x9e3779b1) ^ Math.imul(words[at + 3]!, 0x85ebca77);
    hash ^= hash >>> 15;
    return ((hash ^ words[at + 1]!) >>> 0) % this.#peers.length;
  }

  /** Notes that the record has facts for its owner. */
  touch(owner: number, sequence: number): void {
    this.#peers[owner]!.dirty.push(sequence);
  }

  /** Remembers in WORD_INFO that a worker holds spans of the trace. */
  addHolder(words: Uint32Array, base: number, worker: number): void {
    words[base + WORD_INFO]! |= 1 << (HOLDERS_SHIFT + worker);
  }

  /** A decision of this worker, for whoever holds spans of the trace. */
  decided(words: Uint32Array, base: number, verdict: number): void {
    const holders = words[base + WORD_INFO]! >>> HOLDERS_SHIFT;
    if (holders === 0) return;
    for (let peer = 0; peer < this.#peers.length; peer++)
      if ((holders & (1 << peer)) !== 0) this.#peers[peer]!.made.add(words, base, verdict);
  }

  /** The verdict of a trace that was decided, and journaled, before this worker said that it holds spans of it. */
  answer(peer: number, words: Uint32Array, base: number, verdict: number): void {
    this.#peers[peer]!.ready.add(words, base, verdict);
  }

  /** What is decided up to now goes into the journal entry of the present step. */
  journalBegun(): void {
    for (const { made, writing } of this.#peers) writing.moveFrom(made);
  }

  /** That entry is on disk. */
  journalFlushed(): void {
    for (const { writing, ready } of this.#peers) ready.moveFrom(writing);
  }

  /**
   * The next message for another worker; undefined when there is nothing to say. The caller delivers it.
   * @param isRestored everything of an earlier start was noted.
   */
  next(to: number, table: TraceTable, isRestored: boolean): Uint32Array | undefined {
    const peer = this.#peers[to]!;
    if (peer.dirty.length > 0) return this.#facts(peer, table);
    if (isRestored && peer.owesFence) {
      peer.owesFence = false;
      return Uint32Array.of(MESSAGE_FENCE, 0);
    }
    return peer.ready.count > 0 ? verdicts(peer.ready) : undefined;
  }

  #facts(peer: Peer, table: TraceTable): Uint32Array {
    const { words, strideWords } = table;
    const countMax = Math.floor((MESSAGE_WORDS_MAX - MESSAGE_HEAD_WORDS) / this.#factWords);
    const sequences = peer.dirty.splice(0, countMax);
    const message = new Uint32Array(MESSAGE_HEAD_WORDS + sequences.length * this.#factWords);
    let at = MESSAGE_HEAD_WORDS;
    for (const sequence of sequences) {
      // Forgotten meanwhile: it was decided without them.
      if (sequence < table.oldest) continue;
      const base = table.slotOf(sequence) * strideWords;
      message.set(words.subarray(base, base + 4), at);
      message[at + 4] = words[base + WORD_INFO]! & INFO_HAS_ROOT;
      message.set(words.subarray(base + HEADER_WORDS, base + strideWords), at + 5);
      words.fill(0, base + HEADER_WORDS, base + strideWords);
      words[base + WORD_INFO]! &= ~INFO_DIRTY;
      at += this.#factWords;
    }
    message[0] = MESSAGE_FACTS;
    message[1] = (at - MESSAGE_HEAD_WORDS) / this.#factWords;
    return message.subarray(0, at);
  }
}

function verdicts(ready: DecisionLog): Uint32Array {
  const count = Math.min(ready.count, Math.floor((MESSAGE_WORDS_MAX - MESSAGE_HEAD_WORDS) / DECISION_WORDS));
  const message = new Uint32Array(MESSAGE_HEAD_WORDS + count * DECISION_WORDS);
  message[0] = MESSAGE_VERDICTS;
  message[1] = count;
  message.set(ready.words.subarray(0, count * DECISION_WORDS), MESSAGE_HEAD_WORDS);
  ready.dropFirst(count);
  return message;
}
