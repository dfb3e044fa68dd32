import type { ExtensionFactory } from '../../component/factory.ts';
import { serverAuthenticators } from '../helper/page-config.ts';
import { type ZpagesConfig, zpagesConfigSchema } from './config.ts';

/** Shows a person what runs and in which state. */
export const zpagesExtensionFactory: ExtensionFactory<ZpagesConfig> = {
  kind: 'extension',
  type: 'zpages',
  stability: 'beta',
  configSchema: zpagesConfigSchema,
  authenticators: ({ server }) => serverAuthenticators(server),
  create: async (settings, config) => {
    const { ZpagesExtension } = await import('./zpages-extension.ts');
    return new ZpagesExtension(settings, config);
  },
};
