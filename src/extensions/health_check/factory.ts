import type { ExtensionFactory } from '../../component/factory.ts';
import { type HealthCheckConfig, healthAuthenticators, healthCheckConfigSchema } from './config.ts';

/** Says over HTTP whether the engine takes requests. */
export const healthCheckExtensionFactory: ExtensionFactory<HealthCheckConfig> = {
  kind: 'extension',
  type: 'health_check',
  stability: 'beta',
  configSchema: healthCheckConfigSchema,
  authenticators: healthAuthenticators,
  create: async (settings, config) => {
    if (config.usesV2) {
      const { HealthServices } = await import('./health-services.ts');
      return new HealthServices(settings, config);
    }
    const { HealthCheckExtension } = await import('./health-check-extension.ts');
    return new HealthCheckExtension(settings, config);
  },
};
