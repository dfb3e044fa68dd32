/** Keys of the receiver `awss3`: those of the Collector for a time range or a queue, and bounds of what an object may hold. */
import {
  anything,
  boolean,
  byteCount,
  ignored,
  oneOf,
  refused,
  section,
  squash,
  string,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape, mapShape } from '../../config/schema.ts';
import { timeOfFolders } from '../../s3/archive-time.ts';
import { type S3ConnectionConfig, s3ConnectionShape } from '../../s3/config.ts';
import { formatIssue, formatTime } from '../../s3/strftime.ts';
import { isTimeZone, ZoneClock } from '../../s3/zoned-time.ts';
import { type QueueConfig, queueShape } from './queue-config.ts';

export interface DownloaderConfig {
  connection: S3ConnectionConfig;
  bucket: string;
  prefix: string;
  partitionFormat: string;
  timeZone: string;
  filePrefix: string;
  /** Names of objects say which signal they hold, behind `filePrefix`. */
  includesSignal: boolean;
}

export interface Awss3ReceiverConfig {
  /** Both are empty, or none: then `queue` is undefined. */
  startTime: string;
  endTime: string;
  queue: QueueConfig | undefined;
  downloader: DownloaderConfig;
  messageBytesMax: number;
  objectBytesMax: number;
}

interface DownloaderKeys extends Omit<DownloaderConfig, 'partitionFormat'> {
  partitionFormat: string | undefined;
  partition: 'minute' | 'hour' | undefined;
}

const MINUTE_FORMAT = 'year=%Y/month=%m/day=%d/hour=%H/minute=%M';
const HOUR_FORMAT = 'year=%Y/month=%m/day=%d/hour=%H';
const TIME = /^(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d))?$/;
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
/** Any moment with five different numbers. */
const SAMPLE_MS = Date.UTC(2026, 2, 4, 5, 6);

const NO_TAGS = 'is not supported: the position is kept on disk instead; remove it';

const downloaderShape = mapShape(
  defineShape<DownloaderKeys>(
    {
      connection: squash(s3ConnectionShape),
      bucket: string('s3_bucket', { default: '', doc: 'Bucket to read.' }),
      prefix: string('s3_prefix', {
        default: '',
        doc: 'Beginning of keys before the partition; with an exporter that has `s3_base_prefix`, both of them.',
      }),
      partitionFormat: string('s3_partition_format', {
        doc: `strftime format of the folders below the prefix; \`${MINUTE_FORMAT}\` when not set. Any format whose folders name the time can be read: by name as here, as \`dt=%Y-%m-%d/hour=%H\`, or as \`%Y/%m/%d/%H\`.`,
      }),
      partition: oneOf('s3_partition', {
        values: ['minute', 'hour'],
        doc: 'Older key for the same: `hour` leaves the minute out. `s3_partition_format` wins.',
      }),
      timeZone: string('s3_partition_timezone', {
        default: 'UTC',
        doc: 'Time zone of that format: an IANA name, `UTC` or `Local`. An exporter whose zone is not set writes `Local`.',
      }),
      filePrefix: string('file_prefix', { default: '', doc: 'Beginning of the last part of keys.' }),
      includesSignal: boolean('file_prefix_include_telemetry_type', {
        default: true,
        doc: 'The signal stands behind `file_prefix` in the names of objects. When it does not, the receiver must be in pipelines of one signal.',
      }),
    },
    checkDownloader,
    [
      ignored(
        anything('endpoint_partition_id', { doc: 'Partition of AWS that the endpoint belongs to.' }),
        'an endpoint needs no partition',
      ),
      refused('tag_object_after_ingestion', NO_TAGS),
      refused('skip_ingesting_tagged_objects', NO_TAGS),
    ],
  ),
  ({ partition, partitionFormat, ...keys }): DownloaderConfig => ({
    ...keys,
    partitionFormat: partitionFormat ?? (partition === 'hour' ? HOUR_FORMAT : MINUTE_FORMAT),
  }),
);

export const awss3ReceiverConfigSchema = defineConfig<Awss3ReceiverConfig>(
  {
    startTime: string('starttime', {
      default: '',
      doc: 'Read what was written from then on: `2026-03-01T08:00:00Z`, `2026-03-01 08:00` or `2026-03-01`, in UTC.',
    }),
    endTime: string('endtime', {
      default: '',
      doc: 'Read what was written before then, in the same notations.',
    }),
    queue: section('sqs', queueShape, {
      optional: true,
      doc: 'Read new objects as they are written, instead of a range of time: a queue of SQS tells of them.',
    }),
    downloader: section('s3downloader', downloaderShape, {
      doc: 'Where objects are and what they are called.',
    }),
    messageBytesMax: byteCount('max_message_size', {
      default: '20MiB',
      min: 1 << 20,
      doc: 'Largest part of an object that cannot be cut: a resource with its items. Larger ones are left out and counted. The Collector has no such key.',
    }),
    objectBytesMax: byteCount('max_object_size', {
      default: '8GiB',
      min: 1 << 20,
      doc: 'Most bytes of one object after decompression; the rest of a larger one is left out and counted. The Collector has no such key.',
    }),
  },
  checkConfig,
  [
    refused(
      'encodings',
      'is not supported: there are no encoding extensions; OTLP/JSON and OTLP protobuf are read',
    ),
    refused(
      'notifications',
      'is not supported: there is no OpAMP extension; the log and metrics tell the progress',
    ),
  ],
);

/** Milliseconds since the epoch; undefined for what is no time. */
export function parseTime(text: string): number | undefined {
  const match = TIME.exec(text);
  const iso = match === null ? (RFC_3339.test(text) ? text : '') : `${match[1]}T${match[2] ?? '00:00'}:00Z`;
  const unixMs = Date.parse(iso);
  return Number.isNaN(unixMs) ? undefined : unixMs;
}

function checkDownloader(keys: DownloaderKeys): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (keys.bucket === '') issues.push({ key: 's3_bucket', message: 'bucket is required' });
  if (!isTimeZone(keys.timeZone))
    issues.push({ key: 's3_partition_timezone', message: `unknown time zone ${keys.timeZone}` });
  const format = keys.partitionFormat;
  if (format === undefined) return issues;
  const message =
    formatIssue(format) ?? (namesTime(format) ? undefined : 'has no folders that name the time');
  if (message !== undefined) issues.push({ key: 's3_partition_format', message });
  return issues;
}

/** Whether folders are read back as the span of time that is formatted like them, no longer and no shorter. */
function namesTime(format: string): boolean {
  const clock = new ZoneClock('UTC');
  const folders = (unixMs: number) => `${formatTime(clock.at(unixMs), format)}/`;
  const time = timeOfFolders(folders(SAMPLE_MS), 'UTC');
  if (time === undefined) return false;
  const isSame = (unixMs: number) => folders(unixMs) === folders(SAMPLE_MS);
  return isSame(time.fromMs) && isSame(time.toMs - 1) && !isSame(time.fromMs - 1) && !isSame(time.toMs);
}

function checkConfig({ startTime, endTime, queue }: Awss3ReceiverConfig): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const add = (key: string, message: string) => issues.push({ key, message });
  const times = { starttime: startTime, endtime: endTime };
  if (startTime === '' && endTime === '' && queue === undefined)
    add('', 'either starttime/endtime or sqs configuration must be provided');
  if (startTime !== '' && endTime === '') add('endtime', 'when starttime is specified, endtime is required');
  if (startTime === '' && endTime !== '')
    add('starttime', 'when endtime is specified, starttime is required');
  if (startTime !== '' && queue !== undefined)
    add('sqs', 'starttime/endtime and sqs configuration cannot be used together');
  for (const [key, text] of Object.entries(times)) {
    if (text !== '' && parseTime(text) === undefined)
      add(
        key,
        `must be a time such as 2026-03-01T08:00:00Z, "2026-03-01 08:00" or 2026-03-01, got "${text}"`,
      );
  }
  const [from, to] = [parseTime(startTime), parseTime(endTime)];
  if (from !== undefined && to !== undefined && from >= to) add('endtime', 'must be later than starttime');
  return issues;
}
