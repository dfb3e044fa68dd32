import type { Counter, Gauge, Labels, LatencyRecorder, Meter } from '../../component/settings.ts';
import { ITEM_SUFFIX, type Signal } from '../../component/signal.ts';

/** Series of one exporter and signal; touched once per batch. */
export class DeliveryMetrics {
  readonly retries: Counter;
  readonly lost: Counter;
  readonly abandoned: Counter;
  readonly deadLettersDropped: Counter;
  readonly inFlight: Gauge;
  readonly exportCall: LatencyRecorder;
  readonly deliveryAge: LatencyRecorder;
  readonly #sentItems: Counter;
  readonly #sentBytes: Counter;
  readonly #failedItems: Counter;
  readonly #deadLetterItems: Counter;
  readonly #batchesSent: Counter;
  readonly #batchesDropped: Counter;
  readonly #batchesDeadLettered: Counter;

  /** @param peerLabels of the exporter, see `Exporter.peerLabels`. */
  constructor(meter: Meter, exporterId: string, signal: Signal, peerLabels: Labels = {}) {
    const exporter = { exporter: exporterId, ...peerLabels };
    const perType = { exporter: exporterId, data_type: signal };
    this.retries = meter.counter('millrace_exporter_retries', perType);
    this.lost = meter.counter('millrace_log_dropped_items', { ...perType, reason: 'damaged' });
    this.abandoned = meter.counter('millrace_exporter_abandoned_attempts', perType);
    this.deadLettersDropped = meter.counter('millrace_deadletter_dropped_items', perType);
    this.inFlight = meter.gauge('otelcol_exporter_in_flight_requests', perType);
    this.exportCall = meter.latency('export_call', perType);
    this.deliveryAge = meter.latency('delivery_age', perType);
    this.#sentItems = meter.counter(`otelcol_exporter_sent_${ITEM_SUFFIX[signal]}`, exporter);
    this.#failedItems = meter.counter(`otelcol_exporter_send_failed_${ITEM_SUFFIX[signal]}`, exporter);
    this.#deadLetterItems = meter.counter('millrace_deadletter_items', perType);
    this.#sentBytes = meter.counter('millrace_exporter_sent_bytes', perType);
    const batches = (outcome: string) => meter.counter('millrace_exporter_batches', { ...perType, outcome });
    this.#batchesSent = batches('sent');
    this.#batchesDropped = batches('dropped');
    this.#batchesDeadLettered = batches('dead_lettered');
  }

  /** @param rejectedCount items of the batch that the other side did not take, and never will. */
  sent(itemCount: number, sizeBytes: number, rejectedCount = 0): void {
    this.#sentItems.add(itemCount - rejectedCount);
    if (rejectedCount > 0) this.#failedItems.add(rejectedCount);
    this.#sentBytes.add(sizeBytes);
    this.#batchesSent.add(1);
  }

  dropped(itemCount: number): void {
    this.#failedItems.add(itemCount);
    this.#batchesDropped.add(1);
  }

  /** Refused for good and written down: a failed send as the Collector counts it. One batch, or what is left of one. */
  deadLettered(itemCount: number): void {
    this.#failedItems.add(itemCount);
    this.#deadLetterItems.add(itemCount);
    this.#batchesDeadLettered.add(1);
  }
}
