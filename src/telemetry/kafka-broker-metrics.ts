/** Metrics of connections to Kafka brokers, of the exporter and the receiver `kafka`, as part of the table in metrics.ts. */
import type { MetricDefinition } from './metrics.ts';

const PREFIX = 'otelcol_kafka_broker_';

/** Seconds for which a broker holds a client back because of its quota. */
const THROTTLING_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export const KAFKA_BROKER_METRICS: readonly MetricDefinition[] = [
  {
    name: `${PREFIX}connects`,
    kind: 'counter',
    unit: '{connection}',
    doc: 'Connections to a broker, by whether they could be opened.',
    level: 'normal',
  },
  {
    name: `${PREFIX}closed`,
    kind: 'counter',
    unit: '{connection}',
    doc: 'Connections to a broker that had been open, closed by either side.',
    level: 'normal',
  },
  {
    name: `${PREFIX}throttling_latency`,
    kind: 'histogram',
    unit: 's',
    doc: 'How long a broker holds the exporter back when its quota is used up.',
    level: 'normal',
    bounds: THROTTLING_BOUNDS,
  },
];
