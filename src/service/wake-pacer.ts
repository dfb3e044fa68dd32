/**
 * When to wake a worker that sleeps. Waking it, flushing for one request and waking the main thread again cost several
 * times what the bytes of the request cost, so a worker is left asleep until a few requests have come, as long as the
 * next ones are expected soon by the pace of the last ones. Nobody is made to wait for what does not come: clients that
 * send only after their answer look like a pace and are not, so waits in vain end the waiting for a while.
 */

/** With three the fixed costs are a third; more would lengthen the wait and save little. */
const GROUP_REQUESTS = 3;
const WAIT_MS_MAX = 25;
/** Below it timers are too coarse, and requests come together without help. */
const WAIT_MS_MIN = 1;
/** How much later than the pace says the next request may come. */
const LATE_SHARE = 1.7;
const PACE_SHARE = 1 / 8;
/** So many waits in a row without the request that was waited for: the pace is no pace. */
const VAIN_MAX = 6;
const PAUSE_REQUESTS_FIRST = 64;
const PAUSE_REQUESTS_MAX = 4096;

export class WakePacer {
  /** Between requests, of the last ones. */
  #paceMs = Number.POSITIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;
  /** Requests since the last wake-up, and when the first of them came. */
  #count = 0;
  #firstMs = 0;
  #vainWaits = 0;
  #pauseRequests = PAUSE_REQUESTS_FIRST;
  #pausedRequests = 0;

  /**
   * A request came and the worker sleeps.
   * @returns milliseconds to wait for the next one, counted from now and in place of any wait before; 0: wake it.
   */
  arrived(nowMs: number): number {
    this.#learnPace(nowMs);
    if (this.#count === 0) this.#firstMs = nowMs;
    this.#count += 1;
    if (this.#count >= GROUP_REQUESTS) {
      this.#vainWaits = 0;
      this.#pauseRequests = PAUSE_REQUESTS_FIRST;
      return 0;
    }
    if (this.#pausedRequests > 0) {
      this.#pausedRequests -= 1;
      return 0;
    }
    const leftMs = this.#firstMs + WAIT_MS_MAX - nowMs;
    const waitMs = Math.min(this.#paceMs * LATE_SHARE, leftMs);
    // The first has to have room for one that is late; one that waits already is waited with as long as it takes.
    const roomMs = this.#count === 1 ? this.#paceMs * LATE_SHARE : this.#paceMs;
    return waitMs >= WAIT_MS_MIN && roomMs <= leftMs ? waitMs : 0;
  }

  /** The wait that `arrived` asked for is over and nothing came. */
  expired(): void {
    this.#vainWaits += 1;
    if (this.#vainWaits < VAIN_MAX) return;
    this.#vainWaits = 0;
    this.#pausedRequests = this.#pauseRequests;
    this.#pauseRequests = Math.min(this.#pauseRequests * 2, PAUSE_REQUESTS_MAX);
  }

  /** The worker was woken, or is awake and takes what came without it. */
  woken(): void {
    this.#count = 0;
  }

  #learnPace(nowMs: number): void {
    const elapsedMs = Math.min(nowMs - this.#lastMs, 2 * WAIT_MS_MAX);
    this.#lastMs = nowMs;
    if (this.#paceMs === Number.POSITIVE_INFINITY) this.#paceMs = elapsedMs;
    else this.#paceMs += (elapsedMs - this.#paceMs) * PACE_SHARE;
  }
}
