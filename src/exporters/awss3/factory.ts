import type { ExporterFactory } from '../../component/factory.ts';
import { type Awss3Config, awss3ConfigSchema } from './config.ts';

/** Exporter `awss3`: batches as objects of an S3 store, under the Collector's keys. */
export const awss3ExporterFactory: ExporterFactory<Awss3Config> = {
  kind: 'exporter',
  type: 'awss3',
  stability: { traces: 'alpha', logs: 'alpha', metrics: 'alpha' },
  configSchema: awss3ConfigSchema,
  create: async (settings, config, signal) => {
    const { createExporter } = await import('./create-exporter.ts');
    return createExporter(settings, config, signal);
  },
  delivery: (config) => ({ ...config.delivery, streamsBatches: true }),
};
