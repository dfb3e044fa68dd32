import type { ProcessorFactory } from '../../component/factory.ts';
import { type FilterConfig, filterConfigSchema } from './config.ts';

/** `filter`: drops spans, metrics and log records by their properties. */
export const filterProcessorFactory: ProcessorFactory<FilterConfig> = {
  kind: 'processor',
  type: 'filter',
  stability: { traces: 'alpha', metrics: 'alpha', logs: 'alpha' },
  configSchema: filterConfigSchema,
  create: async (settings, config, signal) => {
    const { FilterProcessor } = await import('./filter-processor.ts');
    return new FilterProcessor(settings, config, signal);
  },
};
