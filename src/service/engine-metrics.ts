/** Gauges of rings and logs, read from shared memory at each scrape. */
import type { Meter } from '../component/settings.ts';
import type { LogDescriptor } from '../queue/log/contract.ts';
import { SharedWords } from '../queue/log/shared-words.ts';
import type { WorkerLane } from './ingest.ts';

interface WatchedLog {
  log: LogDescriptor;
  words: SharedWords;
}

export class EngineMetrics {
  readonly #meter: Meter;
  readonly #lanes: readonly WorkerLane[];
  readonly #logs: WatchedLog[];
  /** Of all logs together. */
  readonly #budgetBytes: number;

  constructor(meter: Meter, lanes: readonly WorkerLane[], logs: readonly LogDescriptor[]) {
    this.#meter = meter;
    this.#lanes = lanes;
    this.#logs = logs.map((log) => ({ log, words: new SharedWords(log.shared) }));
    this.#budgetBytes = Math.min(...logs.map(({ group }) => group?.budgetBytes ?? Number.POSITIVE_INFINITY));
  }

  update(): void {
    for (const [worker, lane] of this.#lanes.entries()) {
      const ring = { ring: `ingest-${worker}` };
      this.#meter.gauge('millrace_ring_used_bytes', ring).set(lane.requestRing.queuedBytes);
      this.#meter.gauge('millrace_ring_peak_bytes', ring).set(lane.requestRing.takePeakBytes());
      this.#meter.gauge('millrace_ring_capacity_bytes', ring).set(lane.requestRing.capacityBytes);
    }
    const queues = new Map<
      string,
      { exporter: string; signal: string; items: number; budgetBytes: number }
    >();
    for (const { log, words } of this.#logs) {
      const end = words.flushedEnd;
      const labels = { log: log.logId };
      this.#meter.gauge('millrace_log_size_bytes', labels).set(words.sizeBytes);
      this.#meter.gauge('millrace_log_budget_bytes', labels).set(log.limits.budgetBytes);
      this.#meter
        .gauge('millrace_log_items', labels)
        .set(Math.max(end - words.releasedByAll(end, log.cursorNames.length), 0));
      for (const [slot, exporter] of log.cursorNames.entries()) {
        const key = `${exporter} ${log.signal}`;
        const queue = queues.get(key) ?? { exporter, signal: log.signal, items: 0, budgetBytes: 0 };
        queue.items += Math.max(end - words.releasedOrdinal(slot), 0);
        queue.budgetBytes += log.limits.budgetBytes;
        queues.set(key, queue);
      }
    }
    for (const { exporter, signal, items, budgetBytes } of queues.values()) {
      const labels = { exporter, data_type: signal };
      this.#meter.gauge('otelcol_exporter_queue_size', labels).set(items);
      // The logs of an exporter may each fill a budget that they share, but not at the same time.
      this.#meter
        .gauge('otelcol_exporter_queue_capacity', labels)
        .set(Math.min(budgetBytes, this.#budgetBytes));
    }
  }

  /** Items of all logs that some exporter has not finished. */
  queuedItems(): number {
    return this.#logs.reduce((sum, { log, words }) => {
      const end = words.flushedEnd;
      return sum + Math.max(end - words.releasedByAll(end, log.cursorNames.length), 0);
    }, 0);
  }
}
