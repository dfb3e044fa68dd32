/** Metrics of the receiver `awss3`, as part of the table in metrics.ts. */
import type { MetricDefinition } from './metrics.ts';

const PREFIX = 'millrace_awss3_receiver_';

function counter(name: string, unit: string, doc: string): MetricDefinition {
  return { name: `${PREFIX}${name}`, kind: 'counter', unit, doc, level: 'normal' };
}

export const AWSS3_RECEIVER_METRICS: readonly MetricDefinition[] = [
  counter(
    'objects',
    '{object}',
    'Objects of an archive: stored, read partly because of damage, left out as none of the signals, or gone before they were read.',
  ),
  counter('bytes', 'By', 'Bytes of these objects, as they are stored.'),
  counter(
    'dropped_messages',
    '{request}',
    'Parts of objects that could not be stored, as they are no valid requests.',
  ),
  counter(
    'queue_messages',
    '{message}',
    'Messages of the queue: all their objects stored, nothing wanted in them (left_out), tests of S3; or still in the queue, as they failed or are malformed.',
  ),
  counter(
    'left_out_records',
    '{record}',
    'Records of these messages that tell of other events, other buckets or other prefixes.',
  ),
  {
    name: `${PREFIX}held_messages`,
    kind: 'gauge',
    unit: '{message}',
    doc: 'Messages of the queue that were received, and whose objects are not all stored or which are not deleted yet.',
    level: 'normal',
  },
];
