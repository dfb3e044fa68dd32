import { PipelineError } from '../../component/errors.ts';
import type { ProcessorFactory } from '../../component/factory.ts';
import { type TailSamplingConfig, tailSamplingConfigSchema } from './config.ts';

/** `tail_sampling`: keeps spans on disk until their trace is decided, and lets whole traces go on. */
export const tailSamplingProcessorFactory: ProcessorFactory<TailSamplingConfig> = {
  kind: 'processor',
  type: 'tail_sampling',
  stability: { traces: 'alpha' },
  configSchema: tailSamplingConfigSchema,
  create: () => {
    throw new PipelineError('INTERNAL', 'tail_sampling holds traces back and is no stage of a chain', {
      permanent: true,
    });
  },
  createHolding: async (settings, config, { worker, workers }) => {
    const [{ TraceSampler }, { compilePolicySet }, { SamplerMetrics }, { Prng }] = await Promise.all([
      import('./trace-sampler.ts'),
      import('./policies/compile-policy-set.ts'),
      import('./sampler-metrics.ts'),
      import('../../stdx/prng.ts'),
    ]);
    return new TraceSampler({
      decisionWaitMs: config.decisionWaitMs,
      decisionWaitAfterRootMs: config.decisionWaitAfterRootMs,
      numTraces: config.numTraces,
      blocksOnOverflow: config.blocksOnOverflow,
      dropsPendingOnShutdown: config.dropsPendingOnShutdown,
      sampledCacheSize: config.sampledCacheSize,
      nonSampledCacheSize: config.nonSampledCacheSize,
      decidesAtIngest: config.samplingStrategy === 'span-ingest',
      worker,
      workers,
      policies: compilePolicySet(config, settings, workers),
      metrics: new SamplerMetrics(settings.meter, settings.id),
      clock: settings.clock,
      seed: new Prng(settings.clock.monotonicMs() * 1000).nextUint32(),
    });
  },
};
