import type { ProcessorFactory } from '../../component/factory.ts';
import { clientKeysOf } from '../helper/action-config.ts';
import { type ResourceConfig, resourceConfigSchema } from './config.ts';

/** `resource`: edits attributes of resources. */
export const resourceProcessorFactory: ProcessorFactory<ResourceConfig> = {
  kind: 'processor',
  type: 'resource',
  stability: { traces: 'alpha', metrics: 'alpha', logs: 'alpha' },
  configSchema: resourceConfigSchema,
  clientKeys: ({ attributes }) => clientKeysOf(attributes),
  create: async (_settings, config) => {
    const { ResourceProcessor } = await import('./resource-processor.ts');
    return new ResourceProcessor(config);
  },
};
