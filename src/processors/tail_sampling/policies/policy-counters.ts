/** What the policies of one processor decided, counted in typed arrays between two reports. */
import type { ComponentSettings, Counter, Labels } from '../../../component/settings.ts';
import { VERDICT_DROPPED, VERDICT_SAMPLED, type Verdict } from '../policy-set.ts';
import { VOTE_DROPPED, VOTE_ERROR, VOTE_INVERT_SAMPLED, VOTE_SAMPLED, type Vote } from './policy.ts';

const PREFIX = 'otelcol_processor_tail_sampling_';

/* Decisions as labels; the old votes of `invert_match` count as what they amount to. */
const SAMPLED = 0;
const NOT_SAMPLED = 1;
const DROPPED = 2;
const DECISIONS: readonly Labels[] = [
  { sampled: 'true', decision: 'sampled' },
  { sampled: 'false', decision: 'not_sampled' },
  { sampled: 'false', decision: 'dropped' },
];

export class PolicyCounters {
  /** By policy and decision. */
  readonly #traces: Float64Array;
  readonly #spans: Float64Array;
  readonly #bytes: Float64Array;
  readonly #executions: Float64Array;
  readonly #executionUs: Float64Array;
  /** By decision. */
  readonly #global = new Float64Array(DECISIONS.length);
  readonly #tooLarge = new Float64Array(1);
  #errors = 0;
  readonly #report: (readonly [counts: Float64Array, at: number, counter: () => Counter])[] = [];
  readonly #errorCounter: Counter;

  /**
   * @param names of the policies, in the order of their numbers.
   * @param countsBytes whether votes come with bytes.
   */
  constructor({ id, meter }: ComponentSettings, names: readonly string[], countsBytes: boolean) {
    this.#traces = new Float64Array(names.length * DECISIONS.length);
    this.#spans = new Float64Array(names.length * DECISIONS.length);
    this.#bytes = new Float64Array(names.length * DECISIONS.length);
    this.#executions = new Float64Array(names.length);
    this.#executionUs = new Float64Array(names.length);
    this.#errorCounter = meter.counter(`${PREFIX}sampling_policy_evaluation_error`, { processor: id });
    const slash = id.indexOf('/');
    const instance = slash < 0 ? '' : `${id.slice(slash + 1).trim()}.`;
    const add = (counts: Float64Array, at: number, name: string, labels: Labels) => {
      // A series appears with its first count.
      this.#report.push([counts, at, () => meter.counter(`${PREFIX}${name}`, { processor: id, ...labels })]);
    };
    add(this.#tooLarge, 0, 'traces_dropped_too_large', {});
    for (const [decision, labels] of DECISIONS.entries()) {
      add(this.#global, decision, 'global_count_traces_sampled', labels);
    }
    for (const [index, name] of names.entries()) {
      const policy = `${instance}${name}`;
      for (const [decision, labels] of DECISIONS.entries()) {
        const at = index * DECISIONS.length + decision;
        add(this.#traces, at, 'count_traces_sampled', { policy, ...labels });
        add(this.#spans, at, 'count_spans_sampled', { policy, ...labels });
        if (countsBytes) add(this.#bytes, at, 'count_bytes_sampled', { policy, ...labels });
      }
      add(this.#executions, index, 'sampling_policy_execution_count', { policy });
      add(this.#executionUs, index, 'sampling_policy_execution_time_sum', { policy });
    }
  }

  addVote(policy: number, vote: Vote, spanCount: number, sizeBytes: number): void {
    this.#executions[policy]!++;
    if (vote === VOTE_ERROR) {
      this.#errors++;
      return;
    }
    const at = policy * DECISIONS.length + decisionOf(vote);
    this.#traces[at]!++;
    this.#spans[at]! += spanCount;
    this.#bytes[at]! += sizeBytes;
  }

  addTime(policy: number, us: number): void {
    this.#executionUs[policy]! += us;
  }

  addTooLarge(): void {
    this.#tooLarge[0]!++;
  }

  addVerdict(verdict: Verdict): void {
    const decision =
      verdict === VERDICT_SAMPLED ? SAMPLED : verdict === VERDICT_DROPPED ? DROPPED : NOT_SAMPLED;
    this.#global[decision]!++;
  }

  report(): void {
    for (const [counts, at, counter] of this.#report) {
      const count = Math.floor(counts[at]!);
      if (count === 0) continue;
      counter().add(count);
      counts[at]! -= count;
    }
    this.#errorCounter.add(this.#errors);
    this.#errors = 0;
  }
}

function decisionOf(vote: Vote): number {
  if (vote === VOTE_SAMPLED || vote === VOTE_INVERT_SAMPLED) return SAMPLED;
  if (vote === VOTE_DROPPED) return DROPPED;
  return NOT_SAMPLED;
}
