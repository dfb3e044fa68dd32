import type { ExtensionFactory } from '../../component/factory.ts';
import { serverAuthenticators } from '../helper/page-config.ts';
import { type PprofConfig, pprofConfigSchema } from './config.ts';

/** Serves CPU profiles and heap snapshots of every thread. */
export const pprofExtensionFactory: ExtensionFactory<PprofConfig> = {
  kind: 'extension',
  type: 'pprof',
  stability: 'beta',
  configSchema: pprofConfigSchema,
  authenticators: ({ server }) => serverAuthenticators(server),
  create: async (settings, config) => {
    const { PprofExtension } = await import('./pprof-extension.ts');
    return new PprofExtension(settings, config);
  },
};
