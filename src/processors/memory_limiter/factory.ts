import type { ProcessorFactory } from '../../component/factory.ts';
import { type MemoryLimiterConfig, memoryLimiterConfigSchema } from './config.ts';

/** `memory_limiter`: refuses requests retryably while the process holds too much memory. */
export const memoryLimiterProcessorFactory: ProcessorFactory<MemoryLimiterConfig> = {
  kind: 'processor',
  type: 'memory_limiter',
  stability: { traces: 'alpha', metrics: 'alpha', logs: 'alpha' },
  configSchema: memoryLimiterConfigSchema,
  create: async (settings, config, signal) => {
    const { MemoryLimiterProcessor } = await import('./memory-limiter-processor.ts');
    const { processMemory } = await import('./process-memory.ts');
    return new MemoryLimiterProcessor(settings, config, signal, processMemory);
  },
};
