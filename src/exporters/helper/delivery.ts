/** Drains one log into one exporter: freeze, send with retries, finish. Runs in an exporter worker. */
import type { ExportBatch, Exporter } from '../../component/exporter.ts';
import type { DeliveryConfig } from '../../component/factory.ts';
import type { Logger } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import type { LogCursor, LogReader } from '../../queue/log/contract.ts';
import { sleepUnlessAborted } from '../../stdx/abortable.ts';
import type { Clock } from '../../stdx/clock.ts';
import { failpoint } from '../../stdx/failpoint.ts';
import type { Prng } from '../../stdx/prng.ts';
import { type AssembledBatch, assembleBoundary, BatchAssembler } from './batch-assembler.ts';
import { type BatchPart, Partition } from './batch-partition.ts';
import { BatchSender, type SendEnd } from './batch-sender.ts';
import type { DeadLetterSink } from './dead-letters.ts';
import type { BatchProcessorMetrics, DeliveryMetrics } from './delivery-metrics.ts';
import type { ExporterSpans } from './exporter-spans.ts';
import type { SendSlots } from './send-slots.ts';
import type { SendThrottle } from './send-throttle.ts';
import { assembleStreamed, isStreamed, StreamedAssembler } from './streamed-batch.ts';

/** Bytes of batches that one delivery holds in memory, sent or waiting for a retry. One batch always may. */
export const IN_FLIGHT_BYTES_MAX = 64 << 20;
const IDLE_WAIT_MS = 500;

export interface DeliveryDependencies {
  exporter: Exporter;
  signal: Signal;
  reader: LogReader;
  cursor: LogCursor;
  config: DeliveryConfig;
  /** Durable logs have no elapsed limit unless the user sets one; others have the Collector's five minutes. */
  isDurable: boolean;
  clock: Clock;
  prng: Prng;
  logger: Logger;
  metrics: DeliveryMetrics;
  /** Of the `batch` processor whose keys cut the batches; undefined when the exporter's own do. */
  batchMetrics?: BatchProcessorMetrics;
  /** undefined: no spans. */
  spans?: ExporterSpans;
  /** Sends in flight of all deliveries of this exporter: `num_consumers` bounds them together. */
  slots: SendSlots;
  /** Of all deliveries of this exporter together, as the slots are. */
  throttle: SendThrottle;
  /** Where items go that the backend refuses for good; without it they are dropped. */
  deadLetters?: DeadLetterSink;
  /** Told of items that are neither delivered nor dead-lettered, before the position moves over them. */
  onGivenUp?: () => void;
  /** Instead of the usual time that an exporter gets behind its timeout, for tests. */
  graceMs?: number;
}

const MAX_ELAPSED_MEMORY_MS = 300_000;

export class Delivery {
  readonly #deps: DeliveryDependencies;
  readonly #stop = new AbortController();
  readonly #assembler: BatchAssembler | StreamedAssembler;
  readonly #sender: BatchSender;
  readonly #sends = new Set<Promise<void>>();
  readonly #partition: Partition | undefined;
  readonly #idPrefix: string;
  /** Parts of frozen batches that wait for a send slot: they come before whatever is read next. */
  #waitingParts = 0;
  #inFlightBytes = 0;
  #failure: unknown;

  constructor(deps: DeliveryDependencies) {
    this.#deps = deps;
    const { cursor, reader, config } = deps;
    // A backend that remembers ids must take what is wanted a second time for new.
    const again = cursor.generation === 0 ? '' : `.r${cursor.generation}`;
    this.#idPrefix = `${reader.logId}.${reader.incarnation}${again}`;
    const start = Math.max(cursor.frozenEnd, reader.beginOrdinal());
    const { batch } = config.queue;
    if (batch.partition !== undefined) this.#partition = new Partition(batch.partition);
    this.#assembler = isStreamed(config)
      ? new StreamedAssembler(reader, deps.signal, batch, start)
      : new BatchAssembler(reader, deps.signal, batch, start, this.#partition);
    this.#sender = new BatchSender({
      ...deps,
      maxElapsedMs: config.retry.maxElapsedMs ?? (deps.isDurable ? 0 : MAX_ELAPSED_MEMORY_MS),
      deadLetters: deps.deadLetters,
      stop: this.#stop.signal,
    });
  }

  /** Runs until `stop`. Rejects only when the log itself fails. */
  async run(): Promise<void> {
    const assemble = this.#deps.config.streamsBatches === true ? assembleStreamed : assembleBoundary;
    for (const boundary of [...this.#deps.cursor.frozen]) {
      if (!(await this.#untilReadable(boundary.end))) break;
      this.#deps.slots.take();
      this.#startSend(assemble(this.#deps.reader, this.#deps.signal, boundary, this.#partition));
    }
    while (!this.#isStopped) {
      const endOrdinal = this.#deps.reader.endOrdinal();
      const batches = this.#collect();
      if (batches.length > 0) await this.#freezeAndSend(batches);
      else if (this.#hasNothingUpTo(endOrdinal)) await this.#passGap(endOrdinal);
      else await this.#waitForWork();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends waits and attempts; what was not confirmed stays in the log under its frozen boundaries. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#sends);
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /**
   * Waits for a send slot and until the log shows items up to `end`: before its writer is open it shows none, and
   * what is only not there yet must not be taken for lost. False when stopped.
   */
  async #untilReadable(end: number): Promise<boolean> {
    const { reader, slots } = this.#deps;
    while (!this.#isStopped && reader.endOrdinal() < end) await reader.waitBeyond(end - 1, IDLE_WAIT_MS);
    while (!this.#isStopped && !this.#hasRoom()) await slots.whenFreed();
    return !this.#isStopped;
  }

  #hasRoom(moreBytes = 0): boolean {
    if (this.#deps.slots.free <= 0 || this.#waitingParts > 0) return false;
    return this.#inFlightBytes + moreBytes < IN_FLIGHT_BYTES_MAX;
  }

  /** Reads what may be sent now; each batch holds its slot from here on, because freezing takes a while. */
  #collect(): AssembledBatch[] {
    const { slots, clock, cursor } = this.#deps;
    const batches: AssembledBatch[] = [];
    let bytes = 0;
    while (batches.length < cursor.freezable && this.#hasRoom(bytes)) {
      const batch = this.#assembler.next(clock.monotonicMs());
      if (batch === undefined) break;
      slots.take();
      for (const part of batch.parts?.values() ?? [batch])
        this.#deps.batchMetrics?.cut(part.itemCount, part.sizeBytes, batch.isFull);
      batches.push(batch);
      bytes += heldBytes(batch);
    }
    return batches;
  }

  async #freezeAndSend(batches: readonly AssembledBatch[]): Promise<void> {
    try {
      await this.#deps.cursor.freeze(batches.map((batch) => batch.boundary));
      failpoint('exporter.frozen');
    } catch (error) {
      for (const _ of batches) this.#deps.slots.give();
      throw error;
    }
    for (const batch of batches) {
      // Stopped meanwhile: the next start sends it under this same boundary.
      if (this.#isStopped) this.#deps.slots.give();
      else this.#startSend(batch);
    }
  }

  /** The log says that it goes on, and yet there was no record and no batch is open: the newest segment was set aside. */
  #hasNothingUpTo(endOrdinal: number): boolean {
    const isIdle = this.#assembler.dueInMs(this.#deps.clock.monotonicMs()) === undefined;
    return (
      isIdle && this.#hasRoom() && this.#deps.cursor.freezable > 0 && this.#assembler.position < endOrdinal
    );
  }

  /** Moves the cursor over ordinals that hold nothing, so that they neither count as queued nor are read for ever. */
  async #passGap(endOrdinal: number): Promise<void> {
    const gap = { first: this.#assembler.position, end: endOrdinal };
    await this.#deps.cursor.freeze([gap]);
    this.#deps.cursor.finish(gap);
    this.#assembler.skipTo(endOrdinal);
  }

  async #waitForWork(): Promise<void> {
    if (!this.#hasRoom() || this.#deps.cursor.freezable <= 0) return this.#deps.slots.whenFreed();
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#assembler.dueInMs(nowMs) === undefined)
      await this.#deps.reader.waitBeyond(this.#assembler.position, IDLE_WAIT_MS);
    else await sleepUnlessAborted(this.#assembler.nextReadInMs(nowMs), this.#stop.signal);
  }

  /** The batch's slot is taken already and is given back at its end. */
  #startSend(batch: AssembledBatch): void {
    const { slots, metrics } = this.#deps;
    this.#inFlightBytes += heldBytes(batch);
    metrics.inFlight.set(slots.inFlight);
    const send = this.#send(batch)
      .catch((error: unknown) => {
        this.#failure ??= error;
        this.#stop.abort();
      })
      .finally(() => {
        this.#inFlightBytes -= heldBytes(batch);
        this.#sends.delete(send);
        // Parts have given theirs back; whoever waited for one may have waited for the memory as well.
        if (batch.parts === undefined) slots.give();
        else slots.wake();
        metrics.inFlight.set(slots.inFlight);
      });
    this.#sends.add(send);
  }

  async #send(batch: AssembledBatch): Promise<void> {
    const { cursor, metrics, logger } = this.#deps;
    if (batch.lostCount > 0) {
      metrics.lost.add(batch.lostCount);
      logger.error('items were lost in a damaged part of the log', { count: batch.lostCount });
    }
    const end = batch.parts === undefined ? await this.#sendPart(batch, batch) : await this.#sendParts(batch);
    if (!end.isFinished) return;
    failpoint('exporter.before_finish');
    cursor.finish(batch.boundary);
    if (end.isAbandoned) this.#assembler.forget(batch);
    else this.#assembler.release(batch);
  }

  /**
   * Parts are sent side by side, as slots allow: one that a backend refuses for a while must not hold up the clients of
   * the others. The boundary is finished when all are. The batch's slot becomes that of the first part.
   */
  async #sendParts(batch: AssembledBatch): Promise<SendEnd> {
    const { slots, metrics } = this.#deps;
    let hasSlot = true;
    const send = async (part: BatchPart): Promise<SendEnd> => {
      const isFirst = hasSlot;
      hasSlot = false;
      if (!isFirst && !(await this.#takeSlot())) return { isFinished: false, isAbandoned: false };
      try {
        return await this.#sendPart(batch, part);
      } finally {
        slots.give();
        metrics.inFlight.set(slots.inFlight);
      }
    };
    const ends = await Promise.all([...batch.parts!.values()].map(send));
    if (hasSlot) slots.give();
    return {
      isFinished: ends.every(({ isFinished }) => isFinished),
      isAbandoned: ends.some(({ isAbandoned }) => isAbandoned),
    };
  }

  /** False when stopped. */
  async #takeSlot(): Promise<boolean> {
    const { slots, metrics } = this.#deps;
    this.#waitingParts += 1;
    while (slots.free <= 0 && !this.#isStopped) await slots.whenFreed();
    this.#waitingParts -= 1;
    if (this.#isStopped) return false;
    slots.take();
    metrics.inFlight.set(slots.inFlight);
    return true;
  }

  async #sendPart({ boundary }: AssembledBatch, part: BatchPart): Promise<SendEnd> {
    const { signal, metrics, clock } = this.#deps;
    const { slices, itemCount, sizeBytes, receivedUnixMs, client, idSuffix = '', readSlices } = part;
    if (itemCount === 0) return { isFinished: true, isAbandoned: false };
    metrics.batchBegins(itemCount, sizeBytes);
    const batch: ExportBatch = {
      signal,
      batchId: `${this.#idPrefix}-${boundary.first}-${boundary.end - 1}${idSuffix}`,
      slices,
      itemCount,
      sizeBytes,
      receivedUnixMs,
      ...(client === undefined ? {} : { client }),
      ...(readSlices === undefined ? {} : { readSlices }),
    };
    const end = await this.#sender.send(batch);
    if (end.isFinished) metrics.deliveryAge.record((clock.unixMs() - receivedUnixMs) * 1000);
    return end;
  }
}

/** What is read piece by piece costs its exporter as much as may be in flight: one such batch at a time. */
function heldBytes({ readSlices, sizeBytes }: AssembledBatch): number {
  return readSlices === undefined ? sizeBytes : IN_FLIGHT_BYTES_MAX;
}
