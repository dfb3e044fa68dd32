import type { ProcessorFactory } from '../../component/factory.ts';
import { type SamplerConfig, samplerConfigSchema } from './config.ts';

/** `probabilistic_sampler`: keeps a share of spans or log records by their randomness. */
export const probabilisticSamplerProcessorFactory: ProcessorFactory<SamplerConfig> = {
  kind: 'processor',
  type: 'probabilistic_sampler',
  stability: { traces: 'alpha', logs: 'alpha' },
  configSchema: samplerConfigSchema,
  create: async (settings, config, signal) => {
    const { ProbabilisticSampler } = await import('./probabilistic-sampler.ts');
    return new ProbabilisticSampler(settings, config, signal);
  },
};
