/** Components for the tests of this folder: small tables of every shape, nothing behind them. */
import type { AnyFactory, DeliveryConfig, ExporterFactory, ReceiverFactory } from '../component/factory.ts';
import { deliveryShape } from '../exporters/helper/config.ts';
import { fileStorageExtensionFactory } from '../extensions/file_storage/factory.ts';
import { endpoint, oneOf, secret, squash } from './field-kinds.ts';
import { defineConfig } from './schema.ts';

function neverCreated(): never {
  throw new Error('configuration tests create no component');
}

const otlpFactory: ReceiverFactory<{ endpoint: string }> = {
  kind: 'receiver',
  type: 'otlp',
  stability: { traces: 'stable', metrics: 'stable', logs: 'stable' },
  configSchema: defineConfig({
    endpoint: endpoint('endpoint', { accepts: 'host:port', default: 'localhost:4317', doc: 'Address.' }),
  }),
  create: neverCreated,
  bodyBytesMax: () => 1,
};

interface DatabaseConfig {
  endpoint: string;
  password: string | undefined;
  delivery: DeliveryConfig;
}

const clickhouseFactory: ExporterFactory<DatabaseConfig> = {
  kind: 'exporter',
  type: 'clickhouse',
  stability: { traces: 'beta', metrics: 'beta', logs: 'beta' },
  configSchema: defineConfig<DatabaseConfig>({
    endpoint: endpoint('endpoint', { accepts: 'url', required: true, doc: 'Address.' }),
    password: secret('password', { doc: 'Password.' }),
    delivery: squash(deliveryShape()),
  }),
  create: neverCreated,
  delivery: (config) => config.delivery,
};

interface PrinterConfig {
  verbosity: 'basic' | 'detailed';
  delivery: DeliveryConfig;
}

const debugFactory: ExporterFactory<PrinterConfig> = {
  kind: 'exporter',
  type: 'debug',
  stability: { traces: 'beta' },
  configSchema: defineConfig<PrinterConfig>({
    verbosity: oneOf('verbosity', { values: ['basic', 'detailed'], default: 'basic', doc: 'Detail.' }),
    delivery: squash(deliveryShape()),
  }),
  create: neverCreated,
  delivery: (config) => config.delivery,
};

export const testFactories: readonly AnyFactory[] = [
  otlpFactory,
  clickhouseFactory,
  debugFactory,
  fileStorageExtensionFactory,
  {
    kind: 'extension',
    type: 'health_check',
    stability: 'beta',
    configSchema: defineConfig({}),
    create: neverCreated,
  },
];
