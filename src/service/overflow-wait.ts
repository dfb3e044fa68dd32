/**
 * `sending_queue.block_on_overflow`: requests that found no room in the log wait for it on the main thread, bounded by
 * count, bytes and time. They wait beside the rings, not in them: pipelines with room go on.
 */
import {
  OUTCOME_UNAVAILABLE,
  type RawRequest,
  type RequestConsumer,
  type RequestDone,
  type RequestOutcome,
} from '../component/consumer.ts';
import type { Clock } from '../stdx/clock.ts';
import {
  heldBytes,
  WAITING_BYTES_MAX,
  WAITING_COUNT_MAX,
  WAITING_MS_MAX,
  withOwnBody,
} from './waiting-room.ts';

/** What pipeline workers say when a log has no room. */
export const QUEUE_FULL_MESSAGE = 'the queue on disk is full';
const LOOK_MS = 20;
/** Requests that are tried at once; one while there is no room, more from success to success. */
const TRIES_MAX = 64;
const RETRY_AFTER_MS = 1000;

interface Waiting {
  next: RequestConsumer;
  request: RawRequest;
  done: RequestDone;
  deadlineMs: number;
}

export class OverflowWait {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #waiting: Waiting[] = [];
  #tries = 0;
  #triesMax = 1;
  /** Of requests that wait or are being tried, each with a copy of its body. */
  #sizeBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isEnded = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** As `RequestConsumer.tryConsume`, of a request that may wait. */
  tryConsume(next: RequestConsumer, request: RawRequest, done: RequestDone): boolean {
    const hasBytes = this.#sizeBytes + heldBytes(request) <= WAITING_BYTES_MAX;
    if (this.#isEnded || !hasBytes || this.#waiting.length >= WAITING_COUNT_MAX)
      return this.#waiting.length === 0 && next.tryConsume(request, done);
    const deadlineMs = this.#clock.monotonicMs() + WAITING_MS_MAX;
    // Copied before it is known whether it has to wait: behind the call the receiver uses the memory again.
    const waiting: Waiting = { next, request: withOwnBody(request), done, deadlineMs };
    this.#sizeBytes += heldBytes(request);
    if (this.#waiting.length > 0 || !this.#try(waiting)) this.#wait(waiting, false);
    return true;
  }

  /** Nobody waits from now on: who does is told to come again. */
  end(): void {
    this.#isEnded = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const waiting of this.#waiting.splice(0)) this.#answer(waiting, full());
  }

  look(): void {
    const nowMs = this.#clock.monotonicMs();
    while (this.#waiting[0] !== undefined && this.#waiting[0].deadlineMs <= nowMs)
      this.#answer(this.#waiting.shift()!, full());
    this.#tryWaiting();
    if (this.#waiting.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tryWaiting(): void {
    while (this.#tries < this.#triesMax) {
      const first = this.#waiting.shift();
      if (first === undefined) return;
      if (this.#try(first)) continue;
      this.#waiting.unshift(first);
      return;
    }
  }

  /** False when the ring has no room. */
  #try(waiting: Waiting): boolean {
    this.#tries += 1;
    const isTaken = waiting.next.tryConsume(waiting.request, (outcome) => {
      this.#tries -= 1;
      if (!isOverflow(outcome)) {
        this.#triesMax = Math.min(this.#triesMax * 2, TRIES_MAX);
        this.#answer(waiting, outcome);
        this.#tryWaiting();
      } else {
        this.#triesMax = 1;
        if (this.#isEnded || waiting.deadlineMs <= this.#clock.monotonicMs()) this.#answer(waiting, outcome);
        else this.#wait(waiting, true);
      }
    });
    if (!isTaken) this.#tries -= 1;
    return isTaken;
  }

  #wait(waiting: Waiting, isFirst: boolean): void {
    if (isFirst) this.#waiting.unshift(waiting);
    else this.#waiting.push(waiting);
    this.#timer ??= setInterval(() => this.look(), LOOK_MS);
  }

  #answer({ request, done }: Waiting, outcome: RequestOutcome): void {
    this.#sizeBytes -= heldBytes(request);
    done(outcome);
  }
}

function isOverflow({ code, message }: RequestOutcome): boolean {
  return code === OUTCOME_UNAVAILABLE && message === QUEUE_FULL_MESSAGE;
}

function full(): RequestOutcome {
  return {
    ...{ code: OUTCOME_UNAVAILABLE, itemCount: 0, rejectedCount: 0 },
    ...{ message: QUEUE_FULL_MESSAGE, retryAfterMs: RETRY_AFTER_MS },
  } as const;
}
