import type { ProcessorFactory } from '../../component/factory.ts';
import { type BatchConfig, batchConfigSchema } from './config.ts';

/**
 * `batch`: says how exporters of the pipeline cut batches when they read. Requests pass it unchanged, because what
 * is acknowledged must be on disk and not in a buffer.
 */
export const batchProcessorFactory: ProcessorFactory<BatchConfig> = {
  kind: 'processor',
  type: 'batch',
  stability: { traces: 'beta', metrics: 'beta', logs: 'beta' },
  configSchema: batchConfigSchema,
  create: ({ logger }) => ({
    start: async () => {
      logger.info(
        'batches are cut when exporters read: the keys of batch hold for exporters without their own',
      );
    },
    shutdown: async () => {},
    process: () => {},
  }),
  batching: ({ timeoutMs, sendBatchSize, sendBatchMaxSize }) => {
    const isAtOnce = timeoutMs === 0 || sendBatchSize === 0;
    return {
      flushTimeoutMs: Math.max(timeoutMs, 1),
      minSize: isAtOnce ? 1 : sendBatchSize,
      maxSize: sendBatchMaxSize,
    };
  },
};
