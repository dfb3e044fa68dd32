import type { ExtensionFactory } from '../../component/factory.ts';
import { type FileStorageConfig, fileStorageConfigSchema } from './config.ts';

/** Names the directory in which the logs of exporters live; the engine opens the logs themselves. */
export const fileStorageExtensionFactory: ExtensionFactory<FileStorageConfig> = {
  kind: 'extension',
  type: 'file_storage',
  stability: 'beta',
  configSchema: fileStorageConfigSchema,
  create: async (settings, config) => {
    const { FileStorageExtension } = await import('./file-storage-extension.ts');
    return new FileStorageExtension(settings, config);
  },
  storageDirectory: (config) => config.directory,
  retention: (config) => config.retain,
};
