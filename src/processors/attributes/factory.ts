import type { ProcessorFactory } from '../../component/factory.ts';
import { clientKeysOf } from '../helper/action-config.ts';
import { type AttributesConfig, attributesConfigSchema, attributesSignalIssues } from './config.ts';

/** `attributes`: edits attributes of spans, log records and data points. */
export const attributesProcessorFactory: ProcessorFactory<AttributesConfig> = {
  kind: 'processor',
  type: 'attributes',
  stability: { traces: 'alpha', metrics: 'alpha', logs: 'alpha' },
  configSchema: attributesConfigSchema,
  signalIssues: attributesSignalIssues,
  clientKeys: ({ actions }) => clientKeysOf(actions),
  create: async (_settings, config) => {
    const { AttributesProcessor } = await import('./attributes-processor.ts');
    return new AttributesProcessor(config);
  },
};
