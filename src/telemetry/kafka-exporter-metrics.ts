/** Metrics of the exporter `kafka`, as part of the table in metrics.ts. */
import type { MetricDefinition } from './metrics.ts';

const PREFIX = 'otelcol_kafka_exporter_';

const counter = (name: string, unit: string, doc: string): MetricDefinition => ({
  name: `${PREFIX}${name}`,
  kind: 'counter',
  unit,
  doc,
  level: 'normal',
  detailedLabels: ['partition'],
});

/** Seconds of a request to a broker. */
const LATENCY_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export const KAFKA_EXPORTER_METRICS: readonly MetricDefinition[] = [
  counter('records', '{record}', 'Records that were sent to a partition, by outcome.'),
  counter('messages', '{record}', 'The same under its older name.'),
  counter('bytes', 'By', 'Record batches of these records, compressed.'),
  counter('bytes_uncompressed', 'By', 'The same before compression.'),
  {
    name: 'millrace_kafka_exporter_missing_partitions',
    kind: 'counter',
    unit: '{batch}',
    doc: 'Record batches whose outcome was open when their topic was made again without their partition; they were sent anew.',
    level: 'normal',
  },
  {
    name: `${PREFIX}write_latency`,
    kind: 'histogram',
    unit: 's',
    doc: 'From the sending of a record batch to its answer.',
    level: 'detailed',
    bounds: LATENCY_BOUNDS,
    detailedLabels: ['partition'],
  },
];
