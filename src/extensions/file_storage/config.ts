import type { RetentionConfig } from '../../component/factory.ts';
import {
  boolean,
  byteCount,
  duration,
  ignored,
  integer,
  refused,
  section,
  string,
} from '../../config/field-kinds.ts';
import { defineConfig, defineShape } from '../../config/schema.ts';

/** Where the log of every exporter is that names this extension in `sending_queue.storage`. */
export interface FileStorageConfig {
  directory: string;
  createsDirectory: boolean;
  /** Octal text, e.g. `0750`. */
  directoryPermissions: string;
  /** undefined: what `--retain` says. */
  retain: RetentionConfig | undefined;
}

const WHOLE_SEGMENTS = 'disk space is given back by deleting whole segments, without compaction';

/** Checked and without effect; a log of segments that are deleted whole needs none of it. */
const compactionShape = defineShape({
  onStart: boolean('on_start', { default: false, doc: 'Compact at start.' }),
  onRebound: boolean('on_rebound', { default: false, doc: 'Compact after a peak.' }),
  directory: string('directory', { doc: 'Directory of the temporary copy.' }),
  neededMib: integer('rebound_needed_threshold_mib', { default: 100, doc: 'Size of a peak.' }),
  triggerMib: integer('rebound_trigger_threshold_mib', { default: 10, doc: 'Size after a peak.' }),
  maxTransactionSize: integer('max_transaction_size', { default: 65_536, doc: 'Bytes of one step.' }),
  checkIntervalMs: duration('check_interval', { default: '5s', doc: 'Time between two checks.' }),
  cleanupOnStart: boolean('cleanup_on_start', { default: false, doc: 'Remove temporary copies at start.' }),
});

const retainShape = defineShape<RetentionConfig>(
  {
    timeMs: duration('time', {
      doc: 'Kept until everything in a segment has been here for so long.',
    }),
    sizeBytes: byteCount('size', {
      doc: 'Most that delivered segments of all logs in the directory take, such as 50GiB; the oldest go first.',
    }),
  },
  ({ timeMs, sizeBytes }) =>
    timeMs === undefined && sizeBytes === undefined
      ? [{ key: '', message: 'needs `time`, `size` or both' }]
      : [],
);

export const fileStorageConfigSchema = defineConfig<FileStorageConfig>(
  {
    directory: string('directory', {
      default: '/var/lib/otelcol/file_storage',
      pattern: /[^\0]/,
      patternHint: 'must name a directory',
      doc: 'Directory of the logs. It must exist, unless `create_directory` is true.',
    }),
    createsDirectory: boolean('create_directory', {
      default: false,
      doc: 'Create the directory, and those above it, when it does not exist.',
    }),
    directoryPermissions: string('directory_permissions', {
      default: '0750',
      pattern: /^0?[0-7]{3}$/,
      patternHint: 'must be octal permissions in quotes, such as "0750"',
      doc: 'Permissions of a directory that is created.',
    }),
    retain: section('retain', retainShape, {
      optional: true,
      doc: 'Delivered data that is kept for `millrace cursors rewind`; ours, the Collector refuses it. Not set: as `--retain` says.',
    }),
  },
  undefined,
  [
    ignored(
      duration('timeout', { default: '1s', doc: 'Wait for the file lock.' }),
      'a locked log is an error at once',
    ),
    ignored(
      boolean('fsync', { default: false, doc: 'Flush every write.' }),
      'every write is flushed before its request is answered; --durability memory switches that off',
    ),
    ignored(section('compaction', compactionShape, { doc: 'Compaction.' }), WHOLE_SEGMENTS),
    refused('max_size', 'is not supported yet; --disk-budget bounds what is on disk'),
  ],
);
