import type { ComponentSettings, Logger } from '../../../component/settings.ts';
import { OttlCursor } from '../../../ottl/cursor.ts';
import type { RequestIndex } from '../../../pdata/request-index.ts';
import type { Clock } from '../../../stdx/clock.ts';
import type { TailSamplingConfig } from '../config.ts';
import {
  type PolicySet,
  VERDICT_DROPPED,
  VERDICT_NONE,
  VERDICT_NOT_SAMPLED,
  VERDICT_SAMPLED,
  type Verdict,
} from '../policy-set.ts';
import { FactLayout } from './fact-layout.ts';
import {
  type Policy,
  type TraceFacts,
  VOTE_DROPPED,
  VOTE_ERROR,
  VOTE_INVERT_NOT_SAMPLED,
  VOTE_INVERT_SAMPLED,
  VOTE_NOT_SAMPLED,
  VOTE_SAMPLED,
  type Vote,
} from './policy.ts';
import type { PolicyCompiler } from './policy-compiler.ts';
import { PolicyCounters } from './policy-counters.ts';
import { policyType } from './policy-types.ts';
import { SpanFacts } from './span-facts.ts';
import { TraceStateTest } from './trace-state.ts';

/** One trace of so many is timed, and its times stand for all of them: reading a clock costs more than a vote. */
const TIMED_EVERY = 256;
const NO_WORD = -1;

/** A set that can say which policy was behind its last verdict. */
export interface ExplainedPolicySet extends PolicySet {
  /** Of the policies, in the order in which they are asked. */
  readonly names: readonly string[];
  /**
   * Number in `names` of the policy that made the last verdict: the first that sampled the trace, or that dropped it.
   * -1 when none did, which is so for what is not sampled and for traces that are too large.
   */
  decidedBy(): number;
}

/**
 * @param config passed the configuration check.
 * @param deciderCount sets of this configuration that decide side by side, in other workers: each lets its part of
 * every rate through. What a rate may save up stays whole, as it bounds the size of a single trace.
 */
export function compilePolicySet(
  config: TailSamplingConfig,
  settings: ComponentSettings,
  deciderCount = 1,
): ExplainedPolicySet {
  const layout = new FactLayout();
  const compiler = policyCompiler(layout, config, settings, deciderCount);
  // Whatever else is said, a drop decides: those are asked first.
  const isDrop = ({ type }: { type: string }) => type === 'drop';
  const configs = [...config.policies.filter(isDrop), ...config.policies.filter((each) => !isDrop(each))];
  const policies = configs.map((each) => compiler.compile(each));
  layout.needSpanCount();
  if (config.maximumTraceSizeBytes > 0 || config.countsBytes) layout.needSize();
  const facts = new SpanFacts(layout, config.decisionWaitAfterRootMs > 0, config.maximumTraceSizeBytes);
  const counters = new PolicyCounters(
    settings,
    configs.map(({ name }) => name),
    config.countsBytes,
  );
  return new CompiledPolicySet(facts, layout.needSpanCount(), policies, counters, settings, {
    sizeWord: config.countsBytes ? layout.needSize() : NO_WORD,
    names: configs.map(({ name }) => name),
    dropCount: configs.filter(isDrop).length,
    samplesOnFirstMatch: config.samplesOnFirstMatch,
    decidesAtIngest: config.samplingStrategy === 'span-ingest',
  });
}

function policyCompiler(
  layout: FactLayout,
  { usesOldInversion }: TailSamplingConfig,
  settings: ComponentSettings,
  deciderCount: number,
): PolicyCompiler {
  let cursor: OttlCursor | undefined;
  const compiler: PolicyCompiler = {
    settings,
    deciderCount,
    usesOldInversion,
    attributeAtom: (key, identity, makeTest) => layout.attributeAtom(key, identity, makeTest),
    statusAtom: (code) => layout.statusAtom(code),
    sampledFlagAtom: () => layout.sampledFlagAtom(),
    traceStateAtom: (key, values) =>
      layout.traceStateAtom(JSON.stringify([key, values]), () => new TraceStateTest(key, values)),
    spanCountWord: () => layout.needSpanCount(),
    timesWord: () => layout.needTimes(),
    sizeWord: () => layout.needSize(),
    gather: (identity, wordCount, makeGatherer) => layout.gather(identity, wordCount, makeGatherer),
    ottlCursor: () => {
      cursor ??= new OttlCursor();
      return cursor;
    },
    compile: ({ type, block }) => policyType(type).compile(block, compiler),
  };
  return compiler;
}

interface DecisionRules {
  /** Where the bytes of a trace are, for who counts them; else NO_WORD. */
  sizeWord: number;
  /** Of the policies. */
  names: readonly string[];
  /** The first so many policies are `drop`s. */
  dropCount: number;
  samplesOnFirstMatch: boolean;
  decidesAtIngest: boolean;
}

class CompiledPolicySet implements ExplainedPolicySet {
  readonly stateWords: number;
  readonly #facts: SpanFacts;
  readonly #spanCountWord: number;
  readonly #policies: readonly Policy[];
  readonly #counters: PolicyCounters;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #rules: DecisionRules;
  readonly #trace: TraceFacts;
  /** Votes on the present trace, by the number of their policy. */
  readonly #votes: Uint8Array;
  #voteCount = 0;
  #lastVerdict: Verdict = VERDICT_NONE;
  #untilTimed = 0;

  constructor(
    facts: SpanFacts,
    spanCountWord: number,
    policies: readonly Policy[],
    counters: PolicyCounters,
    { clock, logger }: ComponentSettings,
    rules: DecisionRules,
  ) {
    this.stateWords = facts.stateWords;
    this.#facts = facts;
    this.#spanCountWord = spanCountWord;
    this.#policies = policies;
    this.#counters = counters;
    this.#clock = clock;
    this.#logger = logger;
    this.#rules = rules;
    const none = new Uint32Array(0);
    this.#trace = { ids: none, idAt: 0, words: none, at: 0, nowMs: 0 };
    this.#votes = new Uint8Array(policies.length);
  }

  get names(): readonly string[] {
    return this.#rules.names;
  }

  decidedBy(): number {
    let inverted = -1;
    for (let policy = 0; policy < this.#voteCount; policy++) {
      const vote = this.#votes[policy]!;
      if (vote === VOTE_DROPPED) return policy;
      if (vote === VOTE_SAMPLED && this.#lastVerdict === VERDICT_SAMPLED) return policy;
      if (vote === VOTE_INVERT_SAMPLED && inverted < 0) inverted = policy;
    }
    return this.#lastVerdict === VERDICT_SAMPLED ? inverted : -1;
  }

  begin(bytes: Uint8Array, index: RequestIndex): void {
    this.#facts.begin(bytes, index);
  }

  observe(item: number, words: Uint32Array, at: number): number {
    return this.#facts.observe(item, words, at);
  }

  merge(words: Uint32Array, at: number, from: Uint32Array, fromAt: number): void {
    this.#facts.merge(words, at, from, fromAt);
  }

  decide(ids: Uint32Array, idAt: number, words: Uint32Array, at: number, nowMs: number): Verdict {
    this.#voteCount = 0;
    if (this.#isTooLarge(words, at)) return VERDICT_DROPPED;
    const verdict = this.#decide(ids, idAt, words, at, nowMs);
    this.#lastVerdict = verdict;
    this.#counters.addVerdict(verdict);
    return verdict;
  }

  decideEarly(ids: Uint32Array, idAt: number, words: Uint32Array, at: number, nowMs: number): Verdict {
    this.#voteCount = 0;
    if (this.#isTooLarge(words, at)) return VERDICT_DROPPED;
    const verdict = this.#askEarly(ids, idAt, words, at, nowMs);
    this.#lastVerdict = verdict;
    if (verdict !== VERDICT_NONE) this.#counters.addVerdict(verdict);
    return verdict;
  }

  report(): void {
    this.#counters.report();
  }

  /** Such a trace is dropped without a vote, and counts as no decision of the policies. */
  #isTooLarge(words: Uint32Array, at: number): boolean {
    if (!this.#facts.isTooLarge(words, at)) return false;
    this.#lastVerdict = VERDICT_DROPPED;
    this.#counters.addTooLarge();
    return true;
  }

  #decide(ids: Uint32Array, idAt: number, words: Uint32Array, at: number, nowMs: number): Verdict {
    // What the spans did not suffice for while they came is not sampled.
    if (this.#rules.decidesAtIngest) return VERDICT_NOT_SAMPLED;
    this.#begin(ids, idAt, words, at, nowMs);
    const isTimed = this.#untilTimed === 0;
    this.#untilTimed = isTimed ? TIMED_EVERY - 1 : this.#untilTimed - 1;
    let votes = 0;
    for (let policy = 0; policy < this.#policies.length; policy++) {
      const vote = isTimed ? this.#askTimed(policy) : this.#ask(policy);
      votes |= 1 << vote;
      if (vote === VOTE_DROPPED || (vote === VOTE_SAMPLED && this.#rules.samplesOnFirstMatch)) break;
    }
    this.#count();
    return verdictOf(votes);
  }

  #askEarly(ids: Uint32Array, idAt: number, words: Uint32Array, at: number, nowMs: number): Verdict {
    const { dropCount } = this.#rules;
    this.#begin(ids, idAt, words, at, nowMs);
    for (let policy = 0; policy < this.#policies.length; policy++) {
      // A drop that has not matched yet may still do so, and nothing may be sampled before.
      if (policy === dropCount && dropCount > 0) return VERDICT_NONE;
      const vote = this.#ask(policy);
      if (vote !== VOTE_DROPPED && vote !== VOTE_SAMPLED) continue;
      this.#count();
      return vote === VOTE_DROPPED ? VERDICT_DROPPED : VERDICT_SAMPLED;
    }
    return VERDICT_NONE;
  }

  #begin(ids: Uint32Array, idAt: number, words: Uint32Array, at: number, nowMs: number): void {
    const trace = this.#trace;
    trace.ids = ids;
    trace.idAt = idAt;
    trace.words = words;
    trace.at = at;
    trace.nowMs = nowMs;
    this.#voteCount = 0;
  }

  /** A policy that fails in an unexpected way has no say, as one that fails in an expected way. */
  #ask(policy: number): Vote {
    let vote: Vote = VOTE_ERROR;
    try {
      vote = this.#policies[policy]!.vote(this.#trace);
    } catch (error) {
      const name = this.#rules.names[policy];
      this.#logger.warn('a sampling policy failed', { policy: name, error: String(error) });
    }
    this.#votes[policy] = vote;
    this.#voteCount = policy + 1;
    return vote;
  }

  #askTimed(policy: number): Vote {
    const startMs = this.#clock.monotonicMs();
    const vote = this.#ask(policy);
    this.#counters.addTime(policy, (this.#clock.monotonicMs() - startMs) * 1000 * TIMED_EVERY);
    return vote;
  }

  #count(): void {
    const { words, at } = this.#trace;
    const { sizeWord } = this.#rules;
    const spanCount = words[at + this.#spanCountWord]!;
    const sizeBytes = sizeWord === NO_WORD ? 0 : words[at + sizeWord]!;
    for (let policy = 0; policy < this.#voteCount; policy++) {
      this.#counters.addVote(policy, this.#votes[policy] as Vote, spanCount, sizeBytes);
    }
  }
}

/** The ranks of votes: a drop, the old veto, a sample, the old sample that nobody contradicts. */
function verdictOf(votes: number): Verdict {
  const has = (vote: Vote) => (votes & (1 << vote)) !== 0;
  if (has(VOTE_DROPPED)) return VERDICT_DROPPED;
  if (has(VOTE_INVERT_NOT_SAMPLED)) return VERDICT_NOT_SAMPLED;
  if (has(VOTE_SAMPLED)) return VERDICT_SAMPLED;
  return has(VOTE_INVERT_SAMPLED) && !has(VOTE_NOT_SAMPLED) ? VERDICT_SAMPLED : VERDICT_NOT_SAMPLED;
}
