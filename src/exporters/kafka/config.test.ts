import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isTopicName,
  type KafkaExporterConfig,
  kafkaClientKeys,
  kafkaExporterConfigSchema,
  signalConfig,
} from './config.ts';

function good(raw: unknown): KafkaExporterConfig {
  const parsed = kafkaExporterConfigSchema.parse(raw);
  assert.deepEqual(parsed.issues, []);
  return parsed.value!;
}

const issues = (raw: unknown) =>
  kafkaExporterConfigSchema.parse(raw).issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

test('defaults: topics by signal, protobuf, all replicas, numbered batches', () => {
  const config = good({});
  assert.deepEqual(
    (['traces', 'metrics', 'logs'] as const).map((signal) => signalConfig(config, signal)!.topic),
    ['otlp_spans', 'otlp_metrics', 'otlp_logs'],
  );
  assert.deepEqual(config.producer, {
    messageBytesMax: 1_000_000,
    requestBytesMax: 104_857_600,
    acks: -1,
    isIdempotent: true,
    compression: 'none',
    level: undefined,
    recordsMax: 10_000,
    allowsAutoTopicCreation: true,
    batchIdHeader: 'millrace.batch_id',
  });
  assert.deepEqual(config.partitioner, { kind: 'sticky key', hasher: 'sarama_compat' });
  assert.equal(config.delivery.timeoutMs, 5000);
});

test('a configuration of the Collector of 2023 works, and says what is old', () => {
  const raw = {
    brokers: ['a:9092'],
    protocol_version: '2.0.0',
    topic: 'spans',
    encoding: 'otlp_json',
    metadata: { full: false, retry: { max: 10, backoff: '1s' } },
    producer: { max_message_bytes: 500_000, required_acks: 1, compression: 'gzip', flush_max_messages: 0 },
    auth: { plain_text: { username: 'u', password: 'p' } },
  };
  const config = good(raw);
  assert.deepEqual(signalConfig(config, 'logs'), {
    topic: 'spans',
    encoding: 'otlp_json',
    topicFromMetadataKey: '',
    messageKeyFromMetadataKey: '',
  });
  assert.deepEqual([config.producer.acks, config.producer.isIdempotent], [1, false]);
  assert.equal(kafkaExporterConfigSchema.parse(raw).warnings!.length, 5);
});

test('encodings belong to signals', () => {
  assert.deepEqual(issues({ logs: { encoding: 'jaeger_proto' } }), [
    'logs.encoding: expected one of otlp_proto, otlp_json, raw, got "jaeger_proto"',
  ]);
  assert.match(issues({ encoding: 'thrift' })[0]!, /"thrift" is no encoding of this engine/);
  assert.equal(signalConfig(good({ encoding: 'raw' }), 'traces'), undefined);
});

test('what contradicts itself or is not served is refused by name', () => {
  const cases: [unknown, RegExp][] = [
    [{ producer: { required_acks: 2 } }, /producer.required_acks: expected 0, 1, -1 or all/],
    [{ producer: { required_acks: 1, enable_idempotence: true } }, /needs `required_acks: all`/],
    [{ producer: { compression: 'gzip', compression_params: { level: 12 } } }, /must be -1 to 9 for gzip/],
    [{ producer: { compression: 'lz4', compression_params: { level: 3 } } }, /"lz4" has no levels/],
    [{ record_partitioner: { least_backup: null } }, /"least_backup" is not supported yet/],
    [{ record_partitioner: { extension: 'x' } }, /"extension" is not supported yet/],
    [{ record_partitioner: { sticky_key: {}, round_robin: {} } }, /cannot be used together/],
    [
      { partition_logs_by_resource_attributes: true, partition_logs_by_trace_id: true },
      /cannot be used together with "partition_logs_by_resource_attributes"/,
    ],
    [{ traces: { topic: 'a b' } }, /"a b" is not a name of a topic/],
  ];
  for (const [raw, message] of cases) assert.match(issues(raw).join(), message);
});

test('names of topics are those that brokers take', () => {
  for (const name of ['a', 'otlp_spans', 'A.b-c_1', 'x'.repeat(249)]) assert.ok(isTopicName(name), name);
  for (const name of ['', '.', '..', 'a b', 'a/b', 'ä', 'x'.repeat(250)]) assert.ok(!isTopicName(name), name);
});

test('batches are parted by every header that becomes a topic, a key or a record header', () => {
  const keys = kafkaClientKeys(
    good({
      include_metadata_keys: ['X-Tenant'],
      traces: { topic_from_metadata_key: 'X-Topic' },
      logs: { message_key_from_metadata_key: 'x-key' },
    }),
  );
  assert.deepEqual(keys?.metadata, ['x-key', 'x-tenant', 'x-topic']);
  assert.equal(kafkaClientKeys(good({})), undefined);
});
