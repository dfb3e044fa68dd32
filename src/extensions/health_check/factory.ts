import type { ExtensionFactory } from '../../component/factory.ts';
import { type HealthCheckConfig, healthCheckConfigSchema } from './config.ts';

/** Says over HTTP whether the engine takes requests. */
export const healthCheckExtensionFactory: ExtensionFactory<HealthCheckConfig> = {
  kind: 'extension',
  type: 'health_check',
  stability: 'beta',
  configSchema: healthCheckConfigSchema,
  create: async (settings, config) => {
    const { HealthCheckExtension } = await import('./health-check-extension.ts');
    return new HealthCheckExtension(settings, config);
  },
};
