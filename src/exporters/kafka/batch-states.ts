/**
 * What is known of batches whose first attempt was not their last: how they were cut and which parts are written.
 * A batch comes again under its id with the same bytes, so the same cut gives the same records.
 */
import type { Ticket } from '../../kafka/producer-lane.ts';
import type { TopicPlan } from './batch-plan.ts';

export interface BatchState {
  topics: Map<string, TopicPlan>;
  /** Where records without a key begin. */
  start: number;
  /** One for each record batch of the plan, in its order. */
  tickets: Ticket[];
}

/** Batches that are given up elsewhere leave their state behind; no delivery has as many under way. */
const STATES_MAX = 1024;

export class BatchStates {
  readonly #states = new Map<string, BatchState>();

  /** @param start for a batch that is new. */
  open(batchId: string, start: () => number): BatchState {
    const known = this.#states.get(batchId);
    // Nothing of it may have been written: it can be cut by what is known now.
    if (known?.tickets.some(({ isWritten, stamp }) => isWritten || stamp !== undefined) === true)
      return known;
    const state = { topics: new Map(), start: known?.start ?? start(), tickets: [] };
    this.#states.delete(batchId);
    this.#states.set(batchId, state);
    if (this.#states.size > STATES_MAX) {
      const [oldest] = this.#states.keys();
      this.#states.delete(oldest!);
    }
    return state;
  }

  /** It is delivered, or comes in parts from here on. */
  close(batchId: string): void {
    this.#states.delete(batchId);
  }
}
