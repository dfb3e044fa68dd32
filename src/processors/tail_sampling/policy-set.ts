/**
 * Contract between the index of live traces, which keeps one record of fixed size for each, and the policies, which
 * decide what such a record has to hold and what follows from it.
 */
import type { RequestIndex } from '../../pdata/request-index.ts';

/** The trace is not decided yet. */
export const VERDICT_NONE = 0;
export const VERDICT_SAMPLED = 1;
export const VERDICT_NOT_SAMPLED = 2;
/** Not sampled by a `drop` policy or because of its size; counted apart. */
export const VERDICT_DROPPED = 3;
export type Verdict =
  | typeof VERDICT_NONE
  | typeof VERDICT_SAMPLED
  | typeof VERDICT_NOT_SAMPLED
  | typeof VERDICT_DROPPED;

/** Flags that `observe` returns. */
export const OBSERVED_ROOT = 1;
/** The trace is larger than `maximum_trace_size_bytes` allows. */
export const OBSERVED_TOO_LARGE = 2;

/**
 * Compiled policies of one processor in one worker. Facts about a trace are gathered span by span into words that
 * the caller keeps; gathering is commutative and associative, so neither the order of arrival nor the number of
 * workers changes them. Not re-entrant.
 */
export interface PolicySet {
  /** u32 words of facts a trace; zeroed by the caller before the first span. */
  readonly stateWords: number;
  /** Starts on another scanned ExportTraceServiceRequest; nothing of it is kept behind the next `begin`. */
  begin(bytes: Uint8Array, index: RequestIndex): void;
  /**
   * Adds span `item` of the request to the facts words[at, at + stateWords).
   * @returns OBSERVED_* flags.
   */
  observe(item: number, words: Uint32Array, at: number): number;
  /** Adds the facts that another worker gathered about the same trace. */
  merge(words: Uint32Array, at: number, from: Uint32Array, fromAt: number): void;
  /**
   * Asks every policy. Policies with a rate count what they let through, so that a trace must be decided once.
   * @param ids holds the 16-byte trace id as four big-endian words at `idAt`.
   * @param nowMs wall clock or virtual time, never going back.
   */
  decide(ids: Uint32Array, idAt: number, words: Uint32Array, at: number, nowMs: number): Verdict;
  /**
   * `sampling_strategy: span-ingest`: VERDICT_SAMPLED or VERDICT_DROPPED when the spans so far suffice for it,
   * otherwise VERDICT_NONE.
   */
  decideEarly(ids: Uint32Array, idAt: number, words: Uint32Array, at: number, nowMs: number): Verdict;
  /** Adds what was counted since the last call to the series of the meter; call it once per batch of decisions. */
  report(): void;
}
