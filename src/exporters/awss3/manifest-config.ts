import { boolean, duration, section } from '../../config/field-kinds.ts';
import { type CheckIssue, defineShape } from '../../config/schema.ts';
import { partitionIssue } from './partition-folders.ts';

/** Key `manifest`. */
export interface ManifestConfig {
  isEnabled: boolean;
  settleMs: number;
  lookBackMs: number;
}

const manifestShape = defineShape<ManifestConfig>({
  isEnabled: boolean('enabled', { default: false, doc: 'Write manifests.' }),
  settleMs: duration('settle_time', {
    default: '5m',
    doc: 'Wait behind the end of the hour, and behind each object that comes later than that.',
  }),
  lookBackMs: duration('look_back', {
    default: '24h',
    doc: 'At start, folders of this much time are looked at for objects without a manifest, beside those that the data directory tells of.',
  }),
});

export const manifestField = section('manifest', manifestShape, {
  doc: 'An object for each hour that lists the others: their keys, sizes, items, times and checksums. The Collector has no such key.',
});

/** What the partition of keys makes impossible. */
export function manifestIssues({ isEnabled }: ManifestConfig, partitionFormat: string): CheckIssue[] {
  const issue = isEnabled ? partitionIssue(partitionFormat) : undefined;
  return issue === undefined ? [] : [{ key: 's3uploader.s3_partition_format', message: issue }];
}
