/** Metrics of the receiver `kafka`, as part of the table in metrics.ts. */
import type { MetricDefinition, MetricKind } from './metrics.ts';

const PREFIX = 'otelcol_kafka_receiver_';
const OWN_PREFIX = 'millrace_kafka_receiver_';

function of(kind: MetricKind, name: string, unit: string, doc: string): MetricDefinition {
  return { name, kind, unit, doc, level: 'normal' };
}

/** Seconds from the production of a record to its reading. */
const DELAY_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

export const KAFKA_RECEIVER_METRICS: readonly MetricDefinition[] = [
  of(
    'counter',
    `${PREFIX}records`,
    '{record}',
    'Records of a partition that were read, by what became of them.',
  ),
  of('counter', `${PREFIX}messages`, '{record}', 'The same under its older name.'),
  of('counter', `${PREFIX}bytes_uncompressed`, 'By', 'Values of these records.'),
  of(
    'gauge',
    `${PREFIX}current_offset`,
    '{record}',
    'Offset of the newest record that was read of a partition.',
  ),
  of(
    'gauge',
    `${PREFIX}offset_lag`,
    '{record}',
    'Records of a partition behind the newest one that was read.',
  ),
  of('counter', `${PREFIX}partition_start`, '{partition}', 'Partitions that the group gave to this member.'),
  of('counter', `${PREFIX}partition_close`, '{partition}', 'Partitions that it took away again.'),
  of('counter', `${PREFIX}unmarshal_failed_spans`, '{record}', 'Records whose traces could not be decoded.'),
  of(
    'counter',
    `${PREFIX}unmarshal_failed_metric_points`,
    '{record}',
    'Records whose metrics could not be decoded.',
  ),
  of(
    'counter',
    `${PREFIX}unmarshal_failed_log_records`,
    '{record}',
    'Records whose logs could not be decoded.',
  ),
  {
    ...of(
      'histogram',
      `${PREFIX}records_delay`,
      's',
      'From the production of the newest record of a batch to its reading.',
    ),
    bounds: DELAY_BOUNDS,
  },
  {
    ...of(
      'counter',
      `${OWN_PREFIX}dropped_records`,
      '{record}',
      'Records that were passed without being stored, by reason.',
    ),
    level: 'basic',
  },
  of(
    'counter',
    `${OWN_PREFIX}retries`,
    '{attempt}',
    'Further tries of records that could not be stored at once.',
  ),
  of(
    'gauge',
    `${OWN_PREFIX}held_partitions`,
    '{partition}',
    'Partitions that wait for a record to be stored.',
  ),
  of('gauge', `${OWN_PREFIX}in_flight_bytes`, 'By', 'Values of records that are read and not yet flushed.'),
];
