import type { Counter, Gauge, LatencyRecorder, Meter } from '../../component/settings.ts';
import { ITEM_SUFFIX, type Signal } from '../../component/signal.ts';

/** Series of one exporter and signal; touched once per batch. */
export class DeliveryMetrics {
  readonly retries: Counter;
  readonly lost: Counter;
  readonly inFlight: Gauge;
  readonly exportCall: LatencyRecorder;
  readonly deliveryAge: LatencyRecorder;
  readonly #sentItems: Counter;
  readonly #sentBytes: Counter;
  readonly #failedItems: Counter;
  readonly #batchesSent: Counter;
  readonly #batchesDropped: Counter;

  constructor(meter: Meter, exporterId: string, signal: Signal) {
    const exporter = { exporter: exporterId };
    const perType = { exporter: exporterId, data_type: signal };
    this.retries = meter.counter('millrace_exporter_retries', perType);
    this.lost = meter.counter('millrace_log_dropped_items', { ...perType, reason: 'damaged' });
    this.inFlight = meter.gauge('otelcol_exporter_in_flight_requests', perType);
    this.exportCall = meter.latency('export_call', perType);
    this.deliveryAge = meter.latency('delivery_age', perType);
    this.#sentItems = meter.counter(`otelcol_exporter_sent_${ITEM_SUFFIX[signal]}`, exporter);
    this.#failedItems = meter.counter(`otelcol_exporter_send_failed_${ITEM_SUFFIX[signal]}`, exporter);
    this.#sentBytes = meter.counter('millrace_exporter_sent_bytes', perType);
    this.#batchesSent = meter.counter('millrace_exporter_batches', { ...perType, outcome: 'sent' });
    this.#batchesDropped = meter.counter('millrace_exporter_batches', { ...perType, outcome: 'dropped' });
  }

  sent(itemCount: number, sizeBytes: number): void {
    this.#sentItems.add(itemCount);
    this.#sentBytes.add(sizeBytes);
    this.#batchesSent.add(1);
  }

  dropped(itemCount: number): void {
    this.#failedItems.add(itemCount);
    this.#batchesDropped.add(1);
  }
}
