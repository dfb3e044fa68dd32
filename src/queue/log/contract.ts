/**
 * The log: an append-only, flushed sequence of items that several exporters read behind their own cursors.
 *
 * Positions are item ordinals: item n of a log keeps ordinal n for ever, whatever record or segment holds it.
 * One thread writes (a pipeline worker); each cursor is read and moved by one thread (an exporter worker).
 *
 * | event                                  | stored items                  | what the caller sees                |
 * | -------------------------------------- | ----------------------------- | ----------------------------------- |
 * | tryAppend over budget or disk reserve  | not stored                    | false: the request fails retryably  |
 * | crash before commit() resolves         | absent or present             | the sender retries                  |
 * | disk full during commit()              | the whole group is not stored | rejects QUEUE_FULL, later ones work |
 * | flush fails or times out               | unknown                       | rejects STORAGE_FAILED, for ever    |
 * | crash between freeze() and finish()    | still there                   | the same boundaries again on open   |
 * | record damaged on disk                 | skipped                       | `damaged` with its item range       |
 * | passed by every cursor                 | kept as `retain` says, then   | `beginOrdinal` of readers moves on  |
 * |                                        | deleted in whole segments     |                                     |
 * | the budget or the disk needs space     | kept ones go first            | nothing is refused for them         |
 */
import type { Signal } from '../../component/signal.ts';

export interface LogLimits {
  /** Bytes on disk (as `du` counts) that the segments of one log may take; one segment more is tolerated. */
  budgetBytes: number;
  /** Free bytes of the file system below which appends are refused. */
  reserveBytes: number;
  /** Size at which a segment is closed and the next one begun. */
  segmentBytes: number;
  /** Largest record; a payload larger than this gets a record of its own. */
  recordBytes: number;
  /** Longest wait for one flush before the storage counts as failed, ms. */
  flushTimeoutMs: number;
  /** Items that may wait between the slowest cursor and the end (`queue_size` in items); unlimited when absent. */
  itemsMax?: number;
  /** Requests that may wait, a half-delivered one counted whole (`queue_size` in requests); unlimited when absent. */
  requestsMax?: number;
}

/**
 * Why tryAppend said no: the byte budget or the disk reserve (until low water), the bound on items or on requests, too
 * much waiting for a slow disk, a failed log, a closed one. All but `failed` pass by themselves.
 */
export type AppendRefusal = 'budget' | 'reserve' | 'items' | 'requests' | 'pending' | 'failed' | 'closed';

export interface LogWriter {
  readonly logId: string;
  /** Set once by the first failed flush; appends are refused from then on. */
  readonly failed: boolean;
  /** Reason of the last tryAppend that returned false; undefined after one that did not. For metrics. */
  readonly lastRefusal: AppendRefusal | undefined;
  /** One past the last appended item, flushed or not. */
  readonly appendedOrdinal: number;
  /** Bytes of all segments on disk plus what waits in memory. */
  readonly sizeBytes: number;
  /**
   * Copies one encoded export request into the open record; never blocks, never waits.
   * @param payload 1..n bytes, may be a view over shared memory; the caller may reuse it on return.
   * @param itemCount items in it, at least 1.
   * @param receivedUnixMs when the request was complete, ms since the epoch.
   * @param isOwed it takes the place of data on the same disk that goes for it: budget and reserve do not count.
   * @param context what is known of its client, encoded; readers get the same bytes with the request.
   * @returns false when the budget, the disk reserve or the queue bound refuses it.
   */
  tryAppend(
    payload: Uint8Array,
    itemCount: number,
    receivedUnixMs: number,
    isOwed?: boolean,
    context?: Uint8Array,
  ): boolean;
  /**
   * Ends the open record, which carries this number from then on: whoever copies into the log from a place with
   * numbers of its own finds out at the next start how far it came.
   * @param mark 1 to 2^32 - 1, for everything appended up to now; call it directly after an append.
   */
  mark(mark: number): void;
  /** Newest mark among the last records that were found when the log was opened; 0 without. */
  readonly recoveredMark: number;
  /**
   * Makes everything appended so far durable in one transaction and one flush; calls may overlap and keep order.
   * @param mayBlock the caller has nothing else to do: its own thread may wait for the disk, which saves the
   *   wake-ups of handing the work to another thread and back.
   */
  commit(mayBlock?: boolean): Promise<void>;
  /** Commits, marks the log clean and closes; after STORAGE_FAILED it returns without touching the environment. */
  close(): Promise<void>;
}

/** One record: payloads of one signal back to back, so that the whole payload is itself a valid export request. */
export interface LogRecord {
  firstOrdinal: number;
  endOrdinal: number;
  receivedUnixMs: number;
  /** Private copy, checksum verified; empty when `damaged`. */
  payload: Uint8Array;
  /** End offset of each appended request in `payload`; requests were appended whole. */
  entryEnds: Uint32Array;
  /** Items up to and including each entry, relative to `firstOrdinal`. */
  entryItemEnds: Uint32Array;
  /** Client contexts of the record's requests, each once; absent when no request has one. */
  contexts?: readonly Uint8Array[] | undefined;
  /** For each entry the index of its context in `contexts` plus one, 0 for none; there when `contexts` is. */
  entryContexts?: Uint32Array | undefined;
  /** The record did not pass its checks: its items are lost here and must be counted by the reader. */
  damaged: boolean;
}

/** [first, end) in item ordinals. */
export interface BatchBoundary {
  first: number;
  end: number;
}

export interface LogReader {
  readonly logId: string;
  /**
   * Random name of this log directory, eight hex digits; part of every batch id. Without it a deleted data directory
   * would give its first batches the ids of old ones, and a backend that remembers them would drop the new data.
   */
  readonly incarnation: string;
  /** Oldest ordinal that the log still holds. */
  beginOrdinal(): number;
  /** One past the last flushed item. */
  endOrdinal(): number;
  /** Resolves true once endOrdinal() > ordinal, false at the timeout or on close. Holds no thread. */
  waitBeyond(ordinal: number, timeoutMs: number): Promise<boolean>;
  /**
   * The record that holds `ordinal`, or the next one when nothing holds it (a quarantined segment leaves a gap).
   * @returns undefined when ordinal >= endOrdinal().
   */
  readRecord(ordinal: number): LogRecord | undefined;
  /**
   * Gives the memory of a record back for later reads. Optional, at most once, and only when nobody reads the payload
   * any more: without it every record is new memory, and collecting that costs more than reading the log.
   */
  release(record: LogRecord): void;
  close(): Promise<void>;
}

/** Where a cursor started: `damaged` means at the oldest item again, so everything that is left is sent once more. */
export type CursorOrigin = 'new' | 'restored' | 'damaged';

/** Position of one exporter in one log; persisted beside the log under the exporter's id. */
export interface LogCursor {
  readonly name: string;
  readonly origin: CursorOrigin;
  /** Every item before it is finished. */
  readonly ordinal: number;
  /** Frozen and not finished, ascending; after a reopen these are the batches to send first. */
  readonly frozen: readonly BatchBoundary[];
  /** Where the next boundary may begin: the end of the last frozen batch, finished or not, else `ordinal`. */
  readonly frozenEnd: number;
  /**
   * How many more boundaries `freeze` takes now. Batches that are finished behind one that is not count against it, so
   * whoever reads ahead stops here until the oldest batch is finished.
   */
  readonly freezable: number;
  /**
   * How often the cursor was moved back over items that it had finished; part of batch ids. Whoever moves it back wants
   * the items sent again, and a backend that remembers ids must not take them for repetitions.
   */
  readonly generation: number;
  /**
   * Writes boundaries durably, before their first attempt. They ascend from where the last frozen one ended; items
   * left out in between are finished together with the batch behind them. Freezing several at once costs one flush.
   * Rejects STORAGE_FAILED, for ever, when they could not be written.
   */
  freeze(boundaries: readonly BatchBoundary[]): Promise<void>;
  /**
   * Marks one frozen batch as finished. The cursor moves over the finished prefix; the move is persisted
   * lazily (a lost move costs one duplicate under the same batch id), then segments behind it are released.
   */
  finish(boundary: BatchBoundary): void;
  /** Persists the position and closes. */
  close(): Promise<void>;
}

/** Logs that together may take so many bytes on disk. */
export interface BudgetGroup {
  /** Bytes on disk for all of them, each with what it keeps to write over. */
  budgetBytes: number;
  /** Shared words of every log, the own one included; complete before the first descriptor goes to a thread. */
  logs: readonly SharedArrayBuffer[];
}

/** How long segments stay that every cursor has passed, so that a cursor can be moved back over them. */
export interface Retention {
  /** Since the last item of a segment arrived, ms; absent: no bound of its own. */
  timeMs?: number;
  /** Bytes on disk of such segments of all these logs together, the oldest go first; absent: no bound of its own. */
  sizeBytes?: number;
  /** Shared words of every log that `sizeBytes` counts, the own one included. */
  logs: readonly SharedArrayBuffer[];
}

/** Where a log is and who reads it: plain data, cloned into every thread that opens it. */
export interface LogDescriptor {
  /** `<signal pipeline id>~<worker index>`, safe as a directory name; first part of every batch id. */
  logId: string;
  signal: Signal;
  /** Directory of this log; undefined for the in-memory model. */
  directory: string;
  limits: LogLimits;
  /** false: same log, no flush (`--durability memory`). */
  flush: boolean;
  /** Exporter ids, in slot order of the shared words. */
  cursorNames: readonly string[];
  /**
   * Exporters that left the configuration with items still to get, in slot order behind `cursorNames`. Nobody moves
   * them: what they have not finished stays on disk.
   */
  orphanNames?: readonly string[];
  /** Its one reader is a processor of the pipeline and no exporter. */
  isPending?: true;
  /** Words shared by writer and readers: see shared-words.ts. */
  shared: SharedArrayBuffer;
  /** Bound that this log shares with others, beside its own in `limits`. */
  group?: BudgetGroup;
  /** Absent: what every cursor has passed is deleted at once. */
  retain?: Retention;
}
