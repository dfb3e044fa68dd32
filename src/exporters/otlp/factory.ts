import type { ExporterFactory } from '../../component/factory.ts';
import type { OtlpConfig } from '../helper/grpc/config.ts';
import { otlpConfigSchema } from './config.ts';

/** Exporter `otlp` (`otlp_grpc`): OTLP over gRPC, the bytes as they lie in the log. */
export const otlpExporterFactory: ExporterFactory<OtlpConfig> = {
  kind: 'exporter',
  type: 'otlp',
  stability: { traces: 'beta', logs: 'beta', metrics: 'beta' },
  configSchema: otlpConfigSchema,
  create: async (settings, config, signal) => {
    const { OtlpExporter } = await import('../helper/grpc/otlp-exporter.ts');
    return new OtlpExporter(settings, config, signal);
  },
  authenticators: ({ auth }) =>
    auth === undefined ? [] : [{ path: ['auth', 'authenticator'], id: auth.authenticator }],
  delivery: (config) => config.delivery,
};
