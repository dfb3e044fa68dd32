/**
 * Turns records of a log into batches: boundaries by size and time, bytes as slices of the records. Where batches are
 * parted by client, a boundary still is one range of items; which of its items go together follows from the records.
 */
import type { DeliveryConfig } from '../../component/factory.ts';
import type { Signal } from '../../component/signal.ts';
import { sliceItems } from '../../otlp/slice.ts';
import type { BatchBoundary, LogReader, LogRecord } from '../../queue/log/contract.ts';
import { type BatchPart, PARTS_MAX, type Partition, takeIntoPart, takeParts } from './batch-partition.ts';

/** A batch is closed at this size whatever the configuration says: it bounds memory per send in flight. */
export const BATCH_BYTES_MAX = 32 << 20;

/**
 * Shortest wait for more of an open batch: a few reads teach the pace. Also where batches fill sooner, because one look
 * that finds two of them costs less than two looks.
 */
const GATHER_MS_MIN = 40;
/** Where the pace is known, the wait is a little longer than it says, so that the batch is full when it is read. */
const PACED_WAIT_SHARE = 1.05;
/** Longest wait for a batch to fill: the pace may have become another one meanwhile. */
const PACED_WAIT_MS_MAX = 500;

export interface AssembledBatch {
  boundary: BatchBoundary;
  /** Views into private copies of records; empty when there are parts. */
  slices: Uint8Array[];
  /** By client, in the order of their first items; undefined when batches are not parted. */
  parts: Map<string, BatchPart> | undefined;
  /** Items to send; less than the boundary spans when records were damaged. */
  itemCount: number;
  sizeBytes: number;
  /** Of the oldest record, ms since the epoch. */
  receivedUnixMs: number;
  /** Items of the boundary that could not be read. */
  lostCount: number;
  /** Cut because it had its size; otherwise because it had waited long enough. */
  isFull: boolean;
  /** Records that the slices view, to be given back when the batch is finished. */
  records: LogRecord[];
  /** Instead of `slices` where they would be too large for memory: see streamed-batch.ts. */
  readSlices?: () => Iterable<Uint8Array>;
}

/** One request of a record from an item on, counted within the request. */
interface RequestRest {
  request: Uint8Array;
  itemCount: number;
  fromItem: number;
}

export function emptyBatch(first: number, partition: Partition | undefined): AssembledBatch {
  return {
    boundary: { first, end: first },
    slices: [],
    parts: partition === undefined ? undefined : new Map(),
    itemCount: 0,
    sizeBytes: 0,
    receivedUnixMs: 0,
    lostCount: 0,
    isFull: false,
    records: [],
  };
}

/** Appends items [from, to) of a record, counted from its first item; requests cut in two are re-framed. */
export function takeItems(
  batch: AssembledBatch,
  signal: Signal,
  record: LogRecord,
  from: number,
  to: number,
): void {
  let runStart = -1;
  let runEnd = -1;
  const closeRun = () => {
    if (runStart >= 0) pushSlice(batch, record.payload.subarray(runStart, runEnd));
    runStart = -1;
  };
  for (let entry = 0; entry < record.entryEnds.length; entry++) {
    const firstItem = entry === 0 ? 0 : record.entryItemEnds[entry - 1]!;
    const endItem = record.entryItemEnds[entry]!;
    if (endItem <= from || firstItem >= to) continue;
    const startByte = entry === 0 ? 0 : record.entryEnds[entry - 1]!;
    const endByte = record.entryEnds[entry]!;
    if (firstItem >= from && endItem <= to) {
      if (runStart < 0) runStart = startByte;
      runEnd = endByte;
      continue;
    }
    closeRun();
    const request = record.payload.subarray(startByte, endByte);
    pushSlice(
      batch,
      sliceItems(signal, request, Math.max(from - firstItem, 0), Math.min(to, endItem) - firstItem),
    );
  }
  closeRun();
  batch.itemCount += to - from;
  if (batch.records.at(-1) !== record) batch.records.push(record);
  if (batch.receivedUnixMs === 0) batch.receivedUnixMs = record.receivedUnixMs;
}

function pushSlice(batch: AssembledBatch, slice: Uint8Array): void {
  batch.slices.push(slice);
  batch.sizeBytes += slice.byteLength;
}

/** Reads the batch of a boundary again, after a restart: the same items in the same order. */
export function assembleBoundary(
  reader: LogReader,
  signal: Signal,
  boundary: BatchBoundary,
  partition?: Partition,
): AssembledBatch {
  const batch = emptyBatch(boundary.first, partition);
  batch.boundary = boundary;
  let at = boundary.first;
  while (at < boundary.end) {
    const record = reader.readRecord(at);
    const readable = record === undefined || record.firstOrdinal >= boundary.end ? undefined : record;
    const from = readable === undefined ? boundary.end : Math.max(readable.firstOrdinal, at);
    batch.lostCount += from - at;
    if (readable === undefined) break;
    const to = Math.min(readable.endOrdinal, boundary.end);
    if (readable.damaged) batch.lostCount += to - from;
    else {
      const [fromItem, toItem] = [from - readable.firstOrdinal, to - readable.firstOrdinal];
      if (partition === undefined) takeItems(batch, signal, readable, fromItem, toItem);
      else takeParts(batch, partition, signal, readable, fromItem, toItem);
    }
    at = to;
  }
  return batch;
}

/** Walks one log from `startOrdinal` on. Holds at most one record and one open batch. */
export class BatchAssembler {
  readonly #reader: LogReader;
  readonly #signal: Signal;
  readonly #limits: DeliveryConfig['queue']['batch'];
  readonly #partition: Partition | undefined;
  #record: LogRecord | undefined;
  #open: AssembledBatch;
  #openedMs = 0;
  /** Items or bytes a millisecond, from one closed batch to the next; 0 where it is not known. */
  #pace = 0;
  #pacedSize = 0;
  #pacedFromMs = 0;
  /** How many batches hold a record, plus one while this reads it; it goes back to the reader at zero. */
  readonly #pins = new Map<LogRecord, number>();
  /** Records that an attempt left behind may read; several batches can share one. */
  readonly #lent = new WeakSet<LogRecord>();

  constructor(
    reader: LogReader,
    signal: Signal,
    limits: DeliveryConfig['queue']['batch'],
    startOrdinal: number,
    partition?: Partition,
  ) {
    this.#reader = reader;
    this.#signal = signal;
    this.#limits = limits;
    this.#partition = partition;
    this.#open = emptyBatch(startOrdinal, partition);
  }

  /** One past the last item that was read. */
  get position(): number {
    return this.#open.boundary.end;
  }

  /** Milliseconds until the open batch is due, or undefined when none is open. */
  dueInMs(nowMs: number): number | undefined {
    if (this.#open.boundary.end === this.#open.boundary.first) return undefined;
    return Math.max(this.#openedMs + this.#limits.flushTimeoutMs - nowMs, 0);
  }

  /**
   * Milliseconds until reading on pays: at the pace so far the open batch is full then, or it is due. A wake-up costs
   * more than what it reads, so an open batch is not followed commit by commit.
   */
  nextReadInMs(nowMs: number): number {
    const dueInMs = this.dueInMs(nowMs) ?? 0;
    const size = this.#largestSize();
    if (this.#pace > 0) {
      const waitMs = (PACED_WAIT_SHARE * (this.#limits.minSize - size)) / this.#pace;
      return Math.min(Math.max(waitMs, GATHER_MS_MIN), PACED_WAIT_MS_MAX, dueInMs);
    }
    const fullInMs = ((nowMs - this.#openedMs) * (this.#limits.minSize - size)) / Math.max(size, 1);
    return Math.min(Math.max(fullInMs, GATHER_MS_MIN), dueInMs);
  }

  /**
   * Reads on until a batch is full or due.
   * @param nowMs monotonic clock.
   * @returns a closed batch, or undefined when the log has no more and the open batch is not due yet.
   */
  next(nowMs: number): AssembledBatch | undefined {
    for (;;) {
      const record = this.#currentRecord();
      if (record === undefined) return this.dueInMs(nowMs) === 0 ? this.#close(nowMs) : undefined;
      if (this.dueInMs(nowMs) === undefined) this.#openedMs = nowMs;
      if (record.firstOrdinal > this.position) this.skipTo(record.firstOrdinal);
      if (record.damaged) this.#lose(record.endOrdinal - this.position);
      else if (this.#take(record)) {
        this.#open.isFull = true;
        return this.#close(nowMs);
      }
    }
  }

  /**
   * Steps over ordinals that hold nothing: a segment was set aside there, and what it held was reported then. The
   * open batch goes on behind the gap.
   */
  skipTo(ordinal: number): void {
    if (this.#open.itemCount + this.#open.lostCount === 0) this.#open.boundary.first = ordinal;
    this.#open.boundary.end = ordinal;
  }

  #currentRecord(): LogRecord | undefined {
    if (this.#record !== undefined && this.#record.endOrdinal > this.position) return this.#record;
    if (this.#record !== undefined) this.#unpin(this.#record);
    this.#record = this.#reader.readRecord(this.position);
    if (this.#record !== undefined) this.#pin(this.#record);
    return this.#record;
  }

  /** Gives back what a batch holds. Call once, when nobody reads its slices any more. */
  release(batch: AssembledBatch): void {
    for (const record of batch.records) this.#unpin(record);
  }

  /** Instead of `release` where somebody may still read the slices: the memory is left to the garbage collector. */
  forget(batch: AssembledBatch): void {
    for (const record of batch.records) this.#lent.add(record);
    this.release(batch);
  }

  #pin(record: LogRecord): void {
    this.#pins.set(record, (this.#pins.get(record) ?? 0) + 1);
  }

  #unpin(record: LogRecord): void {
    // A batch that was read again after a restart holds its records alone.
    const pins = (this.#pins.get(record) ?? 1) - 1;
    if (pins > 0) this.#pins.set(record, pins);
    else {
      this.#pins.delete(record);
      if (!this.#lent.has(record)) this.#reader.release(record);
    }
  }

  #lose(count: number): void {
    this.#open.lostCount += count;
    this.#open.boundary.end += count;
  }

  #take(record: LogRecord): boolean {
    return this.#partition === undefined
      ? this.#takeUntilFull(record)
      : this.#takeUntilPartFull(record, this.#partition);
  }

  /** Each part is bounded like a batch, and the first that is full ends the boundary for all. */
  #takeUntilPartFull(record: LogRecord, partition: Partition): boolean {
    const open = this.#open;
    for (let entry = 0; entry < record.entryEnds.length; entry++) {
      const from = this.position - record.firstOrdinal;
      const wanted = record.entryItemEnds[entry]! - from;
      if (wanted <= 0) continue;
      const part = partition.partOf(open.parts!, record, entry, PARTS_MAX);
      if (part === undefined) return true;
      const rest = this.#restOf(record, entry, from);
      const allowed = this.#fitting(rest, part.itemCount, part.sizeBytes);
      const isCut = wanted > allowed;
      // A request that fits into a batch of its own is not cut in two.
      if (isCut && part.itemCount > 0 && wanted <= this.#fitting(rest, 0, 0)) return true;
      const count = Math.min(wanted, allowed);
      if (open.records.at(-1) !== record) this.#pin(record);
      takeIntoPart(open, part, this.#signal, record, entry, { from, to: from + count });
      open.boundary.end += count;
      if (isCut || open.sizeBytes >= BATCH_BYTES_MAX || this.#sizeOf(part) >= this.#limits.minSize)
        return true;
    }
    return false;
  }

  #sizeOf({ sizeBytes, itemCount }: { sizeBytes: number; itemCount: number }): number {
    return this.#limits.sizer === 'bytes' ? sizeBytes : itemCount;
  }

  #largestSize(): number {
    const { parts } = this.#open;
    if (parts === undefined) return this.#sizeOf(this.#open);
    let largest = 0;
    for (const part of parts.values()) largest = Math.max(largest, this.#sizeOf(part));
    return largest;
  }

  /** Takes as much of the record as the batch may hold; true when the batch is full. */
  #takeUntilFull(record: LogRecord): boolean {
    const fromItem = this.position - record.firstOrdinal;
    let toItem = fromItem;
    let bytes = 0;
    let isFull = false;
    for (let entry = 0; entry < record.entryEnds.length && !isFull; entry++) {
      const endItem = record.entryItemEnds[entry]!;
      if (endItem <= fromItem) continue;
      const rest = this.#restOf(record, entry, toItem);
      const wanted = endItem - toItem;
      const allowed = this.#fitting(
        rest,
        this.#open.itemCount + toItem - fromItem,
        this.#open.sizeBytes + bytes,
      );
      if (wanted > allowed) {
        // A request that fits into a batch of its own is not cut in two.
        const isEmpty = toItem === fromItem && this.#open.itemCount === 0;
        if (isEmpty || wanted > this.#fitting(rest, 0, 0)) toItem += allowed;
        isFull = true;
      } else {
        toItem = endItem;
        bytes += this.#bytesOf(rest, wanted);
        isFull = this.#isFull(toItem - fromItem, bytes);
      }
    }
    if (toItem > fromItem) {
      takeItems(this.#open, this.#signal, record, fromItem, toItem);
      this.#pin(record);
    }
    this.#open.boundary.end += toItem - fromItem;
    return isFull;
  }

  #isFull(moreItems: number, moreBytes: number): boolean {
    const bytes = this.#open.sizeBytes + moreBytes;
    if (bytes >= BATCH_BYTES_MAX) return true;
    const size = this.#limits.sizer === 'bytes' ? bytes : this.#open.itemCount + moreItems;
    return size >= this.#limits.minSize;
  }

  #restOf(record: LogRecord, entry: number, fromItem: number): RequestRest {
    const firstItem = entry === 0 ? 0 : record.entryItemEnds[entry - 1]!;
    const startByte = entry === 0 ? 0 : record.entryEnds[entry - 1]!;
    return {
      request: record.payload.subarray(startByte, record.entryEnds[entry]!),
      itemCount: record.entryItemEnds[entry]! - firstItem,
      fromItem: Math.max(fromItem - firstItem, 0),
    };
  }

  /** Bytes of the first `count` items of the rest, headers that a cut repeats included; a guess where none matters. */
  #bytesOf({ request, itemCount, fromItem }: RequestRest, count: number): number {
    if (count === itemCount) return request.byteLength;
    if (this.#limits.sizer === 'items') return (request.byteLength * count) / itemCount;
    return sliceItems(this.#signal, request, fromItem, fromItem + count).byteLength;
  }

  /** How many items of the rest fit behind `itemsBefore` items and `bytesBefore` bytes. */
  #fitting(rest: RequestRest, itemsBefore: number, bytesBefore: number): number {
    const { maxSize, sizer } = this.#limits;
    const wanted = rest.itemCount - rest.fromItem;
    if (maxSize === 0) return wanted;
    if (sizer === 'items') return Math.min(Math.max(maxSize - itemsBefore, 0), wanted);
    const roomBytes = maxSize - bytesBefore;
    let count = wanted;
    while (count > 0) {
      const bytes = this.#bytesOf(rest, count);
      if (bytes <= roomBytes) return count;
      count = Math.max(Math.min(Math.floor((count * roomBytes) / bytes), count - 1), 0);
    }
    // A single item that is larger than a batch may be goes alone.
    return itemsBefore === 0 ? 1 : 0;
  }

  /** From one closing to another, because what one read finds may fill several batches. */
  #learnPace(nowMs: number): void {
    this.#pacedSize += this.#largestSize();
    const elapsedMs = nowMs - this.#pacedFromMs;
    if (elapsedMs < GATHER_MS_MIN) return;
    // With a pause in it the time tells nothing.
    const hasPaused = elapsedMs > 2 * Math.max(this.#limits.flushTimeoutMs, GATHER_MS_MIN);
    this.#pace = hasPaused ? 0 : this.#pacedSize / elapsedMs;
    this.#pacedSize = 0;
    this.#pacedFromMs = nowMs;
  }

  #close(nowMs: number): AssembledBatch {
    this.#learnPace(nowMs);
    const batch = this.#open;
    this.#open = emptyBatch(batch.boundary.end, this.#partition);
    // Looked up for a request that then had no room.
    for (const [key, { itemCount }] of batch.parts ?? []) if (itemCount === 0) batch.parts!.delete(key);
    return batch;
  }
}
