/**
 * One segment: an LMDB environment whose keys are first ordinals and whose values are records.
 * The only file that imports `lmdb`; what that library must never be given or asked is checked here.
 */
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { assert } from '../../../stdx/assert.ts';
import { freeBytesOf } from '../disk-budget.ts';
import { DATA_FILE } from '../layout.ts';

/** The library's one file for CommonJS takes half the time of its dozen modules, in every thread. */
const { open } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');

export interface StoreRecord {
  firstOrdinal: number;
  /** Private memory; it is read by a native thread until the put settles. */
  bytes: Uint8Array;
}

/** What a writer needs of a segment; tests put a failing one in its place. */
export interface SegmentStore {
  readonly directory: string;
  /** Stores all of them in one transaction and one flush, or none of them. Rejects with a StoreError. */
  putAll(records: readonly StoreRecord[]): Promise<void>;
  /**
   * The same on the calling thread, which waits for the disk; it must not be called while a `putAll` is under way.
   * @throws StoreError
   */
  putAllBlocking(records: readonly StoreRecord[]): void;
  /** Bytes of the data file. */
  sizeBytes(): number;
  /** Ends this thread's use. Never returns after a failed flush, so it must not be called then. */
  close(): Promise<void>;
}

/** Reading side of a segment. All reads end their transaction before they return. */
export interface SegmentView {
  readonly directory: string;
  /** Copy of the record with exactly that key, in memory that `take` gives. */
  get(firstOrdinal: number, take?: (sizeBytes: number) => Uint8Array): Uint8Array | undefined;
  /** Copy of at most so many of its first bytes. */
  head(firstOrdinal: number, sizeBytes: number): Uint8Array | undefined;
  /** Largest key that is at most `ordinal`. */
  floorKey(ordinal: number): number | undefined;
  /** Smallest key that is at least `ordinal`. */
  ceilingKey(ordinal: number): number | undefined;
  /** Largest key. */
  lastKey(): number | undefined;
  /** All keys, in their order. */
  keys(): number[];
  close(): Promise<void>;
}

/** A failed transaction. `isSpace`: nothing is stored, and later transactions may succeed. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly isSpace: boolean;

  constructor(message: string, isSpace: boolean, cause: unknown) {
    super(message, { cause });
    this.isSpace = isSpace;
  }
}

const KEY_BYTES = 8;
/** Largest key that iteration may start from. */
const LAST_ORDINAL = Number.MAX_SAFE_INTEGER;

/** The write was refused before anything was flushed; the library gives numbers, Node gives names. */
const SPACE_CODES: readonly unknown[] = [27, 28, 122, 'EFBIG', 'ENOSPC', 'EDQUOT'];

/** The segment is not there (any more). */
export function isAbsent(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === 2 || code === 'ENOENT';
}

const INPUT_OUTPUT_CODES: readonly unknown[] = [5, 'EIO'];
/** A file system with less than this beyond what was to be written is full. */
const FULL_MARGIN_BYTES = 1024 * 1024;

export function isSpaceError(error: unknown): boolean {
  return SPACE_CODES.includes((error as { code?: unknown } | undefined)?.code);
}

/** No segment spans that many ordinals, those of rejected groups included. */
const SEGMENT_ITEMS_MAX = 2 ** 40;

/** Whether a key can belong to a segment, or is a number that damage made. */
export function isKeyOfSegment(key: number, firstOrdinal: number): boolean {
  return key >= firstOrdinal && key < firstOrdinal + SEGMENT_ITEMS_MAX;
}

export interface OpenStoreSettings {
  directory: string;
  /** Address space to reserve; the file grows as it is written and this is no limit on it. */
  mapBytes: number;
  /** false only where the log promises nothing across a crash. */
  flush: boolean;
}

/**
 * Opens a segment for writing and creates it when it is not there.
 * Other threads of the process may view it at the same time; the library shares one environment between them.
 */
export function openSegmentStore(settings: OpenStoreSettings): SegmentStore {
  keepFreedMemory();
  const db = openDatabase(settings, false);
  return new LmdbSegmentStore(settings.directory, db);
}

let isFreedMemoryKept = false;

/**
 * LMDB allocates every page of a group and frees all of them after the commit. glibc hands freed memory beyond twice
 * the largest block it has ever unmapped back to the kernel, so a group of four 1-MiB records is touched for the
 * first time again and again: 86 page faults and 280 us of processor time more for each MB than with this.
 * Freeing one untouched block of nearly 32 MiB, the largest that counts, raises the threshold for good; the garbage
 * collector does it, and other C libraries do not mind.
 */
function keepFreedMemory(): void {
  if (isFreedMemoryKept) return;
  isFreedMemoryKept = true;
  new ArrayBuffer(32 * 1024 * 1024 - 64 * 1024);
}

/** Opens an existing segment for reading. @throws when it does not exist any more. */
export function openSegmentView(settings: OpenStoreSettings): SegmentView {
  // The library would make the directory again, and an empty segment would stand where one was deleted.
  statSync(join(settings.directory, DATA_FILE));
  return new LmdbSegmentView(settings.directory, openDatabase(settings, true));
}

function openDatabase(settings: OpenStoreSettings, readOnly: boolean): RootDatabase<Uint8Array, Uint8Array> {
  return open<Uint8Array, Uint8Array>({
    path: settings.directory,
    // The directory's name has no extension, but a parent's dot must not decide it.
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    compression: false,
    maxDbs: 1,
    mapSize: settings.mapBytes,
    // A put resolves when it is flushed, and a failed transaction never becomes visible.
    overlappingSync: false,
    // The group is put in one batch() call; waiting for the turn of the event loop would only add latency.
    eventTurnBatching: false,
    readOnly,
    ...(settings.flush || readOnly ? {} : { noSync: true }),
    ...{ permissionsMode: 0o600 },
  });
}

function encodeKey(ordinal: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  const view = new DataView(key.buffer);
  // Big-endian, so that byte order is number order.
  view.setUint32(0, Math.floor(ordinal / 0x1_0000_0000));
  view.setUint32(4, ordinal >>> 0);
  return key;
}

function decodeKey(key: Uint8Array): number {
  if (key.byteLength !== KEY_BYTES) return Number.NaN;
  const view = new DataView(key.buffer, key.byteOffset, KEY_BYTES);
  return view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4);
}

class LmdbSegmentStore implements SegmentStore {
  readonly directory: string;
  readonly #db: RootDatabase<Uint8Array, Uint8Array>;
  readonly #dataPath: string;

  constructor(directory: string, db: RootDatabase<Uint8Array, Uint8Array>) {
    this.directory = directory;
    this.#db = db;
    this.#dataPath = join(directory, DATA_FILE);
  }

  async putAll(records: readonly StoreRecord[]): Promise<void> {
    assertPrivate(records);
    this.#expectSpace(records);
    const puts: Promise<unknown>[] = [];
    puts.push(
      this.#db.batch(() => {
        for (const record of records) puts.push(this.#db.put(encodeKey(record.firstOrdinal), record.bytes));
      }),
    );
    // All of them share one fate; each is awaited, because a rejection nobody awaits ends the process.
    const results = await Promise.allSettled(puts);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed === undefined) return;
    const error = await toStoreError(failed.reason);
    throw this.#isShortWrite(error, records) ? new StoreError(error.message, true, error.cause) : error;
  }

  /**
   * A write that fails makes the library compose a text past the end of its buffer, which may end the process later.
   * So a full file system is not tried; one call of the kernel a group is cheaper than that.
   */
  #expectSpace(records: readonly StoreRecord[]): void {
    if (freeBytesOf(this.directory) < bytesOf(records) + FULL_MARGIN_BYTES)
      throw new StoreError('no space left on the file system', true, undefined);
  }

  putAllBlocking(records: readonly StoreRecord[]): void {
    assertPrivate(records);
    this.#expectSpace(records);
    try {
      this.#db.transactionSync(() => {
        for (const record of records) this.#db.putSync(encodeKey(record.firstOrdinal), record.bytes);
      });
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      const error = new StoreError(message, isSpaceError(cause), cause);
      throw this.#isShortWrite(error, records) ? new StoreError(message, true, cause) : error;
    }
  }

  /**
   * LMDB reports a write that a full file system cut short as an input/output error. Nothing was flushed then, and
   * the next transaction writes the same pages again, so the environment stays usable.
   */
  #isShortWrite(error: StoreError, records: readonly StoreRecord[]): boolean {
    if (!INPUT_OUTPUT_CODES.includes((error.cause as { code?: unknown } | undefined)?.code)) return false;
    return freeBytesOf(this.directory) < bytesOf(records) + FULL_MARGIN_BYTES;
  }

  sizeBytes(): number {
    return statSync(this.#dataPath, { throwIfNoEntry: false })?.size ?? 0;
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

function bytesOf(records: readonly StoreRecord[]): number {
  return records.reduce((sum, record) => sum + record.bytes.byteLength, 0);
}

/** The library reads the address of shared memory wrongly: it stores other bytes, or the process dies. */
function assertPrivate(records: readonly StoreRecord[]): void {
  for (const record of records) {
    assert(!(record.bytes.buffer instanceof SharedArrayBuffer), 'value views shared memory');
  }
}

/** The put says only that the commit failed; the cause is behind a second promise that must be awaited, too. */
async function toStoreError(reason: unknown): Promise<StoreError> {
  let cause = reason;
  const commitError = (reason as { commitError?: Promise<unknown> }).commitError;
  if (commitError !== undefined) {
    try {
      await commitError;
    } catch (error) {
      cause = error;
    }
  }
  return new StoreError(cause instanceof Error ? cause.message : String(cause), isSpaceError(cause), cause);
}

class LmdbSegmentView implements SegmentView {
  readonly directory: string;
  readonly #db: RootDatabase<Uint8Array, Uint8Array>;

  constructor(directory: string, db: RootDatabase<Uint8Array, Uint8Array>) {
    this.directory = directory;
    this.#db = db;
  }

  get(
    firstOrdinal: number,
    take: (sizeBytes: number) => Uint8Array = (sizeBytes) => new Uint8Array(sizeBytes),
  ): Uint8Array | undefined {
    try {
      // A view of the map, or of a buffer that the library uses again: copied before anything else is read.
      const value = this.#db.getBinaryFast(encodeKey(firstOrdinal));
      if (value === undefined) return undefined;
      const sizeBytes = value.length;
      const copy = take(sizeBytes).subarray(0, sizeBytes);
      copy.set(new Uint8Array(value.buffer, value.byteOffset, sizeBytes));
      return copy;
    } finally {
      this.#db.resetReadTxn();
    }
  }

  head(firstOrdinal: number, sizeBytes: number): Uint8Array | undefined {
    try {
      const value = this.#db.getBinaryFast(encodeKey(firstOrdinal));
      return value && Uint8Array.prototype.slice.call(value, 0, Math.min(sizeBytes, value.length));
    } finally {
      this.#db.resetReadTxn();
    }
  }

  floorKey(ordinal: number): number | undefined {
    return this.#firstKey({ start: encodeKey(ordinal), reverse: true, limit: 1 });
  }

  ceilingKey(ordinal: number): number | undefined {
    return this.#firstKey({ start: encodeKey(ordinal), limit: 1 });
  }

  lastKey(): number | undefined {
    return this.floorKey(LAST_ORDINAL);
  }

  keys(): number[] {
    try {
      const found: number[] = [];
      for (const key of this.#db.getKeys()) found.push(decodeKey(key));
      return found;
    } finally {
      this.#db.resetReadTxn();
    }
  }

  #firstKey(range: { start: Uint8Array; reverse?: boolean; limit: number }): number | undefined {
    try {
      // Leaving the loop by running out closes the cursor: with limit 1 there is one round at most.
      let found: number | undefined;
      for (const key of this.#db.getKeys(range)) found = decodeKey(key);
      return found;
    } finally {
      this.#db.resetReadTxn();
    }
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}
