import type { ProcessorFactory } from '../../component/factory.ts';
import { BatchProcessor, partitionOf } from './batch-processor.ts';
import { type BatchConfig, batchConfigSchema } from './config.ts';

/** `batch`: says how exporters of the pipeline cut batches when they read. */
export const batchProcessorFactory: ProcessorFactory<BatchConfig> = {
  kind: 'processor',
  type: 'batch',
  stability: { traces: 'beta', metrics: 'beta', logs: 'beta' },
  configSchema: batchConfigSchema,
  create: (settings, config) => new BatchProcessor(settings, config),
  clientKeys: (config) => partitionOf(config) ?? { address: false, metadata: [], auth: [] },
  batching: (config) => {
    const { timeoutMs, sendBatchSize, sendBatchMaxSize } = config;
    const isAtOnce = timeoutMs === 0 || sendBatchSize === 0;
    const partition = partitionOf(config);
    return {
      flushTimeoutMs: Math.max(timeoutMs, 1),
      minSize: isAtOnce ? 1 : sendBatchSize,
      maxSize: sendBatchMaxSize,
      ...(partition === undefined ? {} : { partition }),
    };
  },
};
