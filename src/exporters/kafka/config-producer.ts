/** `producer` and `record_partitioner` of the exporter `kafka`: how records are packed, placed and confirmed. */
import {
  anything,
  boolean,
  byteCount,
  count,
  duration,
  ignored,
  integer,
  oneOf,
  refused,
  section,
  string,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineShape, mapShape, type Shape } from '../../config/schema.ts';
import { CAN_WRITE_ZSTD, KAFKA_COMPRESSIONS, type KafkaCompression } from '../../kafka/codecs.ts';
import type { KeyHasher } from '../../kafka/partitioners.ts';

export interface KafkaProducerConfig {
  /** Of one record batch, before it is packed. */
  messageBytesMax: number;
  /** Of one request. */
  requestBytesMax: number;
  /** -1: all replicas in sync. */
  acks: -1 | 0 | 1;
  isIdempotent: boolean;
  compression: KafkaCompression;
  level: number | undefined;
  /** Records in one record batch; 0: no bound. */
  recordsMax: number;
  allowsAutoTopicCreation: boolean;
  /** Name of the record header with the batch id; empty: none. */
  batchIdHeader: string;
}

interface ProducerKeys extends Omit<KafkaProducerConfig, 'acks' | 'isIdempotent' | 'level'> {
  acks: unknown;
  isIdempotent: boolean | undefined;
  compressionParams: { level: number | undefined };
}

const ACKS: ReadonlyMap<unknown, -1 | 0 | 1> = new Map<unknown, -1 | 0 | 1>([
  [undefined, -1],
  [null, -1],
  ['all', -1],
  [-1, -1],
  [0, 0],
  [1, 1],
]);
/** Below it hardly an item fits beside the fields of a record batch. */
const MESSAGE_BYTES_MIN = 1024;

export function producerShape(): Shape<KafkaProducerConfig> {
  const shape = defineShape<ProducerKeys>(
    {
      messageBytesMax: byteCount('max_message_bytes', {
        default: 1_000_000,
        min: MESSAGE_BYTES_MIN,
        doc: 'Most bytes of one record and of one record batch, before compression; what is larger is split between items. Brokers have such a limit too.',
      }),
      requestBytesMax: byteCount('max_broker_write_bytes', {
        default: 104_857_600,
        min: MESSAGE_BYTES_MIN,
        doc: 'Most bytes of one request to a broker.',
      }),
      acks: anything('required_acks', {
        doc: 'Who has to have the records: `all` replicas in sync (also -1), which is the default here, the leader alone (1, the default of the Collector, which loses what it has acknowledged when that broker is lost), or nobody (0).',
      }),
      isIdempotent: boolean('enable_idempotence', {
        doc: 'Number the record batches, so that what has to be sent again is in the topic once; on unless `required_acks` is 0 or 1. The Collector has no such key.',
      }),
      compression: oneOf('compression', {
        values: KAFKA_COMPRESSIONS,
        default: 'none',
        doc: 'Compression of record batches. `zstd` needs Node.js 22.15.',
      }),
      compressionParams: section(
        'compression_params',
        defineShape<ProducerKeys['compressionParams']>({
          level: integer('level', { min: -1, max: 22, doc: 'gzip: -1 to 9; zstd: 1 to 22. Not set: 1.' }),
        }),
        { doc: 'Effort of the compression.' },
      ),
      recordsMax: count('flush_max_messages', {
        default: 10_000,
        doc: 'Most records of one record batch; 0 means no bound.',
      }),
      allowsAutoTopicCreation: boolean('allow_auto_topic_creation', {
        default: true,
        doc: 'Let brokers create topics that do not exist, if they are configured to.',
      }),
      batchIdHeader: string('batch_id_header', {
        default: 'millrace.batch_id',
        doc: 'Record header that tells consumers a record from its repetition: the id of the batch and the number of the record in it. Empty: none. The Collector has no such key.',
      }),
    },
    checkProducer,
    [
      ignored(
        duration('linger', { doc: 'Wait for more records.' }),
        'records are made of batches, which wait for more in `sending_queue.batch`',
      ),
    ],
  );
  return mapShape(shape, ({ compressionParams, acks: written, ...keys }) => {
    const acks = ACKS.get(written) ?? -1;
    return { ...keys, acks, isIdempotent: keys.isIdempotent ?? acks === -1, level: compressionParams.level };
  });
}

function checkProducer(keys: ProducerKeys): CheckIssue[] {
  const issues = checkCompression(keys);
  const acks = ACKS.get(keys.acks);
  if (acks === undefined) {
    issues.push({ key: 'required_acks', message: 'expected 0, 1, -1 or all' });
  } else if (keys.isIdempotent === true && acks !== -1) {
    issues.push({ key: 'enable_idempotence', message: 'needs `required_acks: all`' });
  }
  return issues;
}

function checkCompression({ compression, compressionParams: { level } }: ProducerKeys): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (compression === 'zstd' && !CAN_WRITE_ZSTD) {
    const message = `zstd needs Node.js 22.15 or later, this is ${process.version}`;
    issues.push({ key: 'compression', message });
  }
  if (level === undefined) return issues;
  const key = 'compression_params.level';
  if (compression === 'gzip') {
    if (level > 9) issues.push({ key, message: 'must be -1 to 9 for gzip' });
  } else if (compression === 'zstd') {
    if (level < 1) issues.push({ key, message: 'must be 1 to 22 for zstd' });
  } else if (level !== 0) {
    issues.push({ key, message: `compression "${compression}" has no levels` });
  }
  return issues;
}

/** `round robin` places every record without looking at its key. */
export type PartitionerConfig = { kind: 'sticky key'; hasher: KeyHasher } | { kind: 'round robin' };

interface PartitionerKeys {
  stickyKey: { hasher: KeyHasher } | undefined;
  roundRobin: object | undefined;
}

export function partitionerShape(): Shape<PartitionerConfig> {
  const shape = defineShape<PartitionerKeys>(
    {
      stickyKey: section(
        'sticky_key',
        defineShape<{ hasher: KeyHasher }>({
          hasher: oneOf('hasher', {
            values: ['sarama_compat', 'murmur2'],
            default: 'sarama_compat',
            doc: 'Hash of the key: as Sarama and the Collector have it, or as the Java client has it.',
          }),
        }),
        {
          optional: true,
          doc: 'Records of one key go to one partition, those without a key to any. The default.',
        },
      ),
      roundRobin: section('round_robin', defineShape<object>({}), {
        optional: true,
        doc: 'One partition after the other, whatever the key.',
      }),
    },
    ({ stickyKey, roundRobin }) =>
      stickyKey !== undefined && roundRobin !== undefined
        ? [{ key: 'round_robin', message: 'cannot be used together with "sticky_key"' }]
        : [],
    [refused('least_backup'), refused('extension')],
  );
  return mapShape(
    shape,
    ({ stickyKey, roundRobin }): PartitionerConfig =>
      roundRobin === undefined
        ? { kind: 'sticky key', hasher: stickyKey?.hasher ?? 'sarama_compat' }
        : { kind: 'round robin' },
  );
}
