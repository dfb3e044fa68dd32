/** Real backends for scripts that run for a while: each with an exporter's configuration, and what arrived in it. */
import { readTopic, spansOf } from '../services/kafka-exporter-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';
import { archivedSpans } from '../services/s3-objects.ts';
import { S3Server } from '../services/s3-server.ts';

const RETRY = { initial_interval: '500ms', max_interval: '5s' };

export interface Backend {
  server: KafkaServer | S3Server;
  exporter: Record<string, unknown>;
  env: Record<string, string>;
  /** How often each span is in it. */
  spans(): Promise<Map<string, number>>;
}

async function kafkaBackend(): Promise<Backend> {
  const server = await KafkaServer.start();
  await server.createTopic('otlp_spans');
  return {
    server,
    exporter: { kafka: { brokers: [server.bootstrap], retry_on_failure: RETRY } },
    env: {},
    spans: async () => spansOf(await readTopic(server, 'otlp_spans')),
  };
}

async function s3Backend(): Promise<Backend> {
  const server = await S3Server.start({ buckets: ['archive'] });
  const s3uploader = { endpoint: server.endpoint, s3_force_path_style: true, s3_bucket: 'archive' };
  return {
    server,
    exporter: { awss3: { s3uploader, marshaler: 'otlp_proto', retry_on_failure: RETRY } },
    env: server.environment,
    spans: async () => archivedSpans(server, 'archive'),
  };
}

/** @param name `kafka` or `s3`. */
export async function startBackend(name: string): Promise<Backend> {
  return name === 's3' ? s3Backend() : kafkaBackend();
}
