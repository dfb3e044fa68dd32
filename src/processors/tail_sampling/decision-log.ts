/** Decisions since the last step, as the journal takes them. */
import { DECISION_WORDS } from './journal.ts';

const FIRST_CAPACITY = 1024;

export class DecisionLog {
  count = 0;
  /** DECISION_WORDS for each: the trace id, the verdict. */
  words = new Uint32Array(FIRST_CAPACITY * DECISION_WORDS);

  /** @param idAt where the four words of the trace id begin in `ids`. */
  add(ids: Uint32Array, idAt: number, verdict: number): void {
    const at = this.count * DECISION_WORDS;
    if (at === this.words.length) {
      const wider = new Uint32Array(this.words.length * 2);
      wider.set(this.words);
      this.words = wider;
    }
    const { words } = this;
    words[at] = ids[idAt]!;
    words[at + 1] = ids[idAt + 1]!;
    words[at + 2] = ids[idAt + 2]!;
    words[at + 3] = ids[idAt + 3]!;
    words[at + 4] = verdict;
    this.count++;
  }

  dropFirst(count: number): void {
    this.words.copyWithin(0, count * DECISION_WORDS, this.count * DECISION_WORDS);
    this.count -= count;
  }

  clear(): void {
    this.count = 0;
  }
}
