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
    this.#reserve(at + DECISION_WORDS);
    const { words } = this;
    words[at] = ids[idAt]!;
    words[at + 1] = ids[idAt + 1]!;
    words[at + 2] = ids[idAt + 2]!;
    words[at + 3] = ids[idAt + 3]!;
    words[at + 4] = verdict;
    this.count++;
  }

  /** Appends all of another log, which is empty afterwards. */
  moveFrom(other: DecisionLog): void {
    const at = this.count * DECISION_WORDS;
    const wordCount = other.count * DECISION_WORDS;
    this.#reserve(at + wordCount);
    this.words.set(other.words.subarray(0, wordCount), at);
    this.count += other.count;
    other.clear();
  }

  #reserve(wordCount: number): void {
    if (wordCount <= this.words.length) return;
    const wider = new Uint32Array(Math.max(this.words.length * 2, wordCount));
    wider.set(this.words);
    this.words = wider;
  }

  dropFirst(count: number): void {
    this.words.copyWithin(0, count * DECISION_WORDS, this.count * DECISION_WORDS);
    this.count -= count;
  }

  clear(): void {
    this.count = 0;
  }
}
