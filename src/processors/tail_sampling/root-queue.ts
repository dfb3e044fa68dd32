/** Traces whose root span came, in the order in which it did: a ring of sequence numbers. */
import { assert } from '../../stdx/assert.ts';

export class RootQueue {
  readonly #sequences: Float64Array;
  /** Count of all that were taken out. */
  first = 0;
  /** Count of all that were put in. */
  end = 0;

  /** @param capacity most that wait at once; a trace is in it at most once. */
  constructor(capacity: number) {
    this.#sequences = new Float64Array(capacity);
  }

  push(sequence: number): void {
    assert(this.end - this.first < this.#sequences.length, 'queue of roots is full');
    this.#sequences[this.end % this.#sequences.length] = sequence;
    this.end++;
  }

  shift(): number {
    assert(this.end > this.first, 'queue of roots is empty');
    const sequence = this.#sequences[this.first % this.#sequences.length]!;
    this.first++;
    return sequence;
  }
}
