/** Keys of the exporter `kafka`, both generations of them. */
import { type ClientKeys, clientKeys, mergeClientKeys } from '../../component/client-context.ts';
import type { DeliveryConfig } from '../../component/factory.ts';
import type { Signal } from '../../component/signal.ts';
import {
  anything,
  boolean,
  ignored,
  section,
  squash,
  string,
  stringList,
  stringMap,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape, type Shape } from '../../config/schema.ts';
import { type KafkaClientConfig, kafkaClientShape } from '../../kafka/config-client.ts';
import { type DeliveryDefaults, deliveryShape } from '../helper/config.ts';
import {
  type KafkaProducerConfig,
  type PartitionerConfig,
  partitionerShape,
  producerShape,
} from './config-producer.ts';

export interface SignalConfig {
  topic: string;
  encoding: string;
  topicFromMetadataKey: string;
  messageKeyFromMetadataKey: string;
}

export interface KafkaExporterConfig {
  client: KafkaClientConfig;
  traces: SignalConfig;
  metrics: SignalConfig;
  logs: SignalConfig;
  topic: string | undefined;
  encoding: string | undefined;
  topicFromAttribute: string;
  includeMetadataKeys: readonly string[];
  recordHeaders: Record<string, string>;
  partitionsTracesById: boolean;
  partitionsMetricsByResource: boolean;
  partitionsLogsByResource: boolean;
  partitionsLogsByTraceId: boolean;
  partitioner: PartitionerConfig;
  producer: KafkaProducerConfig;
  delivery: DeliveryConfig;
}

/** A batch becomes as many records as `max_message_bytes` wants, so it may be as large as one for OTLP. */
export const DELIVERY_DEFAULTS: DeliveryDefaults = {
  batchSizer: 'bytes',
  batchMinSize: 2 << 20,
  batchMaxSize: 7 << 19,
};

const OTLP_ENCODINGS = ['otlp_proto', 'otlp_json'];
const ENCODINGS: Readonly<Record<Signal, readonly string[]>> = {
  traces: [...OTLP_ENCODINGS, 'jaeger_proto', 'jaeger_json', 'zipkin_proto', 'zipkin_json'],
  metrics: OTLP_ENCODINGS,
  logs: [...OTLP_ENCODINGS, 'raw'],
};
/** What brokers take as a name (Topic.validate of Apache Kafka). */
const TOPIC_NAME = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;

export const kafkaExporterConfigSchema = defineConfig<KafkaExporterConfig>(
  {
    client: squash(kafkaClientShape),
    traces: section('traces', signalShape('traces', 'otlp_spans'), { doc: 'Where traces go, and as what.' }),
    metrics: section('metrics', signalShape('metrics', 'otlp_metrics'), { doc: 'The same for metrics.' }),
    logs: section('logs', signalShape('logs', 'otlp_logs'), { doc: 'The same for logs.' }),
    topic: string('topic', { doc: 'Old key for the topic of every signal; wins over those of the signals.' }),
    encoding: string('encoding', {
      doc: 'Old key for the encoding of every signal; wins over those of the signals.',
    }),
    topicFromAttribute: string('topic_from_attribute', {
      default: '',
      doc: 'Resource attribute that names the topic; resources without it go to the topic of the signal.',
    }),
    includeMetadataKeys: stringList('include_metadata_keys', {
      default: [],
      doc: 'Headers of clients that become record headers; receivers need `include_metadata`.',
    }),
    recordHeaders: stringMap('record_headers', {
      default: {},
      secretValues: true,
      doc: 'Headers of every record.',
    }),
    partitionsTracesById: boolean('partition_traces_by_id', {
      default: false,
      doc: 'The key of a record is the trace id in 32 hexadecimal digits; each record has spans of one trace.',
    }),
    partitionsMetricsByResource: boolean('partition_metrics_by_resource_attributes', {
      default: false,
      doc: 'The key of a record is a hash of the resource attributes; each record has data points of one resource.',
    }),
    partitionsLogsByResource: boolean('partition_logs_by_resource_attributes', {
      default: false,
      doc: 'The same for log records.',
    }),
    partitionsLogsByTraceId: boolean('partition_logs_by_trace_id', {
      default: false,
      doc: 'The key of a record is the trace id in 32 hexadecimal digits; log records without one have no key.',
    }),
    partitioner: section('record_partitioner', partitionerShape(), {
      doc: 'Which partition a record goes to.',
    }),
    producer: section('producer', producerShape(), { doc: 'How records are packed and confirmed.' }),
    delivery: squash(deliveryShape(DELIVERY_DEFAULTS)),
  },
  checkConfig,
  [ignored(anything('profiles', { doc: 'Where profiles go.' }), 'there is no profiles signal')],
);

function signalShape(signal: Signal, topic: string): Shape<SignalConfig> {
  return defineShape<SignalConfig>(
    {
      topic: string('topic', { default: topic, doc: 'Topic.' }),
      encoding: string('encoding', { default: 'otlp_proto', doc: `One of ${ENCODINGS[signal].join(', ')}.` }),
      topicFromMetadataKey: string('topic_from_metadata_key', {
        default: '',
        doc: 'Header of clients whose first value names the topic; wins over the other ways to name it.',
      }),
      messageKeyFromMetadataKey: string('message_key_from_metadata_key', {
        default: '',
        doc: 'Header of clients whose first value is the key of the records; wins over the other keys.',
      }),
    },
    (config) => [...checkTopic('topic', config.topic), ...checkEncoding(signal, config.encoding)],
  );
}

function checkTopic(key: string, topic: string): CheckIssue[] {
  return isTopicName(topic) ? [] : [{ key, message: `${JSON.stringify(topic)} is not a name of a topic` }];
}

function checkEncoding(signal: Signal, encoding: string): CheckIssue[] {
  const known = ENCODINGS[signal];
  if (known.includes(encoding)) return [];
  return [
    { key: 'encoding', message: `expected one of ${known.join(', ')}, got ${JSON.stringify(encoding)}` },
  ];
}

function checkConfig(config: KafkaExporterConfig): CheckIssue[] {
  const issues: CheckIssue[] = config.topic === undefined ? [] : checkTopic('topic', config.topic);
  const deprecated = (key: 'topic' | 'encoding') => {
    if (config[key] === undefined) return;
    const message = `"${key}" is deprecated; use "traces.${key}", "metrics.${key}" and "logs.${key}" instead`;
    issues.push({ key, message, isWarning: true });
  };
  deprecated('topic');
  deprecated('encoding');
  const { encoding } = config;
  if (encoding !== undefined && !Object.values(ENCODINGS).some((known) => known.includes(encoding))) {
    issues.push({ key: 'encoding', message: `${JSON.stringify(encoding)} is no encoding of this engine` });
  }
  if (config.partitionsLogsByResource && config.partitionsLogsByTraceId) {
    const message = 'cannot be used together with "partition_logs_by_resource_attributes"';
    issues.push({ key: 'partition_logs_by_trace_id', message });
  }
  return issues;
}

export function isTopicName(text: string): boolean {
  return TOPIC_NAME.test(text);
}

/** Topic and encoding of one signal, the old keys considered; undefined: the encoding is none of that signal. */
export function signalConfig(config: KafkaExporterConfig, signal: Signal): SignalConfig | undefined {
  const own = config[signal];
  const encoding = config.encoding ?? own.encoding;
  if (!ENCODINGS[signal].includes(encoding)) return undefined;
  return { ...own, topic: config.topic ?? own.topic, encoding };
}

/** What of clients becomes topics, keys and headers: batches are parted by it. */
export function kafkaClientKeys(config: KafkaExporterConfig): ClientKeys | undefined {
  const names = [...config.includeMetadataKeys];
  for (const { topicFromMetadataKey, messageKeyFromMetadataKey } of [
    config.traces,
    config.metrics,
    config.logs,
  ])
    names.push(topicFromMetadataKey, messageKeyFromMetadataKey);
  const sources = names
    .filter((name) => name !== '')
    .map((name) => ({ kind: 'metadata' as const, name: name.toLowerCase() }));
  return mergeClientKeys([clientKeys(sources)]);
}
