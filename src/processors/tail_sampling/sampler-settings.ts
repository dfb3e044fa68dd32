/** What a sampler is built from. */
import type { Clock } from '../../stdx/clock.ts';
import type { PolicySet } from './policy-set.ts';
import type { SamplerMetrics } from './sampler-metrics.ts';

export interface SamplerSettings {
  decisionWaitMs: number;
  /** 0: off. */
  decisionWaitAfterRootMs: number;
  numTraces: number;
  blocksOnOverflow: boolean;
  dropsPendingOnShutdown: boolean;
  decidesAtIngest: boolean;
  /** Decisions that are remembered when their traces are gone. */
  sampledCacheSize: number;
  nonSampledCacheSize: number;
  /** Number of this worker among `workers`; 0 of 1 when absent. */
  worker?: number;
  /** Pipeline workers that share the traces; each decides about those that it owns. */
  workers?: number;
  policies: PolicySet;
  metrics: SamplerMetrics;
  /** Measures rounds of decisions. */
  clock: Pick<Clock, 'monotonicMs'>;
  /** For the hash of trace ids. */
  seed: number;
}
