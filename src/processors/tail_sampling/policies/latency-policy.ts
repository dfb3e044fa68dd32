import { count } from '../../../config/field-kinds.ts';
import { defineShape } from '../../../config/schema.ts';
import { type Policy, type TraceFacts, type Vote, voteOf } from './policy.ts';
import type { PolicyType } from './policy-type.ts';

export interface LatencyBlock {
  thresholdMs: number;
  /** 0: no bound. */
  upperThresholdMs: number;
}

export const latencyPolicy: PolicyType<'latency', LatencyBlock> = {
  type: 'latency',
  doc: 'The trace takes longer than a threshold, from the earliest start to the latest end of its spans.',
  isNestable: true,
  block: defineShape<LatencyBlock>(
    {
      thresholdMs: count('threshold_ms', {
        default: 0,
        doc: 'Whole milliseconds that the trace has to exceed.',
      }),
      upperThresholdMs: count('upper_threshold_ms', {
        default: 0,
        doc: 'Whole milliseconds that it must not exceed; 0: no bound.',
      }),
    },
    ({ thresholdMs, upperThresholdMs }) =>
      upperThresholdMs === 0 || upperThresholdMs > thresholdMs
        ? []
        : [{ key: 'upper_threshold_ms', message: 'must be 0 or more than threshold_ms' }],
  ),
  needsWholeTrace: ({ upperThresholdMs }) => upperThresholdMs > 0,
  compile: (block, compiler) => new LatencyPolicy(block, compiler.timesWord()),
};

class LatencyPolicy implements Policy {
  readonly #thresholdMs: number;
  readonly #upperThresholdMs: number;
  readonly #timesWord: number;

  constructor({ thresholdMs, upperThresholdMs }: LatencyBlock, timesWord: number) {
    this.#thresholdMs = thresholdMs;
    this.#upperThresholdMs = upperThresholdMs === 0 ? Number.POSITIVE_INFINITY : upperThresholdMs;
    this.#timesWord = timesWord;
  }

  vote({ words, at }: TraceFacts): Vote {
    const takenMs = wholeMs(words, at + this.#timesWord);
    return voteOf(takenMs > this.#thresholdMs && takenMs <= this.#upperThresholdMs);
  }
}

const TWO_TO_32 = 2 ** 32;
/** Go's durations end there. */
const TAKEN_MS_MAX = 9_223_372_036_854;

/** Whole milliseconds from the earliest start to the latest end, exact; -1 when the end comes before the start. */
export function wholeMs(words: Uint32Array, at: number): number {
  // Times count as signed, as in the Collector; the differences of the words are exact in doubles.
  let high = (words[at + 2]! | 0) - (words[at]! | 0);
  let low = words[at + 3]! - words[at + 1]!;
  if (low < 0) {
    high--;
    low += TWO_TO_32;
  }
  if (high < 0) return -1;
  // 2^32 is 4294 millions and 967296, so neither part of the division leaves the whole numbers of a double.
  const takenMs = high * 4294 + Math.floor((high * 967_296 + low) / 1e6);
  return Math.min(takenMs, TAKEN_MS_MAX);
}
