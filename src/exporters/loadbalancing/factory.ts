import type { ExporterFactory } from '../../component/factory.ts';
import { type LoadBalancingConfig, loadBalancingConfigSchema } from './config.ts';

/** Exporter `loadbalancing` (`load_balancing`): the same key goes to the same of several OTLP backends. */
export const loadBalancingExporterFactory: ExporterFactory<LoadBalancingConfig> = {
  kind: 'exporter',
  type: 'loadbalancing',
  stability: { traces: 'alpha', logs: 'alpha', metrics: 'alpha' },
  configSchema: loadBalancingConfigSchema,
  create: async (settings, config, signal) => {
    const { LoadBalancingExporter } = await import('./loadbalancing-exporter.ts');
    return new LoadBalancingExporter(settings, config, signal);
  },
  authenticators: ({ protocol: { otlp } }) =>
    otlp.auth === undefined
      ? []
      : [{ path: ['protocol', 'otlp', 'auth', 'authenticator'], id: otlp.auth.authenticator }],
  delivery: ({ delivery, protocol }) =>
    delivery.timeoutMs > 0 ? delivery : { ...delivery, timeoutMs: protocol.otlp.timeoutMs },
};
