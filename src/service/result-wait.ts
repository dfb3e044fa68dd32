/**
 * `sending_queue.wait_for_result`: answers that are held back until exporters are done with what was stored. The data
 * is on disk before the wait begins, so whatever ends it, nothing is lost: at worst the sender comes again.
 */
import {
  OUTCOME_OK,
  OUTCOME_UNAVAILABLE,
  type RequestDone,
  type RequestOutcome,
} from '../component/consumer.ts';
import type { SharedWords } from '../queue/log/shared-words.ts';

/** Answers that wait; beyond them requests are refused retryably. */
export const RESULTS_MAX = 8192;
const LOOK_MS = 5;
const RETRY_AFTER_MS = 1000;

/** Position of an exporter in a log. */
export interface AwaitedCursor {
  words: SharedWords;
  slot: number;
}

interface Held {
  cursors: readonly AwaitedCursor[];
  /** For each cursor: the items of the request end here, or earlier. */
  ends: readonly number[];
  /** For each cursor: how often items had been given up when the request came; theirs is one of the later ones. */
  givenUpBefore: readonly number[];
  outcome: RequestOutcome;
  done: RequestDone;
}

export class ResultWait {
  #held: Held[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isEnded = false;

  get count(): number {
    return this.#held.length;
  }

  get isFull(): boolean {
    return this.#held.length >= RESULTS_MAX;
  }

  /**
   * To be given to the engine in place of the receiver's own. Which worker stores the request, and where, is not told:
   * the ends of all logs that it may be in are behind it, and so are a few requests of others.
   */
  wrap(cursors: readonly AwaitedCursor[], done: RequestDone): RequestDone {
    const givenUpBefore = cursors.map(({ words, slot }) => words.givenUpCount(slot));
    return (outcome) => {
      if (outcome.code !== OUTCOME_OK || outcome.itemCount === 0) return done(outcome);
      if (this.#isEnded) return done(undelivered(outcome, 'the engine stops before it was delivered'));
      const ends = cursors.map(({ words }) => words.flushedEnd);
      this.#held.push({ cursors, givenUpBefore, ends, outcome, done });
      this.#timer ??= setInterval(() => this.look(), LOOK_MS);
    };
  }

  look(): void {
    const held: Held[] = [];
    for (const each of this.#held) {
      if (!each.cursors.every(({ words, slot }, index) => words.releasedOrdinal(slot) >= each.ends[index]!))
        held.push(each);
      else each.done(resultOf(each));
    }
    this.#held = held;
    if (held.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Nobody waits from now on: who does is told to come again. */
  end(): void {
    this.#isEnded = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const { outcome, done } of this.#held.splice(0))
      done(undelivered(outcome, 'the engine stops before it was delivered'));
  }
}

/** Whose items were given up is not known: everybody who waited then comes again. */
function resultOf({ cursors, givenUpBefore, outcome }: Held): RequestOutcome {
  const isGivenUp = cursors.some(
    ({ words, slot }, index) => words.givenUpCount(slot) !== givenUpBefore[index],
  );
  return isGivenUp ? undelivered(outcome, 'an exporter gave up sending it') : outcome;
}

function undelivered({ itemCount }: RequestOutcome, message: string): RequestOutcome {
  return {
    ...{ code: OUTCOME_UNAVAILABLE, itemCount, rejectedCount: 0 },
    ...{ message, retryAfterMs: RETRY_AFTER_MS },
  };
}
