import type { Counter, Gauge, Histogram, Labels, LatencyRecorder, Meter } from '../../component/settings.ts';
import { ITEM_SUFFIX, type Signal } from '../../component/signal.ts';

/** Why items were given up. Codes are a fixed list, so they may be labels. */
export interface SendError {
  code: string;
  permanent: boolean;
}

/** Sizes of the batches that one `batch` processor cuts, and why they were cut. */
export class BatchProcessorMetrics {
  readonly #items: Histogram;
  readonly #bytes: Histogram;
  readonly #byTimeout: Counter;
  readonly #bySize: Counter;

  constructor(meter: Meter, processor: string) {
    this.#items = meter.histogram('otelcol_processor_batch_batch_send_size', { processor });
    this.#bytes = meter.histogram('otelcol_processor_batch_batch_send_size_bytes', { processor });
    this.#byTimeout = meter.counter('otelcol_processor_batch_timeout_trigger_send', { processor });
    this.#bySize = meter.counter('otelcol_processor_batch_batch_size_trigger_send', { processor });
  }

  cut(itemCount: number, sizeBytes: number, isFull: boolean): void {
    this.#items.record(itemCount);
    this.#bytes.record(sizeBytes);
    (isFull ? this.#bySize : this.#byTimeout).add(1);
  }
}

/** Series of one exporter and signal; touched once per batch. */
export class DeliveryMetrics {
  readonly #retries: Counter;
  readonly #failing: Gauge;
  readonly lost: Counter;
  readonly abandoned: Counter;
  readonly deadLettersDropped: Counter;
  readonly inFlight: Gauge;
  readonly exportCall: LatencyRecorder;
  readonly deliveryAge: LatencyRecorder;
  readonly #batchItems: Histogram;
  readonly #batchBytes: Histogram;
  readonly #sentItems: Counter;
  readonly #sentBytes: Counter;
  /** By kind of error; the last of its labels show at level detailed only. */
  readonly #failedByError = new Map<string, Counter>();
  readonly #openFailed: (error: Labels) => Counter;
  readonly #deadLetterItems: Counter;
  readonly #batchesSent: Counter;
  readonly #batchesDropped: Counter;
  readonly #batchesDeadLettered: Counter;

  /** @param peerLabels of the exporter, see `Exporter.peerLabels`. */
  constructor(meter: Meter, exporterId: string, signal: Signal, peerLabels: Labels = {}) {
    const exporter = { exporter: exporterId, ...peerLabels };
    const perType = { exporter: exporterId, data_type: signal };
    this.#retries = meter.counter('millrace_exporter_retries', perType);
    this.#failing = meter.gauge('millrace_exporter_failing', perType);
    this.lost = meter.counter('millrace_log_dropped_items', { ...perType, reason: 'damaged' });
    this.abandoned = meter.counter('millrace_exporter_abandoned_attempts', perType);
    this.deadLettersDropped = meter.counter('millrace_deadletter_dropped_items', perType);
    this.inFlight = meter.gauge('otelcol_exporter_in_flight_requests', perType);
    this.exportCall = meter.latency('export_call', perType);
    this.deliveryAge = meter.latency('delivery_age', perType);
    this.#batchItems = meter.histogram('otelcol_exporter_queue_batch_send_size', { exporter: exporterId });
    this.#batchBytes = meter.histogram('otelcol_exporter_queue_batch_send_size_bytes', {
      exporter: exporterId,
    });
    this.#sentItems = meter.counter(`otelcol_exporter_sent_${ITEM_SUFFIX[signal]}`, exporter);
    this.#openFailed = (error) =>
      meter.counter(`otelcol_exporter_send_failed_${ITEM_SUFFIX[signal]}`, { ...exporter, ...error });
    // Without an error there is a zero to compare with.
    this.#openFailed({}).add(0);
    this.#deadLetterItems = meter.counter('millrace_deadletter_items', perType);
    this.#sentBytes = meter.counter('millrace_exporter_sent_bytes', perType);
    const batches = (outcome: string) => meter.counter('millrace_exporter_batches', { ...perType, outcome });
    this.#batchesSent = batches('sent');
    this.#batchesDropped = batches('dropped');
    this.#batchesDeadLettered = batches('dead_lettered');
  }

  /** A batch is on its way, whatever becomes of it and however often it is tried. */
  batchBegins(itemCount: number, sizeBytes: number): void {
    this.#batchItems.record(itemCount);
    this.#batchBytes.record(sizeBytes);
  }

  /** An attempt failed and will be made again. */
  willRetry(): void {
    this.#retries.add(1);
    this.#failing.set(1);
  }

  /** @param rejectedCount items of the batch that the other side did not take, and never will. */
  sent(itemCount: number, sizeBytes: number, rejectedCount = 0): void {
    this.#failing.set(0);
    this.#sentItems.add(itemCount - rejectedCount);
    if (rejectedCount > 0) this.#failed(rejectedCount, { code: 'PARTIAL_SUCCESS', permanent: true });
    this.#sentBytes.add(sizeBytes);
    this.#batchesSent.add(1);
  }

  dropped(itemCount: number, error: SendError): void {
    this.#failed(itemCount, error);
    this.#batchesDropped.add(1);
  }

  /** Refused for good and written down: a failed send as the Collector counts it. One batch, or what is left of one. */
  deadLettered(itemCount: number, error: SendError): void {
    this.#failed(itemCount, error);
    this.#deadLetterItems.add(itemCount);
    this.#batchesDeadLettered.add(1);
  }

  #failed(itemCount: number, { code, permanent }: SendError): void {
    const key = `${code} ${permanent}`;
    let series = this.#failedByError.get(key);
    if (series === undefined) {
      series = this.#openFailed({ error_permanent: String(permanent), error_type: code });
      this.#failedByError.set(key, series);
    }
    series.add(itemCount);
  }
}
