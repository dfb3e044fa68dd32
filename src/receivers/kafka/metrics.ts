/** Series of one receiver, looked up once for each partition and added to once for each record. */
import { OUTCOME_INTERNAL, OUTCOME_OK, type RequestOutcome } from '../../component/consumer.ts';
import type { Counter, Gauge, Histogram, Meter } from '../../component/settings.ts';
import { ITEM_SUFFIX, SIGNALS, type Signal } from '../../component/signal.ts';

const TRANSPORT = 'kafka';

/** Why a record was passed without being stored. */
export const DROP_REASONS = ['malformed', 'too_large', 'headers', 'internal', 'given_up'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export interface PartitionSeries {
  readonly read: Counter;
  readonly readOld: Counter;
  readonly bytes: Counter;
  readonly currentOffset: Gauge;
  readonly lag: Gauge;
  readonly failed: Counter;
  readonly failedBytes: Counter;
  readonly unmarshalFailed: Counter;
  readonly delay: Histogram | undefined;
}

type BySignal = Readonly<Record<Signal, Counter>>;

export class ReceiverMetrics {
  readonly partitionsStarted: Counter;
  readonly partitionsEnded: Counter;
  readonly retries: Counter;
  readonly heldPartitions: Gauge;
  readonly inFlightBytes: Gauge;
  readonly #meter: Meter;
  readonly #receiver: string;
  readonly #hasDelay: boolean;
  readonly #accepted: BySignal;
  readonly #refused: BySignal;
  readonly #failed: BySignal;
  readonly #rejected: BySignal;
  readonly #dropped: Readonly<Record<DropReason, Counter>>;

  constructor(meter: Meter, receiver: string, hasDelay: boolean) {
    this.#meter = meter;
    this.#receiver = receiver;
    this.#hasDelay = hasDelay;
    const labels = { receiver };
    const transport = { receiver, transport: TRANSPORT };
    const items = (prefix: string): BySignal =>
      bySignal((signal) => meter.counter(`${prefix}_${ITEM_SUFFIX[signal]}`, transport));
    this.partitionsStarted = meter.counter('otelcol_kafka_receiver_partition_start', labels);
    this.partitionsEnded = meter.counter('otelcol_kafka_receiver_partition_close', labels);
    this.retries = meter.counter('millrace_kafka_receiver_retries', labels);
    this.heldPartitions = meter.gauge('millrace_kafka_receiver_held_partitions', labels);
    this.inFlightBytes = meter.gauge('millrace_kafka_receiver_in_flight_bytes', labels);
    this.#accepted = items('otelcol_receiver_accepted');
    this.#refused = items('otelcol_receiver_refused');
    this.#failed = items('otelcol_receiver_failed');
    this.#rejected = bySignal((signal) =>
      meter.counter('millrace_receiver_rejected_items', { ...transport, otel_signal: signal }),
    );
    this.#dropped = Object.fromEntries(
      DROP_REASONS.map((reason) => [
        reason,
        meter.counter('millrace_kafka_receiver_dropped_records', { ...labels, reason }),
      ]),
    ) as Record<DropReason, Counter>;
  }

  partition(topic: string, partition: number, signal: Signal): PartitionSeries {
    const labels = { receiver: this.#receiver, topic, partition: String(partition) };
    const counter = (name: string, outcome?: string): Counter =>
      this.#meter.counter(
        `otelcol_kafka_receiver_${name}`,
        outcome === undefined ? labels : { ...labels, outcome },
      );
    return {
      read: counter('records', 'success'),
      readOld: counter('messages', 'success'),
      bytes: counter('bytes_uncompressed', 'success'),
      failed: counter('records', 'failure'),
      failedBytes: counter('bytes_uncompressed', 'failure'),
      currentOffset: this.#meter.gauge('otelcol_kafka_receiver_current_offset', labels),
      lag: this.#meter.gauge('otelcol_kafka_receiver_offset_lag', labels),
      unmarshalFailed: counter(`unmarshal_failed_${ITEM_SUFFIX[signal]}`),
      delay: this.#hasDelay
        ? this.#meter.histogram('otelcol_kafka_receiver_records_delay', labels)
        : undefined,
    };
  }

  countOutcome(signal: Signal, { code, itemCount, rejectedCount }: RequestOutcome): void {
    if (code === OUTCOME_OK) {
      this.#accepted[signal].add(itemCount - rejectedCount);
      if (rejectedCount > 0) this.#rejected[signal].add(rejectedCount);
    } else if (itemCount > 0) {
      (code === OUTCOME_INTERNAL ? this.#failed : this.#refused)[signal].add(itemCount);
    }
  }

  countDropped(reason: DropReason): void {
    this.#dropped[reason].add(1);
  }
}

function bySignal(make: (signal: Signal) => Counter): BySignal {
  return Object.fromEntries(SIGNALS.map((signal) => [signal, make(signal)])) as Record<Signal, Counter>;
}
