import type { ExtensionFactory } from '../../component/factory.ts';
import { type EmbeddedClickhouseConfig, embeddedClickhouseConfigSchema } from './config.ts';

/** A ClickHouse that the engine starts, watches and stops; exporters reach it by HTTP like any other. */
export const embeddedClickhouseExtensionFactory: ExtensionFactory<EmbeddedClickhouseConfig> = {
  kind: 'extension',
  type: 'embedded_clickhouse',
  stability: 'beta',
  configSchema: embeddedClickhouseConfigSchema,
  create: async (settings, config) => {
    const { EmbeddedClickhouseExtension } = await import('./embedded-clickhouse-extension.ts');
    return new EmbeddedClickhouseExtension(settings, config);
  },
};
