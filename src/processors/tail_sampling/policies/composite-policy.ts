import {
  type Policy,
  type TraceFacts,
  VOTE_ERROR,
  VOTE_INVERT_SAMPLED,
  VOTE_NOT_SAMPLED,
  VOTE_SAMPLED,
  type Vote,
} from './policy.ts';

export interface Share {
  policy: Policy;
  spansPerSecond: number;
}

/** The first policy that would sample decides: sampled within its allowance of this second, otherwise not. */
export class CompositePolicy implements Policy {
  readonly #spanCountWord: number;
  readonly #shares: readonly Share[];
  /** Spans that each let through in this second. */
  readonly #sampledSpans: Float64Array;
  #second = Number.NEGATIVE_INFINITY;

  constructor(spanCountWord: number, shares: readonly Share[]) {
    this.#spanCountWord = spanCountWord;
    this.#shares = shares;
    this.#sampledSpans = new Float64Array(shares.length);
  }

  vote(trace: TraceFacts): Vote {
    const second = Math.floor(trace.nowMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#sampledSpans.fill(0);
    }
    for (const [index, { policy, spansPerSecond }] of this.#shares.entries()) {
      const vote = policy.vote(trace);
      if (vote === VOTE_ERROR) return VOTE_ERROR;
      if (vote !== VOTE_SAMPLED && vote !== VOTE_INVERT_SAMPLED) continue;
      // A trace that does not fit leaves the room for a smaller one.
      const sampledSpans = this.#sampledSpans[index]! + trace.words[trace.at + this.#spanCountWord]!;
      if (sampledSpans > spansPerSecond) return VOTE_NOT_SAMPLED;
      this.#sampledSpans[index] = sampledSpans;
      return VOTE_SAMPLED;
    }
    return VOTE_NOT_SAMPLED;
  }
}
