import type { ExtensionFactory } from '../../component/factory.ts';
import { type ZpagesConfig, zpagesConfigSchema } from './config.ts';

/** Shows a person what runs and in which state. */
export const zpagesExtensionFactory: ExtensionFactory<ZpagesConfig> = {
  kind: 'extension',
  type: 'zpages',
  stability: 'beta',
  configSchema: zpagesConfigSchema,
  create: async (settings, config) => {
    const { ZpagesExtension } = await import('./zpages-extension.ts');
    return new ZpagesExtension(settings, config);
  },
};
