/** How many requests a second may go to a backend that has begun to refuse some because they are too many. */

/** What is left of the rate after a refusal, and how it comes back: the figures of CUBIC (RFC 9438). */
const FALL = 0.7;
/** It never falls below this part of itself at once, however little was taken lately. */
const FALL_LEAST = 0.5;
/** Time until the rate is back where it was refused, and requests that should fit in, where they are rare. */
const RETURN_MS_MIN = 10_000;
const RETURN_MS_MAX = 20_000;
const RETURN_REQUESTS = 10;
/** Without a refusal for so many times that, the rate is a multiple of what was refused: there is no limit any more. */
const CALM_RETURNS = 6;
const WINDOW_SECONDS = 8;
/** Fewer refusals among the requests of the window are what a store does now and then: they limit nothing. */
const BEGIN_SHARE = 0.05;
const PAUSES_MAX = 16;

export interface RateBounds {
  /** Where the rate begins at least, requests a second. */
  entry: number;
  /** What it does not fall below. */
  floor: number;
  /** The same while nothing is taken at all: a backend that is busy with itself says nothing about a rate. */
  pauseFloor: number;
}

export class ThrottleRate {
  readonly #bounds: RateBounds;
  readonly #taken = new SecondsWindow();
  readonly #refused = new SecondsWindow();
  /** What was too much, requests a second; 0: nothing so far. */
  #peak = 0;
  #returnMs = RETURN_MS_MIN;
  #fellMs = 0;
  #hasTakenSince = false;
  /** Refusals in a row with nothing taken in between: each halves the rate, and each that is taken doubles it again. */
  #pauses = 0;

  constructor(bounds: RateBounds) {
    this.#bounds = bounds;
  }

  noteTaken(nowMs: number): void {
    this.#taken.add(nowMs);
    this.#hasTakenSince = true;
    if (this.#pauses > 0) this.#pauses -= 1;
  }

  /** @returns whether that happens so often that a limit has to begin. */
  noteRefused(nowMs: number): boolean {
    this.#refused.add(nowMs);
    const refused = this.#refused.sum(nowMs);
    return refused > BEGIN_SHARE * (refused + this.#taken.sum(nowMs));
  }

  /** Meaningless before the first `fall`. */
  perSecond(nowMs: number): number {
    const x = Math.max(nowMs - this.#fellMs, 0) / this.#returnMs - 1;
    const grown = this.#peak * (1 + (1 - FALL) * x ** 3);
    return Math.max(grown / 2 ** this.#pauses, Math.min(grown, this.#bounds.pauseFloor));
  }

  /**
   * A request was refused that was sent at the newest rate.
   * @param isFirst nothing limited the requests so far: what was taken says how many are allowed.
   */
  fall(nowMs: number, isFirst: boolean): void {
    if (isFirst || this.#hasTakenSince) this.#lower(nowMs, isFirst);
    else this.#pauses = Math.min(this.#pauses + 1, PAUSES_MAX);
    this.#fellMs = nowMs;
  }

  #lower(nowMs: number, isFirst: boolean): void {
    const taken = this.#taken.perSecond(nowMs);
    const { entry, floor } = this.#bounds;
    const now = isFirst ? Math.max(taken, entry) : this.perSecond(nowMs);
    const peak = isFirst ? now : Math.max(Math.min(now, taken), now * FALL_LEAST);
    this.#peak = Math.max(peak, floor / FALL);
    this.#returnMs = Math.min(Math.max((1000 * RETURN_REQUESTS) / this.#peak, RETURN_MS_MIN), RETURN_MS_MAX);
    this.#hasTakenSince = false;
    this.#pauses = 0;
  }

  /** Nothing is sent until then: the rate grows from there on. */
  hold(untilMs: number): void {
    this.#fellMs = Math.max(this.#fellMs, untilMs);
  }

  /** When the limit ends, unless another request is refused. */
  get calmAtMs(): number {
    return this.#fellMs + CALM_RETURNS * this.#returnMs;
  }
}

/** Counts of the last seconds. */
class SecondsWindow {
  readonly #counts = new Uint32Array(WINDOW_SECONDS);
  #second = 0;

  add(nowMs: number): void {
    this.#advance(nowMs);
    this.#counts[this.#second % WINDOW_SECONDS]! += 1;
  }

  sum(nowMs: number): number {
    this.#advance(nowMs);
    return this.#counts.reduce((total, count) => total + count, 0);
  }

  /** Of a second, or of the whole window where there are few; a burst may make it too much, never too little. */
  perSecond(nowMs: number): number {
    const mean = this.sum(nowMs) / WINDOW_SECONDS;
    const newest = this.#counts[this.#second % WINDOW_SECONDS]!;
    const before = this.#counts[(this.#second + WINDOW_SECONDS - 1) % WINDOW_SECONDS]!;
    return Math.max(newest, before, mean);
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) return;
    const from = Math.max(this.#second + 1, second - WINDOW_SECONDS + 1);
    for (let each = from; each <= second; each++) this.#counts[each % WINDOW_SECONDS] = 0;
    this.#second = second;
  }
}
