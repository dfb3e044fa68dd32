/** Finds the items of a refused batch that the backend will not take, by sending halves of what was refused. */
import type { PipelineError } from '../../component/errors.ts';

/** Items [from, to) of a batch. */
export interface ItemRange {
  from: number;
  to: number;
}

export interface FailedPart extends ItemRange {
  error: PipelineError;
}

/** `delivered` and `dropped` (given up for another reason, and counted) are both over; a refusal is the error. */
export type PartOutcome = 'delivered' | 'dropped' | 'stopped' | PipelineError;
export type TryPart = (range: ItemRange) => Promise<PartOutcome>;

export interface Isolation {
  /** What was refused for good: single items, or larger parts where the search was given up. */
  failed: FailedPart[];
  /** The engine stops: nothing of this counts, the whole batch comes again at the next start. */
  isStopped: boolean;
  /** Some part was delivered, so the backend does not refuse everything. */
  hasDelivered: boolean;
}

export interface SearchLimits {
  /** The backend refused all of the batch before: both halves refused again is enough to give up. */
  isHopeless: boolean;
}

/** Parts that one batch may be sent in before refused ones are no longer split. */
const ATTEMPTS_MAX = 256;
/** Refusals in a row beyond those on the way down to a single item. */
const STREAK_SLACK = 4;

class PoisonSearch {
  readonly failed: FailedPart[] = [];
  isStopped = false;
  hasDelivered = false;
  readonly #tryPart: TryPart;
  readonly #streakMax: number;
  /** Not tried yet; the next one last. */
  readonly #open: ItemRange[] = [];
  #streak = 0;
  #attempts = 0;

  constructor(itemCount: number, tryPart: TryPart) {
    this.#tryPart = tryPart;
    this.#streakMax = Math.ceil(Math.log2(itemCount)) + STREAK_SLACK;
  }

  /** The refusal, when there was one. */
  async attempt(range: ItemRange): Promise<PipelineError | undefined> {
    this.#attempts++;
    const outcome = await this.#tryPart(range);
    if (outcome === 'stopped') this.isStopped = true;
    else if (outcome === 'delivered') {
      this.hasDelivered = true;
      this.#streak = 0;
    } else if (outcome !== 'dropped') {
      this.#streak++;
      return outcome;
    }
    return undefined;
  }

  /** Goes on with a refused part: its halves come next, unless it cannot or must not be split. */
  refine(range: ItemRange, error: PipelineError): void {
    const isEnd = range.to - range.from === 1 || error.isIndivisible || this.#attempts >= ATTEMPTS_MAX;
    if (isEnd) this.failed.push({ ...range, error });
    else this.#open.push(...halves(range).reverse());
  }

  async finish(): Promise<void> {
    for (let range = this.#open.pop(); range !== undefined && !this.isStopped; range = this.#open.pop()) {
      const error = await this.attempt(range);
      if (error === undefined) continue;
      if (this.#streak < this.#streakMax) this.refine(range, error);
      else this.#giveUp(range, error);
    }
  }

  /** Nothing has gone through for so long that the rest is taken to be refused as well, without asking. */
  #giveUp(range: ItemRange, error: PipelineError): void {
    this.failed.push({ ...range, error }, ...this.#open.reverse().map((open) => ({ ...open, error })));
    this.#open.length = 0;
  }
}

function halves({ from, to }: ItemRange): ItemRange[] {
  const middle = (from + to) >> 1;
  return [
    { from, to: middle },
    { from: middle, to },
  ];
}

/**
 * About two attempts for each doubling of the batch and bad item, and bounded where everything is bad.
 *
 * @param error of the whole batch, which was tried before.
 * @param tryPart sends a part, with its own retries.
 */
export async function isolatePoison(
  itemCount: number,
  error: PipelineError,
  tryPart: TryPart,
  limits: SearchLimits,
): Promise<Isolation> {
  const search = new PoisonSearch(itemCount, tryPart);
  const whole = { from: 0, to: itemCount };
  if (itemCount <= 1 || error.isIndivisible) {
    search.failed.push({ ...whole, error });
    return search;
  }
  const refused: FailedPart[] = [];
  for (const half of halves(whole)) {
    const refusal = search.isStopped ? undefined : await search.attempt(half);
    if (refusal !== undefined) refused.push({ ...half, error: refusal });
  }
  if (refused.length === 2 && limits.isHopeless) search.failed.push(...refused);
  else {
    for (const part of refused.reverse()) search.refine(part, part.error);
    await search.finish();
  }
  return search;
}
