import type { ExtensionFactory } from '../../component/factory.ts';
import { type BearerTokenAuthConfig, bearerTokenAuthConfigSchema } from './config.ts';

export const bearerTokenAuthExtensionFactory: ExtensionFactory<BearerTokenAuthConfig> = {
  kind: 'extension',
  type: 'bearertokenauth',
  stability: 'beta',
  isServerAuthenticator: true,
  configSchema: bearerTokenAuthConfigSchema,
  create: async (settings, config) => {
    const { BearerTokenServerAuth } = await import('./bearer-token-auth.ts');
    return new BearerTokenServerAuth(settings, config);
  },
  createClientAuth: async (settings, config) => {
    const { BearerTokenClientAuth } = await import('./bearer-token-auth.ts');
    return new BearerTokenClientAuth(settings, config);
  },
};
