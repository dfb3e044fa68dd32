import type { ExporterFactory } from '../../component/factory.ts';
import { type DebugConfig, debugConfigSchema } from './config.ts';

/** `debug`: prints what arrives, as counts, as a line an item, or field by field. */
export const debugExporterFactory: ExporterFactory<DebugConfig> = {
  kind: 'exporter',
  type: 'debug',
  stability: { traces: 'alpha', metrics: 'alpha', logs: 'alpha' },
  configSchema: debugConfigSchema,
  create: async (settings, config, signal) => {
    const { DebugExporter } = await import('./debug-exporter.ts');
    return new DebugExporter(settings, config, signal);
  },
  delivery: (config) => config.delivery,
};
