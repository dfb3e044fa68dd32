import type { DeliveryConfig } from '../../component/factory.ts';
import {
  boolean,
  count,
  duration,
  oneOf,
  refused,
  section,
  squash,
  string,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape } from '../../config/schema.ts';
import { deliveryShape } from '../helper/config.ts';

export interface RotationConfig {
  /** 0 means the Collector's 100. */
  maxMegabytes: number;
  /** 0: age removes nothing. */
  maxDays: number;
  /** 0: number removes nothing. */
  maxBackups: number;
  usesLocalTime: boolean;
}

export interface FileConfig {
  path: string;
  appends: boolean;
  rotation: RotationConfig | undefined;
  format: 'json' | 'proto';
  compression: 'zstd' | undefined;
  compressionLevel: { level: number | undefined };
  flushIntervalMs: number;
  createsDirectory: boolean;
  directoryPermissions: string | undefined;
  groupBy: { isEnabled: boolean; resourceAttribute: string; maxOpenFiles: number };
  delivery: DeliveryConfig;
}

export const DIRECTORY_PERMISSIONS_DEFAULT = '0755';
const FLUSH_INTERVAL_MS = 1000;

const rotationShape = defineShape<RotationConfig>({
  maxMegabytes: count('max_megabytes', {
    default: 100,
    doc: 'Size in MiB at which a new file is begun; 0 means 100.',
  }),
  maxDays: count('max_days', { default: 0, doc: 'Older backups are deleted; 0 keeps them.' }),
  maxBackups: count('max_backups', {
    default: 100,
    doc: 'Backups over this number are deleted, oldest first; 0 keeps them.',
  }),
  usesLocalTime: boolean('localtime', {
    default: false,
    doc: 'Write the time in backup names in local time instead of UTC.',
  }),
});

const groupByShape = defineShape<FileConfig['groupBy']>({
  isEnabled: boolean('enabled', { default: false, doc: 'Refused when true.' }),
  resourceAttribute: string('resource_attribute', {
    default: 'fileexporter.path_segment',
    doc: 'Without effect.',
  }),
  maxOpenFiles: count('max_open_files', { default: 100, doc: 'Without effect.' }),
});

const compressionShape = defineShape<FileConfig['compressionLevel']>({
  level: count('level', { min: 1, max: 22, doc: 'zstd level; 3 when not set.' }),
});

export const fileConfigSchema = defineConfig<FileConfig>(
  {
    path: string('path', {
      required: true,
      pattern: /./s,
      patternHint: 'path must be non-empty',
      doc: 'File to write to. Exporters and signals with the same path share the file.',
    }),
    appends: boolean('append', {
      default: false,
      doc: 'Keep what the file holds when the engine starts. Without it the file is emptied, unless `rotation` is set.',
    }),
    rotation: section('rotation', rotationShape, {
      optional: true,
      doc: 'Begin a new file at a size, and delete old ones.',
    }),
    format: oneOf('format', {
      values: ['json', 'proto'],
      default: 'json',
      doc: 'OTLP JSON, one document per line, or length-prefixed OTLP protobuf.',
    }),
    compression: oneOf('compression', {
      values: ['zstd'],
      doc: 'Compress each message by itself; messages are then length-prefixed. Needs Node 22.15 or later.',
    }),
    compressionLevel: section('compression_params', compressionShape, { doc: 'How to compress.' }),
    flushIntervalMs: duration('flush_interval', {
      default: '1s',
      doc: 'Without effect: every batch is flushed to the disk before it counts as delivered.',
    }),
    createsDirectory: boolean('create_directory', {
      default: false,
      doc: 'Create the directory of the file, and those above it, when it does not exist.',
    }),
    directoryPermissions: string('directory_permissions', {
      pattern: /^0?[0-7]{3}$/,
      patternHint: 'must be octal permissions in quotes, such as "0755"',
      doc: `Permissions of a directory that is created; "${DIRECTORY_PERMISSIONS_DEFAULT}" when not set.`,
    }),
    groupBy: section('group_by', groupByShape, {
      doc: 'One file for each value of an attribute: not supported yet.',
    }),
    // One batch at a time keeps the order of the log in the file, and a file gains nothing from more.
    delivery: squash(deliveryShape({ timeout: '30s', numConsumers: 1 })),
  },
  checkConfig,
  [refused('encoding')],
);

function checkConfig(config: FileConfig): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (config.appends && config.compression !== undefined) {
    const message = 'append and compression enabled at the same time is not supported';
    issues.push({ key: 'append', message });
  }
  if (config.appends && config.rotation !== undefined) {
    const message = 'append and rotation enabled at the same time is not supported';
    issues.push({ key: 'append', message });
  }
  if (config.groupBy.isEnabled) issues.push({ key: 'group_by', message: 'is not supported yet' });
  if (config.directoryPermissions !== undefined && !config.createsDirectory) {
    const message = 'directory_permissions requires create_directory to be true';
    issues.push({ key: 'directory_permissions', message });
  }
  if (config.flushIntervalMs <= 0) {
    issues.push({ key: 'flush_interval', message: 'flush_interval must be larger than zero' });
  } else if (config.flushIntervalMs !== FLUSH_INTERVAL_MS) {
    const message = 'has no effect: every batch is flushed before it counts as delivered';
    issues.push({ key: 'flush_interval', message, isWarning: true });
  }
  return issues;
}
