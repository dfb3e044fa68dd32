/**
 * The writer of a log. Requests are copied into pooled record buffers; a commit puts all of them in one transaction.
 * One transaction is under way at a time, and what is appended meanwhile forms the next one: under load the groups
 * grow by themselves, and whether the records before a group are stored is known when its headers are written.
 */
import { PipelineError } from '../../../component/errors.ts';
import { assert } from '../../../stdx/assert.ts';
import { writeCleanMarker } from '../clean-marker.ts';
import type { AppendRefusal, LogWriter } from '../contract.ts';
import { DiskBudget, segmentBytesOf } from '../disk-budget.ts';
import { PENDING_BYTES_MAX, WRITER_POOL_BYTES_MAX } from '../memory-bounds.ts';
import { QueueBound } from '../queue-bound.ts';
import { BufferPool, finishRecord, RecordBuilder, type SealedRecord } from '../record-builder.ts';
import { SegmentPacer } from '../segment-pacer.ts';
import { LOG_STATE_CLOSED, LOG_STATE_FAILED, LOG_STATE_OPEN, SharedWords } from '../shared-words.ts';
import { type LogWriterParts, pagesOf, withTimeout } from './log-writer-parts.ts';
import { RetainedSegments } from './retained-segments.ts';
import { isSpaceError, type SegmentStore, StoreError } from './store.ts';

/** Pages and key of a record beyond its bytes. */
export const RECORD_OVERHEAD_BYTES = 4096;
const SWEEP_INTERVAL_MS = 1000;
/** A newest segment that is passed by all is worth replacing when it is at least this large. */
const IDLE_ROLL_BYTES_MIN = 4 * 1024 * 1024;

interface Group {
  readonly settled: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: PipelineError) => void;
}

export class LmdbLogWriter implements LogWriter {
  readonly logId: string;
  readonly recoveredMark: number;
  readonly #parts: LogWriterParts;
  readonly #words: SharedWords;
  readonly #pool: BufferPool;
  readonly #budget: DiskBudget;
  readonly #retained: RetainedSegments;
  readonly #bound: QueueBound;
  readonly #pacer: SegmentPacer;
  readonly #sweepTimer: NodeJS.Timeout;
  #store: SegmentStore;
  /** Directory entry of the newest segment is on disk; awaited by its first commit. */
  #isListingFlushed = false;
  #storeBytes = 0;
  /** When the last group was stored, wall clock. */
  #writtenUnixMs = 0;
  #appended: number;
  #flushedEnd: number;
  /** End of the newest record that is really stored. */
  #storedEnd: number;
  #sealed: SealedRecord[] = [];
  #sealedBytes = 0;
  #inFlightBytes = 0;
  #builder: RecordBuilder | undefined;
  #current: Group | undefined;
  #waiting: Group | undefined;
  #lastRefusal: AppendRefusal | undefined;
  #sweptAppended = -1;
  #failure: PipelineError | undefined;
  #isClosing = false;

  constructor(parts: LogWriterParts) {
    const { descriptor, nextOrdinal } = parts;
    this.#parts = parts;
    this.logId = descriptor.logId;
    this.recoveredMark = parts.recoveredMark ?? 0;
    this.#words = new SharedWords(descriptor.shared);
    this.#pool = new BufferPool(descriptor.limits.recordBytes, WRITER_POOL_BYTES_MAX);
    this.#budget = new DiskBudget(descriptor, parts.clock.monotonicMs(), parts.probeFreeBytes);
    this.#retained = new RetainedSegments(descriptor, parts.chain, this.#budget, parts.clock);
    this.#bound = new QueueBound(descriptor.limits, parts.waitingEnds);
    this.#pacer = new SegmentPacer(segmentBytesOf(descriptor), parts.clock.monotonicMs());
    this.#appended = nextOrdinal;
    this.#flushedEnd = nextOrdinal;
    this.#storedEnd = parts.storedEnd;
    // Segments of earlier starts are never written to again: their free lists were never verified.
    this.#store = parts.openStore(parts.chain.add(nextOrdinal));
    parts.chain.keepEmptyPages();
    this.#words.beginOrdinal = parts.chain.firstOrdinal;
    this.#words.publishFlushedEnd(nextOrdinal);
    this.#publishSize();
    this.#words.setState(LOG_STATE_OPEN);
    this.#sweepTimer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS).unref();
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  get lastRefusal(): AppendRefusal | undefined {
    return this.#lastRefusal;
  }

  get appendedOrdinal(): number {
    return this.#appended;
  }

  get sizeBytes(): number {
    return this.#parts.chain.sizeBytes + this.#pendingBytes;
  }

  /** Without what is only kept in case that somebody wants it again. */
  get #neededBytes(): number {
    return this.sizeBytes - this.#retained.bytes;
  }

  get #pendingBytes(): number {
    return this.#sealedBytes + this.#inFlightBytes + (this.#builder?.sizeBytes ?? 0);
  }

  tryAppend(
    payload: Uint8Array,
    itemCount: number,
    receivedUnixMs: number,
    isOwed = false,
    context?: Uint8Array,
  ): boolean {
    assert(payload.byteLength > 0 && itemCount > 0, 'an empty request has nothing to store');
    this.#lastRefusal = this.#refusalOf(payload.byteLength, itemCount, isOwed);
    if (this.#lastRefusal !== undefined) return false;
    const payloadBytes = payload.byteLength;
    if (this.#builder?.fits(payloadBytes, context) === false) this.#seal();
    this.#builder ??= new RecordBuilder(this.#pool, this.#appended, receivedUnixMs, payloadBytes, context);
    this.#builder.append(payload, itemCount, context);
    this.#appended += itemCount;
    this.#bound.took(this.#appended);
    return true;
  }

  #refusalOf(payloadBytes: number, itemCount: number, isOwed: boolean): AppendRefusal | undefined {
    if (this.#failure !== undefined) return 'failed';
    if (this.#isClosing) return 'closed';
    const pendingBytes = this.#pendingBytes;
    if (pendingBytes > 0 && pendingBytes + payloadBytes > PENDING_BYTES_MAX) return 'pending';
    if (!this.#bound.isUnlimited) {
      const refusal = this.#bound.refusalOf(itemCount, this.#appended, this.#passedEnd(pendingBytes));
      if (refusal !== undefined) return refusal;
    }
    if (isOwed) return undefined;
    const usedBytes = this.#neededBytes;
    const isAdmitted = this.#budget.admits(payloadBytes + RECORD_OVERHEAD_BYTES, usedBytes, pendingBytes);
    if (!isAdmitted) {
      this.#words.isRefusing = true;
      this.#parts.chain.dropSpares();
    }
    return isAdmitted ? undefined : this.#budget.refusal;
  }

  /** Nothing before it waits. Ordinals of a group that found no space are never released, and hold nothing. */
  #passedEnd(pendingBytes: number): number {
    const released = this.#words.releasedByAll(this.#flushedEnd);
    return pendingBytes === 0 && released >= this.#flushedEnd ? this.#appended : released;
  }

  mark(mark: number): void {
    assert(this.#builder !== undefined, 'nothing was appended that could be marked');
    this.#seal(mark);
  }

  #seal(mark = 0): void {
    if (this.#builder === undefined) return;
    const record = this.#builder.seal(mark);
    this.#builder = undefined;
    this.#sealed.push(record);
    this.#sealedBytes += record.bytes.byteLength;
  }

  commit(mayBlock = false): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#builder === undefined && this.#sealed.length === 0) {
      return this.#current?.settled ?? Promise.resolve();
    }
    // Pending bytes count before they are stored, or logs that commit at the same time would take the same room.
    this.#publishSize();
    if (this.#current !== undefined) {
      this.#waiting ??= createGroup();
      return this.#waiting.settled;
    }
    const group = createGroup();
    this.#dispatch(group, mayBlock);
    return group.settled;
  }

  /** Starts the transaction of everything appended so far. */
  #dispatch(group: Group, mayBlock: boolean): void {
    this.#seal();
    const records = this.#sealed;
    const groupBytes = this.#sealedBytes;
    this.#sealed = [];
    this.#sealedBytes = 0;
    this.#inFlightBytes = groupBytes;
    this.#current = group;
    void this.#storeGroup(records, groupBytes, mayBlock).then(
      () => this.#settle(group, records, undefined),
      (error: unknown) => this.#settle(group, records, error),
    );
  }

  /** One group from headers to flush; rejects with a StoreError or with what could not be opened. */
  async #storeGroup(records: SealedRecord[], groupBytes: number, mayBlock: boolean): Promise<void> {
    if (this.#storeBytes > 0 && this.#storeBytes + groupBytes > this.#pacer.targetBytes) {
      this.#pacer.rolled(this.#parts.clock.monotonicMs());
      this.#roll((records[0] as SealedRecord).firstOrdinal);
    }
    let previousEnd = this.#storedEnd;
    for (const record of records) {
      finishRecord(record, previousEnd, this.#parts.logHash);
      previousEnd = record.endOrdinal;
    }
    const { clock, descriptor, onFlush } = this.#parts;
    const startMs = clock.monotonicMs();
    const isListed = this.#isListingFlushed || !descriptor.flush;
    if (mayBlock && isListed) this.#store.putAllBlocking(records);
    else {
      const work = [this.#store.putAll(records)];
      if (!isListed) work.push(this.#parts.chain.flushNewestListing());
      await withTimeout(Promise.all(work), descriptor.limits.flushTimeoutMs);
    }
    this.#isListingFlushed = true;
    if (this.#storeBytes === 0) this.#parts.chain.noteSince((records[0] as SealedRecord).receivedUnixMs);
    onFlush?.(clock.monotonicMs() - startMs, groupBytes);
  }

  /** Takes milliseconds: a directory, two files and a map. The old environment closes behind its last transaction. */
  #roll(firstOrdinal: number): void {
    const old = this.#store;
    try {
      this.#store = this.#parts.openStore(this.#parts.chain.add(firstOrdinal));
    } catch (error) {
      if (!isSpaceError(error)) throw error;
      this.#parts.chain.dropNewest();
      throw new StoreError('no space for a new segment', true, error);
    }
    this.#storeBytes = 0;
    this.#isListingFlushed = false;
    void old.close();
  }

  #settle(group: Group, records: readonly SealedRecord[], error: unknown): void {
    if (this.#failure !== undefined) return;
    if (error !== undefined && !(error instanceof StoreError && error.isSpace)) {
      this.#fail(error);
      return;
    }
    // Settled either way, so no native thread reads the buffers any more.
    for (const record of records) this.#pool.give(record.buffer);
    this.#current = undefined;
    const storedBytes = this.#inFlightBytes;
    this.#inFlightBytes = 0;
    const nowMs = this.#parts.clock.monotonicMs();
    if (error === undefined) {
      this.#storedEnd = (records.at(-1) as SealedRecord).endOrdinal;
      this.#writtenUnixMs = this.#parts.clock.unixMs();
      this.#flushedEnd = this.#storedEnd;
      this.#budget.wrote(storedBytes);
      this.#words.publishFlushedEnd(this.#flushedEnd);
    } else {
      this.#budget.ranOutOfSpace(nowMs);
    }
    if (error === undefined) {
      this.#storeBytes += pagesOf(records);
      // The file of a spare is longer than what was written to it so far; looks at the disk are left to the sweep.
      this.#parts.chain.growNewestTo(this.#storeBytes);
    } else this.#parts.chain.setNewestBytes(this.#store.sizeBytes());
    this.#deleteReleased(nowMs);
    if (error === undefined) group.resolve();
    else
      group.reject(
        new PipelineError('QUEUE_FULL', 'no space left for the log', { permanent: false, cause: error }),
      );
    this.#dispatchWaiting();
  }

  #dispatchWaiting(): void {
    const group = this.#waiting;
    if (group === undefined || this.#current !== undefined) return;
    this.#waiting = undefined;
    this.#dispatch(group, false);
  }

  /** For ever: pages of a failed flush may look clean to the kernel, so no later success would prove anything. */
  #fail(cause: unknown): void {
    const detail = cause instanceof Error ? cause.message : String(cause);
    this.#failure = new PipelineError('STORAGE_FAILED', `log ${this.logId} cannot be written: ${detail}`, {
      permanent: false,
      cause,
    });
    clearInterval(this.#sweepTimer);
    this.#words.setState(LOG_STATE_FAILED);
    // Buffers in flight stay with the native thread that may still read them.
    this.#current?.reject(this.#failure);
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
    this.#sealed = [];
    this.#builder = undefined;
  }

  /** Tells the other logs of the group what this one uses, and looks at theirs. */
  #publishSize(): void {
    this.#words.sizeBytes = this.sizeBytes;
    this.#budget.sampleGroup();
  }

  #deleteReleased(nowMs: number): void {
    const { chain } = this.#parts;
    const released = this.#words.releasedByAll(this.#flushedEnd);
    this.#publishSize();
    try {
      if (this.#retained.trim(released, this.#pacer.targetBytes / 2)) {
        this.#words.beginOrdinal = chain.firstOrdinal;
        // Readers that wait at the end let go of the segment, or its blocks stay taken.
        this.#words.ring();
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#publishSize();
    this.#budget.refresh(nowMs, this.#neededBytes, this.#pendingBytes);
    this.#words.isRefusing = this.#budget.refusal !== undefined;
    // Spares are worth their bytes only while nobody waits for them; here, and not at the next refusal of this log,
    // because another one of the group may be the one that is refused.
    if (this.#budget.isTight(this.#neededBytes) && chain.dropSpares()) this.#publishSize();
  }

  /** Gives disk back while nothing is committed, the newest segment included once everything in it is finished. */
  #sweep(): void {
    const isIdle = this.#appended === this.#sweptAppended;
    this.#sweptAppended = this.#appended;
    if (isIdle) this.#parts.chain.dropSpares();
    if (this.#current !== undefined || this.#builder !== undefined || this.#sealed.length > 0) return;
    const isPassed = this.#words.releasedByAll(this.#flushedEnd) >= this.#appended;
    const isWorth =
      this.#storeBytes >= Math.min(IDLE_ROLL_BYTES_MIN, this.#pacer.targetBytes / 2) &&
      this.#retained.isOver(this.#writtenUnixMs);
    const isUsed = this.#flushedEnd > this.#parts.chain.newestOrdinal;
    if (isPassed && isUsed && ((isIdle && isWorth) || this.#budget.refusal === 'budget')) this.#rollIdle();
    if (this.#failure !== undefined) return;
    this.#parts.chain.setNewestBytes(this.#store.sizeBytes());
    this.#deleteReleased(this.#parts.clock.monotonicMs());
  }

  #rollIdle(): void {
    try {
      this.#roll(this.#appended);
    } catch (error) {
      if (error instanceof StoreError && error.isSpace)
        this.#budget.ranOutOfSpace(this.#parts.clock.monotonicMs());
      else this.#fail(error);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    clearInterval(this.#sweepTimer);
    if (this.#failure !== undefined) return;
    try {
      await this.commit();
    } catch {
      // Whoever appended was told by the promise of its own commit.
    }
    await this.#current?.settled.catch(() => undefined);
    if (this.#failure !== undefined) return;
    await this.#store.close();
    this.#parts.chain.dropSpares();
    await this.#parts.chain.removalsDone();
    writeCleanMarker(this.#parts.descriptor.directory, this.#parts.descriptor.flush);
    this.#words.setState(LOG_STATE_CLOSED);
  }
}

function createGroup(): Group {
  let resolve: () => void = () => undefined;
  let reject: (error: PipelineError) => void = () => undefined;
  const settled = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // Someone who joined a group may have gone; the failure is also told by `failed` and by the next commit.
  settled.catch(() => undefined);
  return { settled, resolve, reject };
}
