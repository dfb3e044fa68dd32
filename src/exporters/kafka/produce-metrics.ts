/** `otelcol_kafka_exporter_*` by topic, partition, broker and outcome. */
import type { Counter, Histogram, Meter } from '../../component/settings.ts';
import type { KafkaBroker } from '../../kafka/client.ts';
import type { ProducerObserver } from '../../kafka/producer.ts';
import type { PackedRecords } from '../../kafka/producer-lane.ts';

interface Series {
  records: Counter;
  messages: Counter;
  bytes: Counter;
  plainBytes: Counter;
  latency: Histogram;
}

/** Series of topics that attributes or clients name; what comes after them is counted under one name. */
const SERIES_MAX = 1000;
const OTHER_TOPIC = '_other';

export class ProduceMetrics implements ProducerObserver {
  readonly #meter: Meter;
  readonly #series = new Map<string, Series>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  batch(
    topic: string,
    partition: number,
    broker: KafkaBroker,
    records: PackedRecords,
    latencyMs: number,
    isOk: boolean,
  ): void {
    const series = this.#find(topic, partition, broker, isOk);
    series.records.add(records.recordCount);
    series.messages.add(records.recordCount);
    series.bytes.add(records.chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    series.plainBytes.add(records.plainBytes);
    series.latency.record(latencyMs / 1000);
  }

  #find(topic: string, partition: number, broker: KafkaBroker, isOk: boolean): Series {
    const { host } = broker.connectionPool;
    const key = `${isOk}/${broker.nodeId}/${partition}/${topic}`;
    const found = this.#series.get(key);
    if (found !== undefined) return found;
    const isFull = this.#series.size >= SERIES_MAX && topic !== OTHER_TOPIC;
    if (isFull) return this.#find(OTHER_TOPIC, 0, broker, isOk);
    const labels = {
      topic,
      partition: String(partition),
      node_id: String(broker.nodeId),
      server_address: host,
      outcome: isOk ? 'success' : 'failure',
    };
    const series = {
      records: this.#meter.counter('otelcol_kafka_exporter_records', labels),
      messages: this.#meter.counter('otelcol_kafka_exporter_messages', labels),
      bytes: this.#meter.counter('otelcol_kafka_exporter_bytes', labels),
      plainBytes: this.#meter.counter('otelcol_kafka_exporter_bytes_uncompressed', labels),
      latency: this.#meter.histogram('otelcol_kafka_exporter_write_latency', labels),
    };
    this.#series.set(key, series);
    return series;
  }
}
