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
    'Objects of an archive that were read: stored, read partly because of damage, or left out as none of the signals.',
  ),
  counter('bytes', 'By', 'Bytes of these objects, as they are stored.'),
  counter(
    'dropped_messages',
    '{request}',
    'Parts of objects that could not be stored, as they are no valid requests.',
  ),
];
