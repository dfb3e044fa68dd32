/**
 * Requests that wait on the main thread while the data path behind their receiver is exchanged. Bounded by count,
 * bytes and time; shared by the gates of all receivers, so that the bounds hold for the process.
 */
import { OUTCOME_UNAVAILABLE, type RawRequest, type RequestDone } from '../component/consumer.ts';
import type { Clock } from '../stdx/clock.ts';

/** As many as may be unanswered in one pipeline worker. */
export const WAITING_COUNT_MAX = 8192;
export const WAITING_BYTES_MAX = 64 << 20;
/** The Collector's exporters wait five seconds for an answer: one that comes later has nobody to go to. */
export const WAITING_MS_MAX = 4_500;
/** Between two looks at who has waited too long, and at a ring that had no room. */
const LOOK_MS = 10;
const RETRY_AFTER_MS = 1000;

interface Waiting {
  request: RawRequest;
  done: RequestDone;
  deadlineMs: number;
  owner: WaitingRoomOwner;
}

export interface WaitingRoomOwner {
  /** Hands a request that waited on. False while that is not possible yet; it is asked again then. */
  tryRelease(request: RawRequest, done: RequestDone): boolean;
}

export class WaitingRoom {
  readonly #clock: Clock;
  /** In the order of their arrival; those before `#first` are gone. */
  #queue: Waiting[] = [];
  #first = 0;
  #sizeBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#queue.length - this.#first;
  }

  /** Copies the request. False when there is no room: `done` is never called then. */
  tryEnter(owner: WaitingRoomOwner, request: RawRequest, done: RequestDone): boolean {
    if (this.count >= WAITING_COUNT_MAX || this.#sizeBytes + heldBytes(request) > WAITING_BYTES_MAX)
      return false;
    const deadlineMs = this.#clock.monotonicMs() + WAITING_MS_MAX;
    this.#queue.push({ request: withOwnBody(request), done, deadlineMs, owner });
    this.#sizeBytes += heldBytes(request);
    this.#timer ??= setInterval(() => this.look(), LOOK_MS);
    return true;
  }

  /**
   * Lets go who may go, oldest first, and answers who has waited too long. Whoever cannot go yet keeps those behind
   * it waiting, so that nobody is overtaken.
   */
  look(): void {
    const nowMs = this.#clock.monotonicMs();
    for (let waiting = this.#queue[this.#first]; waiting !== undefined; waiting = this.#queue[this.#first]) {
      const { owner, request, done, deadlineMs } = waiting;
      if (!owner.tryRelease(request, done)) {
        if (deadlineMs > nowMs) break;
        refuse(done);
      }
      this.#first += 1;
      this.#sizeBytes -= heldBytes(request);
    }
    if (this.#first * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first);
      this.#first = 0;
    }
    if (this.count > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Answers everybody retryably. */
  refuseAll(): void {
    const waiting = this.#queue.slice(this.#first);
    this.#queue = [];
    this.#first = 0;
    this.#sizeBytes = 0;
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const { done } of waiting) refuse(done);
  }
}

/** What a request that is kept takes: its body, and what goes with it of its client. */
export function heldBytes({ sizeBytes, context }: RawRequest): number {
  return sizeBytes + (context?.byteLength ?? 0);
}

/** The same request in memory of its own, so that it may be kept. */
export function withOwnBody(request: RawRequest): RawRequest {
  const body = new Uint8Array(request.sizeBytes);
  let offset = 0;
  for (const chunk of request.chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return { ...request, chunks: [body] };
}

export function refuse(done: RequestDone): void {
  done({
    code: OUTCOME_UNAVAILABLE,
    itemCount: 0,
    rejectedCount: 0,
    message: 'the configuration is being exchanged',
    retryAfterMs: RETRY_AFTER_MS,
  });
}
