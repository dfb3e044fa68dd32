import type { ExporterFactory } from '../../component/factory.ts';
import { type FileConfig, fileConfigSchema } from './config.ts';

/** `file`: OTLP requests as JSON lines or length-prefixed messages in one file for all signals. */
export const fileExporterFactory: ExporterFactory<FileConfig> = {
  kind: 'exporter',
  type: 'file',
  stability: { traces: 'alpha', metrics: 'alpha', logs: 'alpha' },
  configSchema: fileConfigSchema,
  create: async (settings, config) => {
    const { FileExporter } = await import('./file-exporter.ts');
    return new FileExporter(settings, config);
  },
  delivery: (config) => config.delivery,
};
