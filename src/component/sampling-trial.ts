/**
 * A dry run of sampling policies over recorded requests, with the time of the recording.
 *
 * Any number of workers share it. Each gathers what the spans of some requests say and hands it over as words; each
 * decides about the traces of the shards that it owns, from the words of all workers. Requests come in sections, each
 * with its own time of arrival; every owner gets all sections in their order, so that the number of workers changes
 * nothing.
 */
import type { RequestIndex } from '../pdata/request-index.ts';

export interface TrialOptions {
  /** Number of this worker among `owners`. */
  owner: number;
  owners: number;
  /** Trace ids that are kept as examples of each combination of service and outcome. */
  examplesMax: number;
  /** What arrived before is left out, ms since the epoch. */
  sinceUnixMs: number;
}

export interface SamplingTrial {
  /**
   * Takes a request that arrived in the present section. The bytes may be used again afterwards.
   * @param index of `bytes`, without rejected items.
   */
  gather(bytes: Uint8Array, index: RequestIndex): void;
  /**
   * Ends the section.
   * @param arrivedUnixMs when its requests arrived; less than before counts as the same.
   */
  endSection(arrivedUnixMs: number, sizeBytes: number): void;
  /**
   * What was gathered for an owner in the sections since the last call.
   * @returns words in the machine's byte order, in memory that is the caller's from now on.
   */
  take(owner: number): Uint32Array;
  /**
   * Words that some worker took for this one: all sections in their order, whoever gathered them. Their memory is given
   * back with them.
   */
  apply(words: Uint32Array): void;
  /** Nothing comes any more: decides about what is left. */
  finish(): TrialResult;
}

export interface TrialCounts {
  traces: number;
  spans: number;
  /** Of encoded spans. */
  bytes: number;
}

/**
 * What became of the traces of one service: the number of the policy that sampled (or dropped) them, or one of the
 * numbers behind the last policy.
 */
export type TrialOutcome = number;
/** Sampled by a decision that was remembered from an earlier part of the trace. */
export const OUTCOME_SAMPLED_EARLIER = 0;
export const OUTCOME_NOT_SAMPLED = 1;
/** Over `maximum_trace_size_bytes`. */
export const OUTCOME_TOO_LARGE = 2;
/** How many there are behind the policies. */
export const OUTCOMES = 3;

export interface TrialCell extends TrialCounts {
  /** Hash of the service's name. */
  service: number;
  outcome: TrialOutcome;
  /** Trace ids in hex. */
  examples: string[];
}

/** One policy file. */
export interface TrialSide {
  cells: TrialCell[];
  /** Traces that were decided before their time, because there were more than `num_traces`. */
  decidedEarly: number;
  /** Spans that came after the decision about their trace; they are counted with it. */
  lateSpans: number;
  /** Times a policy failed on a trace. */
  errors: number;
}

/** A trace with the outcomes in two policy files. */
export interface TrialPair extends TrialCell {
  otherOutcome: TrialOutcome;
}

export interface TrialResult {
  sides: TrialSide[];
  /** With two sides. */
  pairs: TrialPair[];
  /** Hash -> names; more than one in the rare case that they share it. */
  services: [hash: number, names: string[]][];
  /** First and last time of arrival; 0 when nothing arrived. */
  firstUnixMs: number;
  lastUnixMs: number;
}
