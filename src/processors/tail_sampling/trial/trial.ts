/** A dry run of one or two configurations of `tail_sampling`; see component/sampling-trial.ts. */
import {
  OUTCOME_SAMPLED_EARLIER,
  type SamplingTrial,
  type TrialOptions,
  type TrialResult,
} from '../../../component/sampling-trial.ts';
import type { ComponentSettings, Counter, Meter } from '../../../component/settings.ts';
import type { RequestIndex } from '../../../pdata/request-index.ts';
import type { TailSamplingConfig } from '../config.ts';
import { compilePolicySet } from '../policies/compile-policy-set.ts';
import { SamplerMetrics } from '../sampler-metrics.ts';
import { ServiceNames } from './service-names.ts';
import { TrialComparison } from './trial-comparison.ts';
import { ROW_FACTS, SECTION_HEAD_WORDS, TrialRows } from './trial-rows.ts';
import { TrialShard } from './trial-shard.ts';
import { TrialTally } from './trial-tally.ts';

/** Independent parts that decisions are made in, when nothing ties them together. */
const SHARDS = 8;
/** With fewer traces at a time the shares of `num_traces` would differ too much from the whole. */
const NUM_TRACES_SHARED_MIN = 16_384;
const TABLE_SEED = 0x51ed_270b;
const TWO_POW_32 = 0x1_0000_0000;
/** Policies that count what they let through. */
const RATE_TYPES: readonly unknown[] = ['rate_limiting', 'bytes_limiting', 'composite', 'dynamic'];

interface Side {
  config: TailSamplingConfig;
  shards: TrialShard[];
  tally: TrialTally;
  metrics: SamplerMetrics;
  errors: number;
}

/** @param settings the meter is not used. */
export function createTrial(
  settings: ComponentSettings,
  configs: readonly TailSamplingConfig[],
  options: TrialOptions,
): SamplingTrial {
  return new TailSamplingTrial(settings, configs, options);
}

class TailSamplingTrial implements SamplingTrial {
  readonly #options: TrialOptions;
  readonly #services = new ServiceNames();
  readonly #rows: TrialRows;
  readonly #sides: Side[];
  readonly #comparisons: TrialComparison[] = [];
  /** Of all owners. */
  readonly #shards: number;
  #nowMs = 0;
  #firstMs = 0;

  constructor(settings: ComponentSettings, configs: readonly TailSamplingConfig[], options: TrialOptions) {
    this.#options = options;
    this.#shards = configs.every(isDivisible) ? SHARDS : 1;
    this.#sides = configs.map((config) => {
      const side: Side = {
        config,
        shards: [],
        tally: new TrialTally(options.examplesMax),
        metrics: new SamplerMetrics(
          countingMeter(() => {}),
          settings.id,
        ),
        errors: 0,
      };
      return side;
    });
    const gathering = configs.map((config) =>
      compilePolicySet(withRoots(config), { ...settings, meter: countingMeter(() => {}) }),
    );
    this.#rows = new TrialRows(gathering, this.#services, this.#shards, options.owners);
    for (let shard = options.owner; shard < this.#shards; shard += options.owners) this.#addShard(settings);
  }

  #addShard(settings: ComponentSettings): void {
    const numTracesMax = Math.max(...this.#sides.map(({ config }) => this.#numTraces(config)));
    const isKept = (side: number, outcome: number) => this.#isKept(side, outcome);
    const comparison =
      this.#sides.length > 1
        ? new TrialComparison(numTracesMax * 4 + SHARDS * 4096, TABLE_SEED, this.#options.examplesMax, isKept)
        : undefined;
    if (comparison !== undefined) this.#comparisons.push(comparison);
    let factsInRow = ROW_FACTS;
    for (const [index, side] of this.#sides.entries()) {
      const meter = countingMeter((errors) => {
        side.errors += errors;
      });
      const policies = compilePolicySet(withRoots(side.config), { ...settings, meter });
      const names = side.config.policies.map(({ name }) => name);
      side.shards.push(
        new TrialShard({
          side: index,
          settings: {
            decisionWaitMs: side.config.decisionWaitMs,
            decisionWaitAfterRootMs: side.config.decisionWaitAfterRootMs,
            numTraces: this.#numTraces(side.config),
            blocksOnOverflow: false,
            dropsPendingOnShutdown: false,
            decidesAtIngest: side.config.samplingStrategy === 'span-ingest',
            sampledCacheSize: Math.ceil(side.config.sampledCacheSize / this.#shards),
            nonSampledCacheSize: Math.ceil(side.config.nonSampledCacheSize / this.#shards),
            seed: TABLE_SEED,
            clock: settings.clock,
          },
          ...{ metrics: side.metrics, policies, factsInRow, tally: side.tally, comparison },
          configOrder: policies.names.map((name) => names.indexOf(name)),
        }),
      );
      factsInRow += policies.stateWords;
    }
  }

  #numTraces({ numTraces }: TailSamplingConfig): number {
    return Math.ceil(numTraces / this.#shards);
  }

  #isKept(side: number, outcome: number): boolean {
    const { policies } = this.#sides[side]!.config;
    const policy = policies[outcome];
    return policy === undefined
      ? outcome === policies.length + OUTCOME_SAMPLED_EARLIER
      : policy.type !== 'drop';
  }

  gather(bytes: Uint8Array, index: RequestIndex): void {
    this.#rows.gather(bytes, index);
  }

  endSection(arrivedUnixMs: number, sizeBytes: number): void {
    this.#rows.endSection(arrivedUnixMs, sizeBytes);
  }

  take(owner: number): Uint32Array {
    return this.#rows.take(owner);
  }

  apply(words: Uint32Array): void {
    const { rowWords } = this.#rows;
    const ownShards = this.#sides[0]!.shards.length;
    for (let at = 0; at < words.length; ) {
      const arrivedMs = words[at]! * TWO_POW_32 + words[at + 1]!;
      const sizeBytes = words[at + 2]!;
      at += SECTION_HEAD_WORDS;
      this.#nowMs = Math.max(this.#nowMs, arrivedMs);
      const isWanted = this.#nowMs >= this.#options.sinceUnixMs;
      if (isWanted && this.#firstMs === 0) this.#firstMs = this.#nowMs;
      for (let shard = 0; shard < ownShards; shard++) {
        const count = words[at]!;
        at++;
        if (isWanted) this.#applyTo(shard, words, at, count, sizeBytes);
        at += count * rowWords;
      }
    }
    this.#rows.reuse(words);
  }

  #applyTo(shard: number, words: Uint32Array, at: number, count: number, sizeBytes: number): void {
    const { rowWords } = this.#rows;
    for (const side of this.#sides) {
      const part = side.shards[shard]!;
      part.advance(this.#nowMs);
      part.add(words, at, count, rowWords, this.#nowMs, sizeBytes);
    }
  }

  finish(): TrialResult {
    for (const { shards } of this.#sides) for (const shard of shards) shard.finish();
    return {
      sides: this.#sides.map(({ tally, shards, metrics, errors }) => ({
        cells: tally.list(),
        decidedEarly: metrics.droppedTooEarly,
        lateSpans: shards.reduce((sum, shard) => sum + shard.lateSpans, 0),
        errors,
      })),
      pairs: this.#comparisons.flatMap((comparison) => comparison.finish()),
      services: this.#services.list(),
      firstUnixMs: this.#firstMs,
      lastUnixMs: this.#firstMs === 0 ? 0 : this.#nowMs,
    };
  }
}

/** Root spans tell the service of a trace, whether or not decisions depend on them. */
function withRoots(config: TailSamplingConfig): TailSamplingConfig {
  return { ...config, decisionWaitAfterRootMs: config.decisionWaitAfterRootMs || 1 };
}

/** Whether traces can be decided apart from each other, as the one decider of the engine would decide them. */
function isDivisible({ policies, numTraces }: TailSamplingConfig): boolean {
  return numTraces >= NUM_TRACES_SHARED_MIN && !hasRate(policies);
}

function hasRate(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasRate);
  if (typeof value !== 'object' || value === null) return false;
  return RATE_TYPES.includes((value as { type?: unknown }).type) || Object.values(value).some(hasRate);
}

/** Series of a trial are nobody's; only failures of policies are worth knowing. */
function countingMeter(onErrors: (count: number) => void): Meter {
  const nothing = { add: () => {}, set: () => {}, record: () => {} };
  const errors: Counter = { add: onErrors };
  return {
    counter: (name) => (name.endsWith('_sampling_policy_evaluation_error') ? errors : nothing),
    gauge: () => nothing,
    latency: () => nothing,
    histogram: () => nothing,
  };
}
