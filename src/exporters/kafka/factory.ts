import type { ExporterFactory } from '../../component/factory.ts';
import { kafkaSasl } from '../../kafka/config-client.ts';
import { type KafkaExporterConfig, kafkaClientKeys, kafkaExporterConfigSchema } from './config.ts';

/** Exporter `kafka`: records that hold what lies in the log, or what is made of it. */
export const kafkaExporterFactory: ExporterFactory<KafkaExporterConfig> = {
  kind: 'exporter',
  type: 'kafka',
  stability: { traces: 'beta', logs: 'beta', metrics: 'beta' },
  configSchema: kafkaExporterConfigSchema,
  create: async (settings, config, signal) => {
    const { KafkaExporter } = await import('./kafka-exporter.ts');
    return new KafkaExporter(settings, config, signal);
  },
  authenticators: ({ client }) => {
    const id = kafkaSasl(client)?.tokenSource;
    return id === undefined ? [] : [{ path: ['auth', 'sasl', 'oauthbearer_token_source'], id }];
  },
  clientKeys: kafkaClientKeys,
  delivery: (config) => config.delivery,
};
