/** `queue_size` in items or requests: how much may wait between the slowest cursor and the end of a log. */
import { assert } from '../../stdx/assert.ts';
import type { LogLimits } from './contract.ts';

const FIRST_SLOTS = 64;

/**
 * End ordinals of the newest requests that wait, in a ring that doubles up to the bound. Requests beyond the bound can
 * only come from an earlier start with a larger one; the newest alone are kept then, because the older ones are
 * finished before them and the log is full as long as these wait.
 */
class RequestRing {
  readonly #max: number;
  #ends: Float64Array;
  #head = 0;
  count = 0;

  constructor(max: number) {
    this.#max = max;
    this.#ends = new Float64Array(Math.min(FIRST_SLOTS, max));
  }

  get isFull(): boolean {
    return this.count >= this.#max;
  }

  push(endOrdinal: number): void {
    if (this.isFull) this.#dropOldest();
    if (this.count === this.#ends.length) this.#grow();
    this.#ends[(this.#head + this.count) % this.#ends.length] = endOrdinal;
    this.count++;
  }

  dropUpTo(releasedOrdinal: number): void {
    while (this.count > 0 && this.#ends[this.#head]! <= releasedOrdinal) this.#dropOldest();
  }

  #dropOldest(): void {
    this.#head = (this.#head + 1) % this.#ends.length;
    this.count--;
  }

  #grow(): void {
    const wider = new Float64Array(Math.min(this.#ends.length * 2, this.#max));
    for (let slot = 0; slot < this.count; slot++) {
      wider[slot] = this.#ends[(this.#head + slot) % this.#ends.length]!;
    }
    this.#ends = wider;
    this.#head = 0;
  }
}

/** Admission by number. One writer owns it; the work of an append is one comparison and one store. */
export class QueueBound {
  readonly #itemsMax: number;
  readonly #requests: RequestRing | undefined;

  /** @param waitingEnds end ordinals of requests that wait since an earlier start, ascending. */
  constructor(limits: LogLimits, waitingEnds: readonly number[] = []) {
    const { itemsMax = Number.POSITIVE_INFINITY, requestsMax } = limits;
    assert(requestsMax === undefined || requestsMax >= 1, 'a log takes at least one request');
    this.#itemsMax = itemsMax;
    this.#requests = requestsMax === undefined ? undefined : new RequestRing(requestsMax);
    for (const end of waitingEnds) this.#requests?.push(end);
  }

  get isUnlimited(): boolean {
    return this.#requests === undefined && this.#itemsMax === Number.POSITIVE_INFINITY;
  }

  /**
   * @param appended one past the last appended item.
   * @param released every cursor has passed the items before it; `appended` when nothing waits at all.
   */
  refusalOf(itemCount: number, appended: number, released: number): 'items' | 'requests' | undefined {
    if (appended - released + itemCount > this.#itemsMax) return 'items';
    if (this.#requests === undefined || !this.#requests.isFull) return undefined;
    this.#requests.dropUpTo(released);
    return this.#requests.isFull ? 'requests' : undefined;
  }

  /** A request was taken. @param endOrdinal one past its last item. */
  took(endOrdinal: number): void {
    this.#requests?.push(endOrdinal);
  }
}
