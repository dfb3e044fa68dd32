/** Policies that let a bounded amount through each second. */
import { count } from '../../../config/field-kinds.ts';
import { defineShape } from '../../../config/schema.ts';
import { type Policy, type TraceFacts, type Vote, voteOf } from './policy.ts';
import type { PolicyType } from './policy-type.ts';

export interface RateLimitingBlock {
  spansPerSecond: number;
  /** 0: twice the rate. */
  burstCapacity: number;
}

export interface BytesLimitingBlock {
  bytesPerSecond: number;
  /** 0: twice the rate. */
  burstCapacity: number;
}

const BURST_DOC = 'saved up at most, which is also the largest trace that passes; 0: twice the rate.';

export const rateLimitingPolicy: PolicyType<'rate_limiting', RateLimitingBlock> = {
  type: 'rate_limiting',
  doc: 'Traces up to a number of spans a second.',
  isNestable: true,
  block: defineShape<RateLimitingBlock>({
    spansPerSecond: count('spans_per_second', { required: true, doc: 'Spans that pass each second.' }),
    burstCapacity: count('burst_capacity', { default: 0, doc: `Spans ${BURST_DOC}` }),
  }),
  needsWholeTrace: () => true,
  compile: ({ spansPerSecond, burstCapacity }, compiler) =>
    new BucketPolicy(
      compiler.spanCountWord(),
      spansPerSecond / compiler.deciderCount,
      burstCapacity || spansPerSecond * 2,
    ),
};

export const bytesLimitingPolicy: PolicyType<'bytes_limiting', BytesLimitingBlock> = {
  type: 'bytes_limiting',
  doc: 'Traces up to a number of bytes a second, measured as encoded spans.',
  isNestable: true,
  block: defineShape<BytesLimitingBlock>({
    bytesPerSecond: count('bytes_per_second', { required: true, doc: 'Bytes that pass each second.' }),
    burstCapacity: count('burst_capacity', { default: 0, doc: `Bytes ${BURST_DOC}` }),
  }),
  needsWholeTrace: () => true,
  compile: ({ bytesPerSecond, burstCapacity }, compiler) =>
    new BucketPolicy(
      compiler.sizeWord(),
      bytesPerSecond / compiler.deciderCount,
      burstCapacity || bytesPerSecond * 2,
    ),
};

/** A token bucket, full at first; a trace takes as many tokens as its word says, or none. */
class BucketPolicy implements Policy {
  readonly #word: number;
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #lastMs: number | undefined;

  constructor(word: number, perSecond: number, burst: number) {
    this.#word = word;
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
  }

  vote({ words, at, nowMs }: TraceFacts): Vote {
    const wanted = words[at + this.#word]!;
    const passedMs = Math.max(0, nowMs - (this.#lastMs ?? nowMs));
    this.#lastMs = nowMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + passedMs * this.#perMs);
    if (wanted > this.#tokens) return voteOf(false);
    this.#tokens -= wanted;
    return voteOf(true);
  }
}
