/**
 * Batches that are larger than memory may hold, for exporters that read them piece by piece: they are counted while they
 * grow, their boundary is frozen like any other, and their records are read a second time while they are sent.
 */
import type { DeliveryConfig } from '../../component/factory.ts';
import type { Signal } from '../../component/signal.ts';
import type { BatchBoundary, LogReader, LogRecord } from '../../queue/log/contract.ts';
import {
  type AssembledBatch,
  assembleBoundary,
  BATCH_BYTES_MAX,
  emptyBatch,
  takeItems,
} from './batch-assembler.ts';
import type { Partition } from './batch-partition.ts';

/** A batch is closed at this size whatever the configuration says: the log keeps all of it until it is sent. */
export const STREAMED_BYTES_MAX = 1 << 30;
/** Between two looks at a log that has nothing new. */
const READ_INTERVAL_MS = 500;

type BatchLimits = DeliveryConfig['queue']['batch'];

/** Whether batches may become larger than memory may hold. */
export function isStreamed({ streamsBatches, queue }: DeliveryConfig): boolean {
  const { sizer, minSize, partition } = queue.batch;
  return streamsBatches === true && sizer === 'bytes' && minSize > BATCH_BYTES_MAX && partition === undefined;
}

/** Requests of a record behind `position`, and what they amount to; requests are taken whole. */
interface Taken {
  items: number;
  sizeBytes: number;
}

/** Stands in for `BatchAssembler`; holds no record. */
export class StreamedAssembler {
  readonly #reader: LogReader;
  readonly #signal: Signal;
  readonly #limits: BatchLimits;
  #open: AssembledBatch;
  #openedMs = 0;

  constructor(reader: LogReader, signal: Signal, limits: BatchLimits, startOrdinal: number) {
    this.#reader = reader;
    this.#signal = signal;
    this.#limits = limits;
    this.#open = emptyBatch(startOrdinal, undefined);
  }

  /** One past the last item that was counted. */
  get position(): number {
    return this.#open.boundary.end;
  }

  /** Milliseconds until the open batch is due, or undefined when none is open. */
  dueInMs(nowMs: number): number | undefined {
    if (this.#open.boundary.end === this.#open.boundary.first) return undefined;
    return Math.max(this.#openedMs + this.#limits.flushTimeoutMs - nowMs, 0);
  }

  nextReadInMs(nowMs: number): number {
    return Math.min(READ_INTERVAL_MS, this.dueInMs(nowMs) ?? 0);
  }

  /** As `BatchAssembler.next`. */
  next(nowMs: number): AssembledBatch | undefined {
    for (;;) {
      const record = this.#reader.readRecord(this.position);
      if (record === undefined) return this.dueInMs(nowMs) === 0 ? this.#close(false) : undefined;
      if (this.dueInMs(nowMs) === undefined) this.#openedMs = nowMs;
      if (record.firstOrdinal > this.position) this.skipTo(record.firstOrdinal);
      const isFull = this.#count(record);
      this.#reader.release(record);
      if (isFull) return this.#close(true);
    }
  }

  /** As `BatchAssembler.skipTo`. */
  skipTo(ordinal: number): void {
    const { boundary, itemCount, lostCount } = this.#open;
    if (itemCount + lostCount === 0) boundary.first = ordinal;
    boundary.end = ordinal;
  }

  /** Nothing is held. */
  release(_batch: AssembledBatch): void {}

  /** Nothing is lent. */
  forget(_batch: AssembledBatch): void {}

  #count(record: LogRecord): boolean {
    const open = this.#open;
    if (record.damaged) {
      open.lostCount += record.endOrdinal - this.position;
      open.boundary.end = record.endOrdinal;
      return false;
    }
    const wanted = Math.min(this.#limits.minSize, STREAMED_BYTES_MAX) - open.sizeBytes;
    const taken = countRequests(record, this.position - record.firstOrdinal, wanted);
    if (open.receivedUnixMs === 0) open.receivedUnixMs = record.receivedUnixMs;
    open.itemCount += taken.items;
    open.sizeBytes += taken.sizeBytes;
    open.boundary.end += taken.items;
    return taken.sizeBytes >= wanted;
  }

  #close(isFull: boolean): AssembledBatch {
    const batch = this.#open;
    this.#open = emptyBatch(batch.boundary.end, undefined);
    return { ...batch, isFull, readSlices: sliceReader(this.#reader, this.#signal, batch.boundary) };
  }
}

/** Whole requests from an item on, until they make `wantedBytes` or the record ends. */
function countRequests(
  { entryEnds, entryItemEnds }: LogRecord,
  fromItem: number,
  wantedBytes: number,
): Taken {
  const taken: Taken = { items: 0, sizeBytes: 0 };
  for (let entry = 0; entry < entryEnds.length && taken.sizeBytes < wantedBytes; entry++) {
    const endItem = entryItemEnds[entry]!;
    if (endItem <= fromItem) continue;
    taken.items = endItem - fromItem;
    taken.sizeBytes += entryEnds[entry]! - (entry === 0 ? 0 : entryEnds[entry - 1]!);
  }
  return taken;
}

/**
 * The batch of a boundary after a restart: in memory where it is small enough, whatever it was before.
 * A boundary holds whole requests, so its size is known without cutting any.
 */
export function assembleStreamed(
  reader: LogReader,
  signal: Signal,
  boundary: BatchBoundary,
  partition: Partition | undefined,
): AssembledBatch {
  const batch = emptyBatch(boundary.first, undefined);
  batch.boundary = boundary;
  let at = boundary.first;
  while (at < boundary.end) {
    const record = reader.readRecord(at);
    if (record === undefined || record.firstOrdinal >= boundary.end) break;
    const to = Math.min(record.endOrdinal, boundary.end);
    if (!record.damaged) {
      const from = Math.max(record.firstOrdinal, at);
      batch.itemCount += to - from;
      batch.sizeBytes += countRequests(
        record,
        from - record.firstOrdinal,
        Number.POSITIVE_INFINITY,
      ).sizeBytes;
      if (batch.receivedUnixMs === 0) batch.receivedUnixMs = record.receivedUnixMs;
    }
    reader.release(record);
    at = to;
  }
  if (partition !== undefined || batch.sizeBytes <= BATCH_BYTES_MAX)
    return assembleBoundary(reader, signal, boundary, partition);
  batch.lostCount = boundary.end - boundary.first - batch.itemCount;
  return { ...batch, readSlices: sliceReader(reader, signal, boundary) };
}

/** Each slice is valid until the next one is asked for. */
function sliceReader(reader: LogReader, signal: Signal, boundary: BatchBoundary): () => Iterable<Uint8Array> {
  return function* () {
    for (let at = boundary.first; at < boundary.end; ) {
      const record = reader.readRecord(at);
      if (record === undefined || record.firstOrdinal >= boundary.end) return;
      const from = Math.max(record.firstOrdinal, at);
      const to = Math.min(record.endOrdinal, boundary.end);
      if (!record.damaged) {
        const part = emptyBatch(from, undefined);
        takeItems(part, signal, record, from - record.firstOrdinal, to - record.firstOrdinal);
        yield* part.slices;
      }
      reader.release(record);
      at = to;
    }
  };
}
