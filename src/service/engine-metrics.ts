/** Figures of rings and logs, read from shared memory at each scrape: threads that move data never count for them. */
import type { Meter } from '../component/settings.ts';
import type { LogDescriptor } from '../queue/log/contract.ts';
import { SharedWords } from '../queue/log/shared-words.ts';
import type { Clock } from '../stdx/clock.ts';
import type { WorkerLane } from './ingest.ts';
import { QueueAge } from './queue-age.ts';

interface WatchedLog {
  log: LogDescriptor;
  words: SharedWords;
  age: QueueAge;
  /** End that `millrace_log_flushed_items` has counted up to; undefined until the log is open. */
  countedEnd: number | undefined;
}

/** What all logs of one exporter and signal hold for it. */
interface ExporterQueue {
  exporter: string;
  signal: string;
  items: number;
  sizeBytes: number;
  budgetBytes: number;
  /** Infinity where no `queue_size` in items bounds it. */
  itemsMax: number;
  ageMs: number;
}

/**
 * Share of a log's bytes that one reader has not finished: bytes are not counted by item, but segments hold little
 * else than what somebody has not finished.
 */
function unfinishedBytes(words: SharedWords, end: number, items: number): number {
  const held = end - words.beginOrdinal;
  return held <= 0 ? 0 : Math.round((words.sizeBytes * Math.min(items, held)) / held);
}

export class EngineMetrics {
  readonly #meter: Meter;
  readonly #clock: Clock;
  readonly #lanes: readonly WorkerLane[];
  readonly #logs: WatchedLog[];
  /** Of all logs together. */
  readonly #budgetBytes: number;

  constructor(meter: Meter, lanes: readonly WorkerLane[], logs: readonly LogDescriptor[], clock: Clock) {
    this.#meter = meter;
    this.#clock = clock;
    this.#lanes = lanes;
    this.#logs = logs.map((log) => ({
      log,
      words: new SharedWords(log.shared),
      age: new QueueAge(),
      countedEnd: undefined,
    }));
    this.#budgetBytes = Math.min(...logs.map(({ group }) => group?.budgetBytes ?? Number.POSITIVE_INFINITY));
  }

  /** To be called when the logs are open and nothing new was taken: what they hold then is not counted as flushed. */
  logsAreOpen(): void {
    for (const watched of this.#logs) watched.countedEnd = watched.words.flushedEnd;
    this.look();
  }

  /** Notes how far the logs have come. To be called every few seconds, so that ages are known to that precision. */
  look(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const { log, words, age } of this.#logs) {
      const end = words.flushedEnd;
      age.look(end, words.releasedByAll(end, log.cursorNames.length), nowMs);
    }
  }

  update(): void {
    this.look();
    for (const [worker, lane] of this.#lanes.entries()) {
      const ring = { ring: `ingest-${worker}` };
      this.#meter.gauge('millrace_ring_used_bytes', ring).set(lane.requestRing.queuedBytes);
      this.#meter.gauge('millrace_ring_peak_bytes', ring).set(lane.requestRing.takePeakBytes());
      this.#meter.gauge('millrace_ring_capacity_bytes', ring).set(lane.requestRing.capacityBytes);
    }
    const queues = new Map<string, ExporterQueue>();
    for (const watched of this.#logs) {
      this.#updateLog(watched);
      this.#addToQueues(watched, queues);
    }
    for (const queue of queues.values()) this.#updateQueue(queue);
  }

  #updateLog(watched: WatchedLog): void {
    const { log, words, countedEnd } = watched;
    const end = words.flushedEnd;
    const labels = { log: log.logId };
    this.#meter.gauge('millrace_log_size_bytes', labels).set(words.sizeBytes);
    this.#meter.gauge('millrace_log_budget_bytes', labels).set(log.limits.budgetBytes);
    this.#meter.gauge('millrace_log_retained_bytes', labels).set(words.retainedBytes);
    if (words.oldestUnixMs > 0)
      this.#meter.gauge('millrace_log_oldest_time', labels).set(words.oldestUnixMs / 1000);
    this.#meter
      .gauge('millrace_log_items', labels)
      .set(Math.max(end - words.releasedByAll(end, log.cursorNames.length), 0));
    if (countedEnd === undefined) return;
    this.#meter.counter('millrace_log_flushed_items', labels).add(Math.max(end - countedEnd, 0));
    watched.countedEnd = end;
  }

  #addToQueues({ log, words, age }: WatchedLog, queues: Map<string, ExporterQueue>): void {
    if (log.isPending === true) return;
    const end = words.flushedEnd;
    const nowMs = this.#clock.monotonicMs();
    for (const [slot, exporter] of log.cursorNames.entries()) {
      const key = `${exporter} ${log.signal}`;
      const queue = queues.get(key) ?? {
        exporter,
        signal: log.signal,
        items: 0,
        sizeBytes: 0,
        budgetBytes: 0,
        itemsMax: 0,
        ageMs: 0,
      };
      const released = words.releasedOrdinal(slot);
      const items = Math.max(end - released, 0);
      queue.items += items;
      queue.sizeBytes += unfinishedBytes(words, end, items);
      queue.budgetBytes += log.limits.budgetBytes;
      queue.itemsMax += log.limits.itemsMax ?? Number.POSITIVE_INFINITY;
      queue.ageMs = Math.max(queue.ageMs, age.ageMs(released, nowMs));
      queues.set(key, queue);
    }
  }

  /** Size and capacity have one unit, so that their ratio means what every alert for Collectors takes it for. */
  #updateQueue({ exporter, signal, items, sizeBytes, budgetBytes, itemsMax, ageMs }: ExporterQueue): void {
    const labels = { data_type: signal, exporter };
    const isInItems = Number.isFinite(itemsMax);
    // The logs of an exporter may each fill a budget that they share, but not at the same time.
    const capacity = isInItems ? itemsMax : Math.min(budgetBytes, this.#budgetBytes);
    this.#meter.gauge('otelcol_exporter_queue_size', labels).set(isInItems ? items : sizeBytes);
    this.#meter.gauge('otelcol_exporter_queue_capacity', labels).set(capacity);
    this.#meter.gauge('millrace_exporter_queue_items', labels).set(items);
    this.#meter.gauge('millrace_exporter_queue_age', labels).set(ageMs / 1000);
  }

  /** Items of all logs that some exporter has not finished. */
  queuedItems(): number {
    return this.#logs.reduce((sum, { log, words }) => {
      if (log.isPending === true) return sum;
      const end = words.flushedEnd;
      return sum + Math.max(end - words.releasedByAll(end, log.cursorNames.length), 0);
    }, 0);
  }
}
