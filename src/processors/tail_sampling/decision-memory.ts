/**
 * Decisions that outlive their traces: `decision_cache`. Two sets of trace ids of fixed size, the oldest going first.
 *
 * They survive restarts by the journal: every decision is in it, and before the pending log gives up a stretch with
 * decisions in it, all that is remembered is written again, a slice with each step.
 */
import type { DecisionLog } from './decision-log.ts';
import { VERDICT_NONE, VERDICT_SAMPLED, type Verdict } from './policy-set.ts';
import { TraceTable, WORD_INFO } from './trace-table.ts';

/** Set in the verdict of a journaled decision that was made, and acted on, earlier. */
export const REMEMBERED = 16;
/** Decisions written again with one step. */
const SLICE = 4096;
/** Between the beginnings of two rounds. */
const ROUND_MS = 10_000;

export class DecisionMemory {
  readonly #sampled: TraceTable | undefined;
  readonly #others: TraceTable | undefined;
  /** Sequence numbers of the records to be written next in the present round. */
  #nextSampled = 0;
  #nextOther = 0;
  #isRound = false;
  #roundStartMs = Number.NEGATIVE_INFINITY;
  #roundStartOrdinal = 0;
  /** Everything that is remembered stands behind it. */
  #safeOrdinal = 0;

  /** @param sampledSize and @param otherSize in traces; 0: none. */
  constructor(sampledSize: number, otherSize: number, seed: number) {
    this.#sampled = sampledSize > 0 ? new TraceTable(sampledSize, 0, seed) : undefined;
    this.#others = otherSize > 0 ? new TraceTable(otherSize, 0, seed) : undefined;
  }

  get isEmpty(): boolean {
    return this.#sampled === undefined && this.#others === undefined;
  }

  /** @param idAt where the four words of the trace id begin. */
  add(ids: Uint32Array, idAt: number, verdict: Verdict): void {
    const table = verdict === VERDICT_SAMPLED ? this.#sampled : this.#others;
    if (table === undefined) return;
    if (table.find(ids[idAt]!, ids[idAt + 1]!, ids[idAt + 2]!, ids[idAt + 3]!) >= 0) return;
    if (table.free === 0) table.dropOldest();
    const slot = table.findOrAdd(ids[idAt]!, ids[idAt + 1]!, ids[idAt + 2]!, ids[idAt + 3]!);
    table.words[slot * table.strideWords + WORD_INFO] = verdict;
  }

  /** The decision about the trace whose id begins at `at`, or VERDICT_NONE. */
  find(bytes: Uint8Array, at: number): Verdict {
    return verdictIn(this.#sampled, bytes, at) || verdictIn(this.#others, bytes, at);
  }

  /**
   * Adds a slice of what is remembered to the decisions of a step.
   * @param ordinal end of the pending log.
   */
  write(decisions: DecisionLog, nowUnixMs: number, ordinal: number): void {
    if (this.isEmpty) return;
    if (!this.#isRound) {
      if (nowUnixMs - this.#roundStartMs < ROUND_MS) return;
      this.#isRound = true;
      this.#roundStartMs = nowUnixMs;
      this.#roundStartOrdinal = ordinal;
      this.#nextSampled = this.#sampled?.oldest ?? 0;
      this.#nextOther = this.#others?.oldest ?? 0;
    }
    this.#nextSampled = writeSlice(this.#sampled, this.#nextSampled, decisions);
    this.#nextOther = writeSlice(this.#others, this.#nextOther, decisions);
    const isOver = this.#nextSampled === endOf(this.#sampled) && this.#nextOther === endOf(this.#others);
    if (!isOver) return;
    this.#isRound = false;
    this.#safeOrdinal = this.#roundStartOrdinal;
  }

  /** How far the pending log may be released for the sake of what is remembered. */
  releasedOrdinal(wanted: number): number {
    return this.isEmpty ? wanted : Math.min(wanted, this.#safeOrdinal);
  }
}

function verdictIn(table: TraceTable | undefined, bytes: Uint8Array, at: number): Verdict {
  const slot = table === undefined ? -1 : table.findIn(bytes, at);
  return slot < 0 ? VERDICT_NONE : ((table!.words[slot * table!.strideWords + WORD_INFO]! & 3) as Verdict);
}

function endOf(table: TraceTable | undefined): number {
  return table?.next ?? 0;
}

/** @returns the sequence number behind the last record that was written. */
function writeSlice(table: TraceTable | undefined, from: number, decisions: DecisionLog): number {
  if (table === undefined) return 0;
  const start = Math.max(from, table.oldest);
  const end = Math.min(table.next, start + SLICE);
  for (let sequence = start; sequence < end; sequence++) {
    const base = table.slotOf(sequence) * table.strideWords;
    decisions.add(table.words, base, table.words[base + WORD_INFO]! | REMEMBERED);
  }
  return end;
}
