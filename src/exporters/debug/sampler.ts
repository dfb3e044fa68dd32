import type { Clock } from '../../stdx/clock.ts';

const TICK_MS = 1_000;

/** Shows the first batches of each second, then one of a number. */
export class Sampler {
  readonly #clock: Clock;
  readonly #initial: number;
  readonly #thereafter: number;
  #tickStartMs = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** @param thereafter 0 shows none after the first ones. */
  constructor(clock: Clock, initial: number, thereafter: number) {
    this.#clock = clock;
    this.#initial = initial;
    this.#thereafter = thereafter;
  }

  /** Counts a batch; true when it is to be shown. */
  admits(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#tickStartMs >= TICK_MS) {
      this.#tickStartMs = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count <= this.#initial) return true;
    return this.#thereafter > 0 && (this.#count - this.#initial) % this.#thereafter === 0;
  }
}
