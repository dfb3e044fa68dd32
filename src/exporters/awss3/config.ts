import type { DeliveryConfig } from '../../component/factory.ts';
import type { Signal } from '../../component/signal.ts';
import { boolean, oneOf, refused, section, squash, string, stringList } from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape, mapShape } from '../../config/schema.ts';
import { type S3ConnectionConfig, s3ConnectionShape } from '../../s3/config.ts';
import { formatIssue } from '../../s3/strftime.ts';
import { isTimeZone } from '../../s3/zoned-time.ts';
import { HAS_ZSTD, NO_ZSTD_MESSAGE } from '../helper/body-compression.ts';
import { deliveryShape } from '../helper/config.ts';
import { isStreamed, STREAMED_BYTES_MAX } from '../helper/streamed-batch.ts';
import { type ManifestConfig, manifestField, manifestIssues } from './manifest-config.ts';

export const MARSHALERS = ['otlp_json', 'otlp_proto', 'sumo_ic', 'body', 'parquet'] as const;
export type Marshaler = (typeof MARSHALERS)[number];
export type ObjectCompression = '' | 'gzip' | 'zstd';

export interface UploaderConfig {
  connection: S3ConnectionConfig;
  bucket: string;
  prefix: string;
  basePrefix: string;
  partitionFormat: string;
  timeZone: string;
  filePrefix: string;
  acl: string;
  storageClass: string;
  compression: ObjectCompression;
  uniqueKey: '' | 'uuidv7';
  /** An object that is there already is not written again. */
  isConditional: boolean;
}

export interface ResourceTargetsConfig {
  /** Names of resource attributes; empty: none. */
  bucketAttribute: string;
  prefixAttribute: string;
  /** Buckets that an attribute may name, beside the configured one. */
  allowedBuckets: readonly string[];
}

export interface Awss3Config {
  uploader: UploaderConfig;
  marshaler: Marshaler;
  resourceTargets: ResourceTargetsConfig;
  manifest: ManifestConfig;
  delivery: DeliveryConfig;
}

const MINUTE_FORMAT = 'year=%Y/month=%m/day=%d/hour=%H/minute=%M';
const HOUR_FORMAT = 'year=%Y/month=%m/day=%d/hour=%H';

const ACLS = [
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
];
const STORAGE_CLASSES = [
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER',
  'DEEP_ARCHIVE',
  'OUTPOSTS',
  'GLACIER_IR',
  'SNOW',
  'EXPRESS_ONEZONE',
  'FSX_OPENZFS',
  'FSX_ONTAP',
];

/** As written: the format and the older key that it replaced. */
interface UploaderKeys extends Omit<UploaderConfig, 'partitionFormat' | 'compression'> {
  compression: ObjectCompression | 'none';
  partitionFormat: string | undefined;
  partition: 'minute' | 'hour' | undefined;
}

const uploaderShape = mapShape(
  defineShape<UploaderKeys>(
    {
      connection: squash(s3ConnectionShape),
      bucket: string('s3_bucket', { default: '', doc: 'Bucket to write to.' }),
      prefix: string('s3_prefix', {
        default: '',
        doc: 'Beginning of keys, behind `s3_base_prefix`; a resource attribute may replace it.',
      }),
      basePrefix: string('s3_base_prefix', {
        default: '',
        doc: 'Beginning of all keys; nothing replaces it.',
      }),
      partitionFormat: string('s3_partition_format', {
        doc: `strftime format of the folders below the prefix; \`${MINUTE_FORMAT}\` when not set. The time is the one when the oldest data of the object arrived.`,
      }),
      partition: oneOf('s3_partition', {
        values: ['minute', 'hour'],
        doc: 'Older key for the same: `hour` leaves the minute out. `s3_partition_format` wins.',
      }),
      timeZone: string('s3_partition_timezone', {
        default: 'Local',
        doc: 'Time zone of that format: an IANA name, `UTC` or `Local`.',
      }),
      filePrefix: string('file_prefix', { default: '', doc: 'Beginning of the last part of keys.' }),
      acl: string('acl', { default: '', doc: 'Canned ACL of objects, such as `bucket-owner-full-control`.' }),
      storageClass: string('storage_class', { default: 'STANDARD', doc: 'Storage class of objects.' }),
      compression: oneOf('compression', {
        values: ['', 'none', 'gzip', 'zstd'],
        default: '',
        doc: 'Compression of objects; also their Content-Encoding. `zstd` needs Node.js 22.15.',
      }),
      uniqueKey: oneOf('unique_key_func_name', {
        values: ['', 'uuidv7'],
        default: '',
        doc: 'What makes keys unique: not set, the batch (its log, its first and last item); `uuidv7`, a UUID that is derived from it.',
      }),
      isConditional: boolean('if_none_match', {
        default: true,
        doc: 'Write only where there is no object yet, so that a repeated attempt changes nothing. Off for stores that do not know it. The Collector has no such key.',
      }),
    },
    checkUploader,
  ),
  ({ partition, partitionFormat, compression, ...keys }): UploaderConfig => ({
    ...keys,
    compression: compression === 'none' ? '' : compression,
    partitionFormat: partitionFormat ?? (partition === 'hour' ? HOUR_FORMAT : MINUTE_FORMAT),
  }),
);

const resourceTargetsShape = defineShape<ResourceTargetsConfig>(
  {
    bucketAttribute: string('s3_bucket', {
      default: '',
      doc: 'Resource attribute that names the bucket; only buckets of `allowed_buckets` are taken from it.',
    }),
    prefixAttribute: string('s3_prefix', {
      default: '',
      doc: 'Resource attribute whose value replaces `s3_prefix`.',
    }),
    allowedBuckets: stringList('allowed_buckets', {
      default: [],
      doc: 'Buckets that an attribute may name. Data that names another one goes to `s3uploader.s3_bucket`. The Collector has no such key and allows all.',
    }),
  },
  ({ bucketAttribute, allowedBuckets }) =>
    bucketAttribute !== '' && allowedBuckets.length === 0
      ? [
          {
            key: 'allowed_buckets',
            message: 'must list the buckets that the attribute may name: senders would choose any other',
          },
        ]
      : [],
);

export const awss3ConfigSchema = defineConfig<Awss3Config>(
  {
    uploader: section('s3uploader', uploaderShape, { doc: 'Where objects go and what they are called.' }),
    marshaler: oneOf('marshaler', {
      values: MARSHALERS,
      default: 'otlp_json',
      doc: 'What objects hold: one OTLP request as JSON or protobuf; for logs `body`, a line a record, or `sumo_ic`; `parquet`, a row an item, which the Collector does not have.',
    }),
    resourceTargets: section('resource_attrs_to_s3', resourceTargetsShape, {
      doc: 'Objects apart by resource.',
    }),
    manifest: manifestField,
    delivery: squash(deliveryShape({})),
  },
  checkConfig,
  [
    refused('encoding', 'is not supported: there are no encoding extensions; use "marshaler"'),
    refused('encoding_file_extension', 'is not supported: there are no encoding extensions'),
  ],
);

function checkUploader(keys: UploaderKeys): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (keys.bucket === '' && keys.connection.endpoint === undefined)
    issues.push({ key: 's3_bucket', message: 'bucket or endpoint is required' });
  if (keys.acl !== '' && !ACLS.includes(keys.acl)) issues.push({ key: 'acl', message: 'invalid ACL' });
  if (!STORAGE_CLASSES.includes(keys.storageClass))
    issues.push({ key: 'storage_class', message: 'invalid StorageClass' });
  if (!isTimeZone(keys.timeZone)) {
    const message = `invalid S3 partition timezone: unknown time zone ${keys.timeZone}`;
    issues.push({ key: 's3_partition_timezone', message });
  }
  if (keys.compression === 'zstd' && !HAS_ZSTD) issues.push({ key: 'compression', message: NO_ZSTD_MESSAGE });
  const format = formatIssue(keys.partitionFormat ?? '');
  if (format !== undefined) issues.push({ key: 's3_partition_format', message: format });
  if (keys.partition !== undefined && keys.partitionFormat !== undefined) {
    const message = 'has no effect: "s3_partition_format" wins';
    issues.push({ key: 's3_partition', message, isWarning: true });
  }
  return issues;
}

function checkConfig(config: Awss3Config): CheckIssue[] {
  const { uploader, marshaler, resourceTargets, manifest, delivery } = config;
  const issues: CheckIssue[] = manifestIssues(manifest, uploader.partitionFormat);
  const hasTargets = resourceTargets.bucketAttribute !== '' || resourceTargets.prefixAttribute !== '';
  const isStreaming = isStreamed({ ...delivery, streamsBatches: true });
  if (hasTargets && isStreaming) {
    const message =
      'must not be over 32MiB together with resource_attrs_to_s3: parts of a batch are put together in memory';
    issues.push({ key: 'sending_queue.batch.min_size', message });
  }
  if (marshaler === 'parquet' && isStreaming) {
    const message = 'must not be over 32MiB with marshaler "parquet", whose rows are put together in memory';
    issues.push({ key: 'sending_queue.batch.min_size', message });
  }
  if (marshaler === 'parquet' && uploader.compression !== '') {
    const message = 'is not for marshaler "parquet", whose pages are compressed by themselves';
    issues.push({ key: 's3uploader.compression', message });
  }
  const { minSize } = delivery.queue.batch;
  if (isStreaming && minSize > STREAMED_BYTES_MAX)
    issues.push({ key: 'sending_queue.batch.min_size', message: 'must not be over 1GiB' });
  if (uploader.bucket === '' && uploader.connection.endpoint !== undefined) {
    // The Collector starts without one and fails at every object whose resource does not name it.
    issues.push({ key: 's3uploader.s3_bucket', message: 'is required' });
  }
  return issues;
}

/** Undefined when the marshaler can say items of this signal. */
export function marshalerIssue(marshaler: Marshaler, signal: Signal): string | undefined {
  if (signal === 'logs') return undefined;
  if (marshaler === 'sumo_ic') return `${signal} are not supported by sumo_ic output format`;
  if (marshaler === 'body') return `${signal} can't be marshaled into txt format`;
  return undefined;
}
