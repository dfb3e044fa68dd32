import type { ExporterFactory } from '../../component/factory.ts';
import { type OtlpHttpConfig, otlpHttpConfigSchema } from './config.ts';

/** Exporter `otlphttp` (`otlp_http`): OTLP over HTTP, the bytes as they lie in the log. */
export const otlpHttpExporterFactory: ExporterFactory<OtlpHttpConfig> = {
  kind: 'exporter',
  type: 'otlphttp',
  stability: { traces: 'beta', logs: 'beta', metrics: 'beta' },
  configSchema: otlpHttpConfigSchema,
  create: async (settings, config, signal) => {
    const { OtlpHttpExporter } = await import('./otlphttp-exporter.ts');
    return new OtlpHttpExporter(settings, config, signal);
  },
  authenticators: ({ auth }) =>
    auth === undefined ? [] : [{ path: ['auth', 'authenticator'], id: auth.authenticator }],
  delivery: (config) => config.delivery,
};
