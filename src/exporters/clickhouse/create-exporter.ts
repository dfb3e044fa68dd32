import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { ClickhouseExporter } from './clickhouse-exporter.ts';
import { type ClickhouseConfig, tableNames } from './config.ts';
import type { SchemaSettings } from './ddl-table.ts';
import type { SignalEncoder } from './encode/encoder.ts';
import { LogsEncoder } from './encode/logs-encoder.ts';
import { MetricsEncoder } from './encode/metrics-encoder.ts';
import { TracesEncoder } from './encode/traces-encoder.ts';
import { type ParsedEndpoint, parseEndpoint, withoutDriverOptions } from './endpoint.ts';
import { type BodyCompression, HAS_ZSTD, type InsertClientOptions } from './insert-client.ts';

const ENCODERS: Record<Signal, () => SignalEncoder> = {
  traces: () => new TracesEncoder(),
  logs: () => new LogsEncoder(),
  metrics: () => new MetricsEncoder(),
};

/** Builds the exporter of one signal from its configuration. Opens nothing. */
export function createExporter(
  settings: ComponentSettings,
  config: ClickhouseConfig,
  signal: Signal,
): ClickhouseExporter {
  const endpoint = parseEndpoint(config.endpoint);
  if ('error' in endpoint)
    throw new PipelineError('CONFIG_INVALID', `${settings.id}: ${endpoint.error}`, { permanent: true });
  if (endpoint.wasNative) {
    settings.logger.warn('the native protocol is not spoken here: the HTTP interface is used', {
      url: endpoint.url,
    });
  }
  return new ClickhouseExporter(settings, {
    client: clientOptions(settings, config, endpoint),
    schema: schemaSettings(config, endpoint),
    createsSchema: config.createSchema,
    signal,
    createEncoder: ENCODERS[signal],
  });
}

function schemaSettings(config: ClickhouseConfig, endpoint: ParsedEndpoint): SchemaSettings {
  return {
    // As in the Collector, the key wins over the URL unless it says the default.
    database: config.database === 'default' ? (endpoint.database ?? config.database) : config.database,
    tables: tableNames(config),
    clusterName: config.clusterName,
    engine: config.tableEngine,
    ttlSeconds: Math.round(config.ttlMs / 1000),
    rollupTtlSeconds: Math.round(config.rollupTtlMs / 1000),
    hasRollups: config.hasRollups,
    isTuned: true,
  };
}

function clientOptions(
  { logger }: ComponentSettings,
  config: ClickhouseConfig,
  endpoint: ParsedEndpoint,
): InsertClientOptions {
  return {
    url: endpoint.url,
    username: config.username ?? endpoint.username ?? 'default',
    password: config.password ?? endpoint.password ?? '',
    compression: bodyCompression(config.compress, endpoint.isLoopback),
    settings: { ...endpoint.settings, ...withoutDriverOptions(config.connectionParams) },
    // One more than batches in flight: the schema is looked at while they are sent.
    connectionsMax: config.delivery.queue.numConsumers + 1,
    tls: config.tls,
    onTlsTrouble: (error) => logger.error('the changed TLS files are not used', { error: error.message }),
  };
}

/** What a compression of the native protocol means for an HTTP body. */
function bodyCompression(compress: ClickhouseConfig['compress'], isLoopback: boolean): BodyCompression {
  if (compress === 'none' || (compress === undefined && isLoopback)) return 'none';
  return compress === 'zstd' && HAS_ZSTD ? 'zstd' : 'gzip';
}
