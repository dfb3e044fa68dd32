/** What a compiled policy answers about one trace, and what it may look at for it. */

/* Votes of the Collector; the two inverted ones exist with the old rules of `invert_match` only. */
/** It failed on this trace and has no say. */
export const VOTE_ERROR = 0;
export const VOTE_SAMPLED = 1;
export const VOTE_NOT_SAMPLED = 2;
export const VOTE_DROPPED = 3;
export const VOTE_INVERT_SAMPLED = 4;
export const VOTE_INVERT_NOT_SAMPLED = 5;
export type Vote =
  | typeof VOTE_ERROR
  | typeof VOTE_SAMPLED
  | typeof VOTE_NOT_SAMPLED
  | typeof VOTE_DROPPED
  | typeof VOTE_INVERT_SAMPLED
  | typeof VOTE_INVERT_NOT_SAMPLED;

/** The trace in question; one object for all traces of a policy set. */
export interface TraceFacts {
  /** Holds the trace id as four big-endian words at `idAt`. */
  ids: Uint32Array;
  idAt: number;
  /** Holds the facts from `at` on; the compiler gave out the offsets. */
  words: Uint32Array;
  at: number;
  nowMs: number;
}

/** Asked once a trace, in the order of the configuration; one with a rate counts what it lets through. */
export interface Policy {
  vote(trace: TraceFacts): Vote;
}

/** The vote of a question with two answers. */
export function voteOf(isSampled: boolean): Vote {
  return isSampled ? VOTE_SAMPLED : VOTE_NOT_SAMPLED;
}
