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
  /** By topic, one for each record batch of the plan, in its order. */
  tickets: Map<string, Ticket[]>;
}

/** Batches that are given up elsewhere leave their state behind; no delivery has as many under way. */
const STATES_MAX = 1024;

export class BatchStates {
  readonly #states = new Map<string, BatchState>();

  /** @param start for a batch that is new. */
  open(batchId: string, start: () => number): BatchState {
    const known = this.#states.get(batchId);
    const tickets = [...(known?.tickets.values() ?? [])].flat();
    // Nothing of it may have been written: it can be cut by what is known now.
    const isFresh = tickets.every((ticket) => !isBegun(ticket));
    if (known !== undefined && !isFresh) return known;
    const state: BatchState = { topics: new Map(), start: known?.start ?? start(), tickets: new Map() };
    this.#states.delete(batchId);
    this.#states.set(batchId, state);
    if (this.#states.size > STATES_MAX) {
      const [oldest] = this.#states.keys();
      this.#states.delete(oldest!);
    }
    return state;
  }

  /**
   * Topics of a batch that were made again with fewer partitions are cut anew: what was written into the old ones went
   * with them.
   * @returns those topics, and how many record batches had no partition any more.
   */
  cutAnew({ topics, tickets }: BatchState): { topic: string; count: number }[] {
    return [...tickets].flatMap(([topic, own]) => {
      const count = own.filter(({ isMissing }) => isMissing).length;
      if (count === 0) return [];
      topics.delete(topic);
      tickets.delete(topic);
      return [{ topic, count }];
    });
  }

  /** It is delivered, or comes in parts from here on. */
  close(batchId: string): void {
    this.#states.delete(batchId);
  }
}

function isBegun({ isWritten, stamp, isMissing }: Ticket): boolean {
  return isWritten || isMissing || stamp !== undefined;
}
