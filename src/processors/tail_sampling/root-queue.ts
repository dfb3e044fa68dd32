/** Traces whose root span came, in the order in which it did: a ring of sequence numbers. */
import { assert } from '../../stdx/assert.ts';

export class RootQueue {
  readonly #sequences: Float64Array;
  /** Count of all that were taken out. */
  first = 0;
  /** Count of all that were put in. */
  end = 0;

  /** @param capacity most that wait at once. */
  constructor(capacity: number) {
    this.#sequences = new Float64Array(capacity);
  }

  /** A trace that finds no room waits for its decision as if its root had not come. */
  push(sequence: number): void {
    if (this.end - this.first === this.#sequences.length) return;
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
