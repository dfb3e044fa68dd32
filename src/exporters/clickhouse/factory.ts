import type { ExporterFactory } from '../../component/factory.ts';
import { type ClickhouseConfig, clickhouseConfigSchema } from './config.ts';

/** Exporter `clickhouse`: the Collector's tables, filled with Native blocks over HTTP. */
export const clickhouseExporterFactory: ExporterFactory<ClickhouseConfig> = {
  kind: 'exporter',
  type: 'clickhouse',
  stability: { traces: 'beta', logs: 'beta', metrics: 'alpha' },
  configSchema: clickhouseConfigSchema,
  create: async (settings, config, signal) => {
    const { createExporter } = await import('./create-exporter.ts');
    return createExporter(settings, config, signal);
  },
  delivery: (config) => config.delivery,
};
