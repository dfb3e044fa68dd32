/** Keys of the receiver `kafka`, and what they mean for its consumer. */
import type { Signal } from '../../component/signal.ts';
import {
  anything,
  boolean,
  byteCount,
  duration,
  ignored,
  refused,
  section,
  squash,
  string,
  stringList,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape, type Shape } from '../../config/schema.ts';
import { type KafkaClientConfig, kafkaClientShape } from '../../kafka/config-client.ts';
import { REBALANCE_STRATEGIES, type RebalanceStrategy } from '../../kafka/consumer-assign.ts';
import {
  type ErrorBackoffConfig,
  errorBackoffShape,
  type MarkingConfig,
  markingShape,
} from './config-marking.ts';
import {
  checkSignalTopics,
  type HeaderExtractionConfig,
  headerExtractionShape,
  type SignalTopics,
  signalTopicsShape,
} from './config-topics.ts';

/** The properties follow the YAML as far as printed configurations need it to find secrets. */
export interface KafkaReceiverConfig {
  client: KafkaClientConfig;
  groupId: string;
  groupInstanceId: string;
  rackId: string;
  initialOffset: string;
  sessionTimeoutMs: number;
  heartbeatIntervalMs: number;
  strategies: string[] | undefined;
  strategy: string | undefined;
  minFetchBytes: number;
  maxFetchBytes: number;
  maxFetchWaitMs: number;
  maxPartitionFetchBytes: number;
  traces: SignalTopics;
  metrics: SignalTopics;
  logs: SignalTopics;
  topic: string | undefined;
  encoding: string | undefined;
  autocommit: { isEnabled: boolean; intervalMs: number };
  marking: MarkingConfig;
  errorBackoff: ErrorBackoffConfig;
  headerExtraction: HeaderExtractionConfig;
  telemetry: { metrics: { recordsDelay: { isEnabled: boolean } } };
}

/** `max_fetch_size: 0` means no limit; memory has one. */
const FETCH_BYTES_MAX = 64 << 20;
const MIB = 1 << 20;
/**
 * Both are 1 MiB in the Collector. A broker cuts what it sends of a partition at the byte, inside of a batch, and the cut
 * batch is sent again: of 1 MiB with the largest batches that brokers take, a third on average.
 */
const FETCH_BYTES_DEFAULT = 8 * MIB;
const PARTITION_BYTES_DEFAULT = 2 * MIB;
/** What the receiver can hand on at least; records are seldom larger than the 1 MB that brokers take by default. */
const RECORD_BYTES_MIN = 20 * MIB;
/** A record of the log holds no more. */
const RECORD_BYTES_MAX = 64 * MIB;

/** Far more than a flush takes; more would only leave the caches and wait in the rings. A larger record goes alone. */
const IN_FLIGHT_BYTES_MAX = 8 * MIB;

const COOPERATIVE = 'cooperative-sticky';

const autocommitShape: Shape<KafkaReceiverConfig['autocommit']> = defineShape({
  isEnabled: boolean('enable', {
    default: true,
    doc: 'Commit at intervals; without it offsets are committed as soon as their records are stored.',
  }),
  intervalMs: duration('interval', { default: '1s', min: 1, doc: 'Between two commits.' }),
});

const telemetryShape: Shape<KafkaReceiverConfig['telemetry']> = defineShape({
  metrics: section(
    'metrics',
    defineShape<KafkaReceiverConfig['telemetry']['metrics']>({
      recordsDelay: section(
        'kafka_receiver_records_delay',
        defineShape({
          isEnabled: boolean('enabled', {
            default: false,
            doc: 'Measure the time from the production of records to their reading.',
          }),
        }),
        { doc: 'Age of records.' },
      ),
    }),
    { doc: 'Metrics that are off unless they are asked for.' },
  ),
});

/** The table behind `receivers: kafka:`. */
export const kafkaReceiverConfigSchema = defineConfig<KafkaReceiverConfig>(
  {
    client: squash(kafkaClientShape),
    groupId: string('group_id', { default: 'otel-collector', doc: 'Consumer group.' }),
    groupInstanceId: string('group_instance_id', {
      default: '',
      doc: 'Name of this member, another one for each process: it has its partitions again when it is back within `session_timeout`, and the group does not rebalance. Without it membership ends with the process.',
    }),
    rackId: string('rack_id', {
      default: '',
      doc: 'Read from the replica of this rack where brokers offer it.',
    }),
    initialOffset: string('initial_offset', {
      default: 'latest',
      doc: 'Where a partition begins that the group has never committed: `latest` or `earliest`.',
    }),
    sessionTimeoutMs: duration('session_timeout', {
      default: '10s',
      min: 1,
      doc: 'Silence after which the group gives the partitions of a member to others.',
    }),
    heartbeatIntervalMs: duration('heartbeat_interval', {
      default: '3s',
      min: 1,
      doc: 'Between two signs of life; below `session_timeout`.',
    }),
    strategies: stringList('group_rebalance_strategies', {
      doc: 'How partitions are shared out, in order of preference: `sticky`, `roundrobin`, `range`. Default: `sticky`.',
    }),
    strategy: string('group_rebalance_strategy', { doc: 'Old spelling, for one strategy.' }),
    minFetchBytes: byteCount('min_fetch_size', { default: 1, doc: 'Bytes for which a broker waits.' }),
    maxFetchBytes: byteCount('max_fetch_size', {
      default: FETCH_BYTES_DEFAULT,
      doc: 'Bytes of one answer of a broker; 0: 64 MiB. A single larger record comes all the same.',
    }),
    maxFetchWaitMs: duration('max_fetch_wait', {
      default: '250ms',
      min: 1,
      doc: 'How long a broker waits for `min_fetch_size`.',
    }),
    maxPartitionFetchBytes: byteCount('max_partition_fetch_size', {
      default: PARTITION_BYTES_DEFAULT,
      min: 1,
      max: RECORD_BYTES_MAX,
      doc: 'Bytes of one partition in an answer.',
    }),
    traces: section('traces', signalTopicsShape('otlp_spans'), { doc: 'What holds traces.' }),
    metrics: section('metrics', signalTopicsShape('otlp_metrics'), { doc: 'What holds metrics.' }),
    logs: section('logs', signalTopicsShape('otlp_logs'), { doc: 'What holds logs.' }),
    topic: string('topic', { doc: 'Old spelling: the topic of whatever signal the receiver is used for.' }),
    encoding: string('encoding', {
      doc: 'Old spelling: the encoding of whatever signal the receiver is used for.',
    }),
    autocommit: section('autocommit', autocommitShape, {
      doc: 'When offsets are committed. Never before their records are flushed.',
    }),
    marking: section('message_marking', markingShape, {
      doc: 'What becomes of the offset of a record that cannot be taken.',
    }),
    errorBackoff: section('error_backoff', errorBackoffShape, {
      doc: 'Waits between two tries of a record that can be taken later.',
    }),
    headerExtraction: section('header_extraction', headerExtractionShape, {
      doc: 'Headers of records that become attributes of resources.',
    }),
    telemetry: section('telemetry', telemetryShape, { doc: 'Own metrics.' }),
  },
  checkConfig,
  otherKeys(),
);

function otherKeys() {
  return [
    refused('profiles', 'is not supported: the engine has no profiles'),
    ignored(
      boolean('use_leader_epoch', { doc: 'Send the epoch of the leader with fetches.' }),
      'the brokers detect a lost log without it',
    ),
    ignored(
      byteCount('default_fetch_size', { doc: 'First size of a fetch.' }),
      'see "max_partition_fetch_size"',
    ),
    ignored(
      section(
        'partition_processing',
        defineShape<Record<string, unknown>>({
          independent: boolean('independent', {
            default: false,
            doc: 'Partitions do not wait for one another.',
          }),
          buffered: anything('max_buffered_batches', { doc: 'Batches ahead.' }),
          inFlight: anything('max_in_flight', { doc: 'Records and bytes ahead.' }),
        }),
        { doc: 'Work on several partitions side by side.' },
      ),
      'partitions never wait for one another, and what is in flight is bounded in bytes',
    ),
  ];
}

function checkConfig(config: KafkaReceiverConfig): CheckIssue[] {
  return [
    ...checkStrategies(config),
    ...checkNumbers(config),
    ...checkSignalTopics('traces', config.traces),
    ...checkSignalTopics('metrics', config.metrics),
    ...checkSignalTopics('logs', config.logs),
    ...checkOldSpelling(config),
  ];
}

function checkNumbers(config: KafkaReceiverConfig): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const { initialOffset, minFetchBytes, maxFetchBytes, sessionTimeoutMs, heartbeatIntervalMs } = config;
  if (initialOffset !== 'latest' && initialOffset !== 'earliest') {
    const message = `initial_offset should be one of 'latest' or 'earliest'. configured value ${initialOffset}`;
    issues.push({ key: 'initial_offset', message });
  }
  if (maxFetchBytes !== 0 && maxFetchBytes < minFetchBytes) {
    issues.push({ key: 'max_fetch_size', message: 'must be at least "min_fetch_size"' });
  }
  if (heartbeatIntervalMs >= sessionTimeoutMs) {
    issues.push({ key: 'heartbeat_interval', message: 'must be below "session_timeout"' });
  }
  if (config.groupId === '') issues.push({ key: 'group_id', message: 'must not be empty' });
  return issues;
}

function checkStrategies({ strategies, strategy }: KafkaReceiverConfig): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (strategy !== undefined) {
    const text = '"group_rebalance_strategy" is deprecated; use "group_rebalance_strategies" instead';
    issues.push({ key: 'group_rebalance_strategy', message: text, isWarning: true });
    if (strategies !== undefined) {
      const message = 'cannot be used together with "group_rebalance_strategies"';
      issues.push({ key: 'group_rebalance_strategy', message });
    }
  }
  const key = strategy === undefined ? 'group_rebalance_strategies' : 'group_rebalance_strategy';
  const named = strategy === undefined ? strategies : [strategy];
  if (named?.length === 0) issues.push({ key, message: 'at least one strategy is needed' });
  for (const name of named ?? []) {
    if (isStrategy(name)) continue;
    const known = REBALANCE_STRATEGIES.join(', ');
    const message =
      name === COOPERATIVE
        ? `"${name}" is not supported: the Kafka client stops all members at a rebalance; "sticky" moves the fewest partitions`
        : `expected ${known}, got ${JSON.stringify(name)}`;
    issues.push({ key, message });
  }
  return issues;
}

function checkOldSpelling({ topic, encoding }: KafkaReceiverConfig): CheckIssue[] {
  const warning = (key: string): CheckIssue => ({
    key,
    message: `"${key}" is deprecated; use "${key === 'topic' ? 'topics' : key}" of the signal instead`,
    isWarning: true,
  });
  return [
    ...(topic === undefined ? [] : [warning('topic')]),
    ...(encoding === undefined ? [] : [warning('encoding')]),
  ];
}

function isStrategy(name: string): name is RebalanceStrategy {
  return (REBALANCE_STRATEGIES as readonly string[]).includes(name);
}

/** In order of preference. */
export function rebalanceStrategies({ strategies, strategy }: KafkaReceiverConfig): RebalanceStrategy[] {
  const named = strategy === undefined ? (strategies ?? ['sticky']) : [strategy];
  return [...new Set(named.filter(isStrategy))];
}

/** Of one answer. */
export function fetchBytesMax({ maxFetchBytes }: KafkaReceiverConfig): number {
  return maxFetchBytes === 0 ? FETCH_BYTES_MAX : Math.min(maxFetchBytes, FETCH_BYTES_MAX);
}

/** Largest value of a record that is handed on. */
export function recordBytesMax({ maxPartitionFetchBytes }: KafkaReceiverConfig): number {
  return Math.max(maxPartitionFetchBytes, RECORD_BYTES_MIN);
}

/** Of records that are read and not yet flushed. */
export function inFlightBytesMax(config: KafkaReceiverConfig): number {
  return Math.max(IN_FLIGHT_BYTES_MAX, config.maxPartitionFetchBytes);
}

/** What a signal is read of, with what the old keys say. */
export function signalTopics(
  config: KafkaReceiverConfig,
  signal: Signal,
): { topics: string[]; encoding: string } {
  const own = config[signal];
  return {
    topics: config.topic === undefined ? own.topics : [config.topic],
    encoding: own.encoding ?? config.encoding ?? 'otlp_proto',
  };
}
