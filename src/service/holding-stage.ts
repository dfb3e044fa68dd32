/**
 * The engine's half of a processor that holds items back: appends what arrives to a pending log, makes the steps that
 * the processor asks for, and copies what it keeps into the logs of the pipeline. See component/holding.ts.
 */
import { PipelineError } from '../component/errors.ts';
import type { HoldingPass, HoldingProcessor, HoldingStep } from '../component/holding.ts';
import type { ProcessorRequest } from '../component/processor.ts';
import type { Counter, Gauge, Logger, Meter } from '../component/settings.ts';
import type { Signal } from '../component/signal.ts';
import { scanRequest } from '../otlp/scan.ts';
import { scanStoredSpans, settleTraceIds } from '../otlp/scan-stored.ts';
import { withoutRejected } from '../otlp/slice.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import type { LogCursor, LogReader, LogRecord, LogWriter } from '../queue/log/contract.ts';
import type { Clock } from '../stdx/clock.ts';
import { failpoint } from '../stdx/failpoint.ts';
import { entriesOf, importPending, type PendingImport, recordsOf } from './holding-import.ts';
import { HoldingLinks, type LinkRings } from './holding-links.ts';
import type { ProcessorChain } from './processor-chain.ts';

export interface HoldingStageParts {
  signal: Signal;
  holder: HoldingProcessor;
  pending: LogWriter;
  /** Its place among the logs of the worker. */
  pendingLog: number;
  reader: LogReader;
  /** The one cursor of the pending log. */
  cursor: LogCursor;
  /** Logs of the pipeline; each gets everything. */
  outputs: readonly LogWriter[];
  /** Processors behind the holding one. */
  after: ProcessorChain | undefined;
  /** Pending logs of workers that are not there any more: taken over at start. */
  imports?: readonly PendingImport[];
  /** Other workers that hold back for the pipeline, when there are any: this one's number and the rings. */
  links?: { worker: number; rings: LinkRings } | undefined;
  /** The logs end with the process: nothing may be left pending. */
  decidesAtStop: boolean;
  clock: Clock;
  meter: Meter;
  logger: Logger;
  onStorageFailed(error: PipelineError): void;
}

/** Between two tries when a log has no room. */
const ROOM_RETRY_MS = 50;
/** A step that was announced and came to nothing must not make the loop spin. */
const IDLE_STEP_MS = 5;
/** Others wait at most so long for what this worker has learnt. */
const LINK_INTERVAL_MS = 50;
/** A lost move costs a longer start only. */
const RELEASE_INTERVAL_MS = 500;
/** Longest wait for room at the end: what is not finished then is finished by the next start. */
const STOP_WAIT_MS = 2000;

/** The stage ends while it waits for room. */
class GivenUp extends Error {}

export class HoldingStage {
  readonly #parts: HoldingStageParts;
  readonly #index = new RequestIndex();
  readonly #afterIndex = new RequestIndex();
  readonly #lost: Counter;
  readonly #sent: Counter;
  readonly #pendingBytes: Gauge;
  readonly #links: HoldingLinks | undefined;
  readonly #stepTime;
  #run: Promise<void> | undefined;
  #isStopping = false;
  #hasGivenUp = false;
  #wake: (() => void) | undefined;
  #releasedMs = 0;

  constructor(parts: HoldingStageParts) {
    this.#parts = parts;
    const labels = { log: parts.pending.logId };
    this.#lost = parts.meter.counter('millrace_sampling_lost_items', labels);
    this.#sent = parts.meter.counter('millrace_sampling_sent_items', labels);
    this.#pendingBytes = parts.meter.gauge('millrace_sampling_pending_bytes', labels);
    this.#stepTime = parts.meter.latency('sampling_step');
    const { links, holder, clock } = parts;
    this.#links =
      links && new HoldingLinks(holder, links.worker, links.rings, { clock, onNews: () => this.#wake?.() });
  }

  /** Rebuilds the index from the pending log and finishes a step that a crash interrupted. */
  async restore(): Promise<void> {
    const { holder, reader, cursor, outputs, logger, clock } = this.#parts;
    // A position that was frozen when the process ended had been reached.
    for (const boundary of cursor.frozen) cursor.finish(boundary);
    const startMs = clock.monotonicMs();
    let items = 0;
    for await (const record of recordsOf(reader, cursor.ordinal, reader.endOrdinal())) {
      if (record.damaged) this.#countLost(record);
      else items += this.#restoreRecord(record);
    }
    const last = holder.restored();
    const lacking = outputs.filter(({ recoveredMark }) => recoveredMark !== last?.step);
    const isOpen = last?.passes.some(({ end }) => end > cursor.ordinal) ?? false;
    if (isOpen && lacking.length > 0) await this.#copy(last!, lacking);
    for (const each of this.#parts.imports ?? []) items += await importPending(each, this.#parts);
    if (items > 0) {
      const seconds = (clock.monotonicMs() - startMs) / 1000;
      logger.info('pending items of an earlier run were found again', { items, seconds });
    }
  }

  #restoreRecord(record: LogRecord): number {
    const { holder, signal } = this.#parts;
    for (const { bytes, endOrdinal } of entriesOf(record)) {
      if (holder.isJournal(bytes)) {
        // Its bytes are kept until the next one, and the record's memory is used again.
        holder.restoreJournal(bytes.slice());
        continue;
      }
      scanRequest(signal, bytes, 0, bytes.length, this.#index);
      holder.observe(bytes, this.#index, record.receivedUnixMs, endOrdinal);
    }
    return record.endOrdinal - record.firstOrdinal;
  }

  /** Begins to make steps; call it once, when requests may come. */
  start(): void {
    this.#links?.start();
    this.#run = this.#loop().catch((error: unknown) => this.#failed(error));
  }

  /** Behind the last request: finishes the step under way, and with `decidesAtStop` everything that is pending. */
  async stop(): Promise<void> {
    const { reader, cursor } = this.#parts;
    this.#isStopping = true;
    this.#wake?.();
    let closing: Promise<void> | undefined;
    const timer = setTimeout(() => {
      this.#hasGivenUp = true;
      this.#wake?.();
      // Ends the wait of a position for a block on a full disk.
      closing = cursor.close();
      closing.catch(() => undefined);
    }, STOP_WAIT_MS);
    await this.#run;
    await this.#decideAll().catch((error: unknown) => this.#failed(error));
    clearTimeout(timer);
    await this.#links?.close();
    await reader.close();
    await (closing ?? cursor.close()).catch((error: unknown) => {
      if (!isFull(error)) throw error;
    });
  }

  async #decideAll(): Promise<void> {
    const { holder, decidesAtStop, clock } = this.#parts;
    if (!decidesAtStop && !holder.decidesAtStop) return;
    holder.decideAll();
    for (let step = holder.step(clock.unixMs()); step !== undefined; step = holder.step(clock.unixMs()))
      await this.#finish(step);
  }

  /** The pending log among the logs of the worker. */
  get log(): number {
    return this.#parts.pendingLog;
  }

  /** Stores a request with an item at least. @returns why it was not taken; undefined when it was. */
  take(request: Readonly<ProcessorRequest>, receivedUnixMs: number): PipelineError | undefined {
    const { holder, pending, signal } = this.#parts;
    const { bytes, start, end, itemCount } = request;
    const index = request.index();
    if (signal === 'traces') settleTraceIds(bytes, index);
    const refusal = holder.refusal(bytes, index);
    if (refusal !== undefined) {
      this.#wake?.();
      return refusal;
    }
    if (!pending.tryAppend(bytes.subarray(start, end), itemCount, receivedUnixMs))
      return new PipelineError('QUEUE_FULL', 'the queue on disk is full', { permanent: false });
    holder.observe(bytes, index, receivedUnixMs, pending.appendedOrdinal);
    return undefined;
  }

  async #loop(): Promise<void> {
    const { holder, clock } = this.#parts;
    while (!this.#isStopping) {
      this.#links?.send();
      const waitMs = Math.min(holder.nextStepInMs(clock.unixMs()), this.#links ? LINK_INTERVAL_MS : Infinity);
      if (waitMs > 0) await this.#sleep(waitMs);
      if (this.#isStopping) return;
      if (!(await this.stepOnce())) await this.#sleep(IDLE_STEP_MS);
    }
  }

  /** @returns whether there was anything to do. */
  async stepOnce(): Promise<boolean> {
    const { holder, clock } = this.#parts;
    const startMs = clock.monotonicMs();
    const step = holder.step(clock.unixMs());
    if (step === undefined) return false;
    await this.#finish(step);
    this.#stepTime.record((clock.monotonicMs() - startMs) * 1000);
    return true;
  }

  async #waitForRoom(waitMs: number): Promise<void> {
    if (!this.#hasGivenUp) await this.#sleep(waitMs);
    if (this.#hasGivenUp) throw new GivenUp('the stage ends before there was room');
  }

  /** Until the time is over, or somebody wakes the loop. */
  #sleep(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Journal first, flushed; then the copy, marked; then the position. */
  async #finish(step: HoldingStep): Promise<void> {
    await this.#writeJournal(step);
    this.#parts.holder.journalFlushed();
    this.#links?.send();
    failpoint('holding.journal_flushed');
    if (step.passes.length > 0) await this.#copy(step, this.#parts.outputs);
    failpoint('holding.copied');
    await this.#release(step.releasedOrdinal);
    this.#pendingBytes.set(this.#parts.pending.sizeBytes);
  }

  async #writeJournal({ journal }: HoldingStep): Promise<void> {
    const { pending, clock } = this.#parts;
    for (;;) {
      if (!pending.tryAppend(journal, 1, clock.unixMs(), true)) {
        if (pending.failed) throw storageFailed(pending);
        await this.#waitForRoom(ROOM_RETRY_MS);
        continue;
      }
      try {
        return await pending.commit();
      } catch (error) {
        // A full disk stored nothing: the same entry is written again when there is room.
        if (!isFull(error)) throw error;
        await this.#waitForRoom(ROOM_RETRY_MS * 10);
      }
    }
  }

  /** Copies what the passes keep; a group that found no space is copied again from the beginning. */
  async #copy(step: HoldingStep, outputs: readonly LogWriter[]): Promise<void> {
    for (;;) {
      let copied = 0;
      for (const pass of step.passes) copied += await this.#copyPass(pass, outputs);
      if (copied === 0) return;
      for (const output of outputs) output.mark(step.step);
      try {
        await Promise.all(outputs.map((output) => output.commit()));
        this.#sent.add(copied);
        return;
      } catch (error) {
        if (!isFull(error)) throw error;
        await this.#waitForRoom(ROOM_RETRY_MS * 10);
      }
    }
  }

  async #copyPass(pass: HoldingPass, outputs: readonly LogWriter[]): Promise<number> {
    let copied = 0;
    for await (const record of recordsOf(this.#parts.reader, pass.first, pass.end)) {
      if (record.damaged) this.#countLost(record);
      else copied += await this.#copyRecord(record, pass, outputs);
    }
    return copied;
  }

  async #copyRecord(record: LogRecord, pass: HoldingPass, outputs: readonly LogWriter[]): Promise<number> {
    const { holder, signal } = this.#parts;
    let copied = 0;
    for (const { bytes, endOrdinal } of entriesOf(record)) {
      if (endOrdinal <= pass.first || endOrdinal > pass.end || holder.isJournal(bytes)) continue;
      // Its checksum was right, and it passed the whole scan before it was stored.
      if (signal !== 'traces' || !scanStoredSpans(bytes, 0, bytes.length, this.#index))
        scanRequest(signal, bytes, 0, bytes.length, this.#index);
      const kept = holder.select(bytes, this.#index, pass);
      if (kept === 0) continue;
      const isWhole = kept === this.#index.itemCount;
      const request = isWhole ? bytes : withoutRejected(signal, bytes, 0, bytes.length, this.#index);
      copied += await this.#append(request, kept, record.receivedUnixMs, outputs);
    }
    return copied;
  }

  async #append(
    request: Uint8Array,
    itemCount: number,
    receivedUnixMs: number,
    outputs: readonly LogWriter[],
  ): Promise<number> {
    const { after, signal } = this.#parts;
    let bytes = request;
    let count = itemCount;
    if (after !== undefined) {
      scanRequest(signal, request, 0, request.length, this.#afterIndex);
      const result = after.process(request, 0, request.length, this.#afterIndex);
      bytes = result.bytes.subarray(result.start, result.end);
      count = result.itemCount;
      if (count === 0) return 0;
    }
    for (const output of outputs) {
      while (!output.tryAppend(bytes, count, receivedUnixMs, true)) {
        if (output.failed) throw storageFailed(output);
        // Exporters are behind their `queue_size`, or the disk is behind us.
        await output.commit();
        await this.#waitForRoom(ROOM_RETRY_MS);
      }
    }
    return count;
  }

  async #release(ordinal: number): Promise<void> {
    const { cursor, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (ordinal <= cursor.ordinal || nowMs - this.#releasedMs < RELEASE_INTERVAL_MS) return;
    this.#releasedMs = nowMs;
    const boundary = { first: cursor.ordinal, end: ordinal };
    await cursor.freeze([boundary]);
    cursor.finish(boundary);
  }

  #countLost(record: LogRecord): void {
    const items = record.endOrdinal - record.firstOrdinal;
    this.#lost.add(items);
    this.#parts.logger.error('pending items are damaged on disk and lost', { items });
  }

  #failed(error: unknown): void {
    if (error instanceof GivenUp || (this.#hasGivenUp && isFull(error))) return;
    const isKnown = error instanceof PipelineError;
    const failure = isKnown
      ? error
      : new PipelineError('STORAGE_FAILED', `pending items cannot be worked on: ${String(error)}`, {
          permanent: false,
          cause: error,
        });
    this.#parts.onStorageFailed(failure);
  }
}

function isFull(error: unknown): boolean {
  return error instanceof PipelineError && error.code === 'QUEUE_FULL';
}

function storageFailed({ logId }: LogWriter): PipelineError {
  return new PipelineError('STORAGE_FAILED', `log ${logId} cannot be written`, { permanent: false });
}
