/** Reads a log from one thread. Any number of readers, in any thread of the process, may read one log. */
import { assert } from '../../../stdx/assert.ts';
import type { LogDescriptor, LogReader, LogRecord } from '../contract.ts';
import { DoorbellWait } from '../doorbell-wait.ts';
import { listSegments, listSetAside, logHash, segmentDirectory } from '../layout.ts';
import { READER_POOL_BYTES_MAX } from '../memory-bounds.ts';
import { damagedRecord, readRecordBytes, readRecordHeader } from '../record.ts';
import { BufferPool } from '../record-builder.ts';
import { LOG_STATE_NEW, SharedWords } from '../shared-words.ts';
import { isAbsent, type SegmentView } from './store.ts';

export interface LogReaderParts {
  descriptor: LogDescriptor;
  incarnation: string;
  /** Opens a segment for reading; throws when it has been deleted meanwhile. */
  openView: (directory: string) => SegmentView;
}

interface OpenSegment {
  firstOrdinal: number;
  view: SegmentView;
}

export class LmdbLogReader implements LogReader {
  readonly logId: string;
  readonly incarnation: string;
  readonly #parts: LogReaderParts;
  readonly #words: SharedWords;
  readonly #bell: DoorbellWait;
  readonly #hash: number;
  readonly #pool: BufferPool;
  readonly #take = (sizeBytes: number): Uint8Array => this.#pool.take(sizeBytes);
  readonly #closing = new Set<Promise<void>>();
  /** First ordinals; listed again whenever the known ones do not hold what was flushed. */
  #segments: number[] = [];
  #open: OpenSegment | undefined;
  #isClosed = false;

  constructor(parts: LogReaderParts) {
    this.#parts = parts;
    this.logId = parts.descriptor.logId;
    this.incarnation = parts.incarnation;
    this.#words = new SharedWords(parts.descriptor.shared);
    this.#bell = new DoorbellWait(this.#words);
    this.#hash = logHash(this.logId);
    this.#pool = new BufferPool(parts.descriptor.limits.recordBytes, READER_POOL_BYTES_MAX);
  }

  beginOrdinal(): number {
    if (this.#words.state !== LOG_STATE_NEW) return this.#words.beginOrdinal;
    return listSegments(this.#parts.descriptor.directory)[0] ?? 0;
  }

  endOrdinal(): number {
    return this.#words.flushedEnd;
  }

  waitBeyond(ordinal: number, timeoutMs: number): Promise<boolean> {
    return this.#bell.until(() => {
      this.#releaseDeleted();
      return this.endOrdinal() > ordinal;
    }, timeoutMs);
  }

  readRecord(ordinal: number): LogRecord | undefined {
    assert(!this.#isClosed, 'reader is closed');
    const end = this.endOrdinal();
    this.#releaseDeleted();
    let from = ordinal;
    // Each round reads a record or steps to a later segment; a listing made in the first round cannot lack one.
    let isListed = false;
    while (from < end) {
      const firstOrdinal = this.#segmentOf(from);
      const found = firstOrdinal === undefined ? undefined : this.#readIn(firstOrdinal, from, end);
      if (found !== undefined) return found;
      if (!isListed) {
        this.#relist();
        isListed = true;
        continue;
      }
      const next = this.#segments.find((candidate) => candidate > from);
      if (next === undefined) return undefined;
      const lost = this.#lostTail(firstOrdinal, from, next, end);
      if (lost !== undefined) return lost;
      from = next;
    }
    return undefined;
  }

  release(record: LogRecord): void {
    if (!record.damaged) this.#pool.give(new Uint8Array(record.payload.buffer));
  }

  /** Known segment that would hold the ordinal. */
  #segmentOf(ordinal: number): number | undefined {
    return this.#segments.findLast((candidate) => candidate <= ordinal);
  }

  #relist(): void {
    this.#segments = listSegments(this.#parts.descriptor.directory);
    // A directory of the same name may be another segment now: the writer replaces an empty one when it restarts.
    this.#closeOpen();
  }

  #view(firstOrdinal: number): SegmentView | undefined {
    if (this.#open?.firstOrdinal === firstOrdinal) return this.#open.view;
    this.#closeOpen();
    try {
      const view = this.#parts.openView(segmentDirectory(this.#parts.descriptor.directory, firstOrdinal));
      this.#open = { firstOrdinal, view };
      return view;
    } catch (error) {
      if (!isAbsent(error)) throw error;
      // Every cursor has passed it and the writer was faster than our listing.
      return undefined;
    }
  }

  /** First record at or behind `from` in one segment; undefined when nothing in it is. */
  #readIn(firstOrdinal: number, from: number, end: number): LogRecord | undefined {
    const view = this.#view(firstOrdinal);
    if (view === undefined) return undefined;
    const exact = view.get(from, this.#take);
    if (exact !== undefined) return this.#check(view, from, exact, from, end);
    const floor = view.floorKey(from);
    if (floor !== undefined) {
      const record = this.#check(view, floor, view.get(floor, this.#take), from, end);
      if (record.endOrdinal > from) return record;
    }
    const ceiling = view.ceilingKey(from);
    if (ceiling === undefined || !(ceiling < end)) return undefined;
    return (
      this.#missingBefore(view, ceiling, Math.max(from, firstOrdinal)) ??
      this.#check(view, ceiling, view.get(ceiling, this.#take), from, end)
    );
  }

  #check(
    view: SegmentView,
    key: number,
    bytes: Uint8Array | undefined,
    from: number,
    end: number,
  ): LogRecord {
    const record = bytes === undefined ? 'too short' : readRecordBytes(bytes, this.#hash);
    if (typeof record !== 'string' && record.firstOrdinal === key) return record;
    const header = bytes === undefined ? 'too short' : readRecordHeader(bytes, this.#hash);
    if (typeof header !== 'string' && header.firstOrdinal === key)
      return damagedRecord(key, key + header.itemCount);
    // Its own item count cannot be trusted: it ends where the next thing begins.
    const next = view.ceilingKey(key + 1) ?? this.#segments.find((candidate) => candidate > key) ?? end;
    return damagedRecord(Math.max(key, Math.min(from, next)), Math.min(next, end));
  }

  /** Items that were stored between `from` and the record at `key`, by that record's own word, and cannot be found. */
  #missingBefore(view: SegmentView, key: number, from: number): LogRecord | undefined {
    const bytes = view.get(key);
    const header = bytes === undefined ? 'too short' : readRecordHeader(bytes, this.#hash);
    if (typeof header === 'string' || header.firstOrdinal !== key || header.previousEnd <= from)
      return undefined;
    return damagedRecord(from, Math.min(header.previousEnd, key));
  }

  /**
   * The same across the border to the next segment, when the segment before it is still here. What a segment that
   * was set aside in between held was counted then.
   */
  #lostTail(
    firstOrdinal: number | undefined,
    from: number,
    next: number,
    end: number,
  ): LogRecord | undefined {
    if (firstOrdinal === undefined || next >= end) return undefined;
    const view = this.#view(next);
    const key = view?.ceilingKey(next);
    if (view === undefined || key === undefined) return undefined;
    const lost = this.#missingBefore(view, key, from);
    if (lost === undefined) return undefined;
    const setAside = listSetAside(this.#parts.descriptor.directory).map((aside) => aside.firstOrdinal);
    const border = Math.min(lost.endOrdinal, next, ...setAside.filter((aside) => aside > firstOrdinal));
    return border > from ? damagedRecord(from, border) : undefined;
  }

  /** An environment that stays open keeps the blocks of a deleted segment. */
  #releaseDeleted(): void {
    if (this.#open === undefined || this.#words.state === LOG_STATE_NEW) return;
    if (this.#open.firstOrdinal < this.#words.beginOrdinal) this.#closeOpen();
  }

  #closeOpen(): void {
    const closing = this.#open?.view.close();
    this.#open = undefined;
    if (closing === undefined) return;
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#bell.close();
    this.#closeOpen();
    await Promise.all(this.#closing);
  }
}
