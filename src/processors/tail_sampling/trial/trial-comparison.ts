/** Traces of one shard with what two policy files decided about them. */
import type { TrialPair } from '../../../component/sampling-trial.ts';
import { HEADER_WORDS, TraceTable } from '../trace-table.ts';
import { TrialTally } from './trial-tally.ts';

/* Facts of a trace. Outcomes are stored plus one; 0: not decided. */
const SERVICE = 0;
const SPANS = 1;
const BYTES = 2;
const OUTCOME = 3;
const STATE_WORDS = 5;

/** Whether a side keeps the traces of an outcome. */
export type IsKept = (side: number, outcome: number) => boolean;

export class TrialComparison {
  readonly #table: TraceTable;
  readonly #tally: TrialTally;
  readonly #isKept: IsKept;

  /** @param capacity traces; more than both sides together can have undecided. */
  constructor(capacity: number, seed: number, examplesMax: number, isKept: IsKept) {
    this.#table = new TraceTable(capacity, STATE_WORDS, seed);
    this.#tally = new TrialTally(examplesMax);
    this.#isKept = isKept;
  }

  /** A decision of a side. A trace that comes again after it was forgotten counts once, as kept if any part is. */
  decided(side: number, outcome: number, ids: Uint32Array, idAt: number, service: number): void {
    const at = this.#factsOf(ids, idAt);
    const { words } = this.#table;
    const before = words[at + OUTCOME + side]! - 1;
    if (before < 0 || !this.#isKept(side, before)) words[at + OUTCOME + side] = outcome + 1;
    if (service > words[at + SERVICE]!) words[at + SERVICE] = service;
  }

  /** Spans of a trace, told by one of the sides. */
  addSpans(ids: Uint32Array, idAt: number, spans: number, bytes: number): void {
    const at = this.#factsOf(ids, idAt);
    this.#table.words[at + SPANS]! += spans;
    this.#table.words[at + BYTES]! += bytes;
  }

  #factsOf(ids: Uint32Array, idAt: number): number {
    const table = this.#table;
    let slot = table.findOrAdd(ids[idAt]!, ids[idAt + 1]!, ids[idAt + 2]!, ids[idAt + 3]!);
    if (slot < 0) {
      this.#forgetOldest();
      slot = table.findOrAdd(ids[idAt]!, ids[idAt + 1]!, ids[idAt + 2]!, ids[idAt + 3]!);
    }
    return slot * table.strideWords + HEADER_WORDS;
  }

  #forgetOldest(): void {
    const table = this.#table;
    const { words } = table;
    const base = table.slotOf(table.oldest) * table.strideWords;
    const at = base + HEADER_WORDS;
    // A trace that only one side has decided is as old as the whole table: the other does not know it any more.
    const outcomes = [words[at + OUTCOME]! - 1, words[at + OUTCOME + 1]! - 1] as const;
    if (outcomes[0] >= 0 && outcomes[1] >= 0) {
      const cell = this.#tally.cell(words[at + SERVICE]! & 0x7fff_ffff, outcomes[0], outcomes[1]);
      this.#tally.add(cell, words, base, words[at + SPANS]!, words[at + BYTES]!);
    }
    table.dropOldest();
  }

  finish(): TrialPair[] {
    while (this.#table.count > 0) this.#forgetOldest();
    return this.#tally.list();
  }
}
