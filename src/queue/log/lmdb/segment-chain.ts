/** The segments of a log on disk as its writer sees them: sizes, order, and the deletion of what every cursor passed. */
import {
  closeSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../../stdx/assert.ts';
import {
  DATA_FILE,
  LOCK_FILE,
  listSegments,
  SINCE_FILE,
  segmentDirectory,
  segmentName,
  segmentSince,
  segmentsDirectory,
  segmentUntil,
  TRASH_PREFIX,
  UNVERIFIED_FILE,
} from '../layout.ts';

interface ChainLink {
  firstOrdinal: number;
  sizeBytes: number;
  /** When its first item arrived, ms since the epoch; undefined where nothing tells. */
  sinceUnixMs: number | undefined;
  /** Nothing in it arrived later; 0 while it is written to. */
  untilUnixMs: number;
}

/** A segment that every cursor has passed, out of the listing, waiting to be written over. */
interface Spare {
  directory: string;
  sizeBytes: number;
}

/**
 * Under load a passed segment becomes the next one: writing and flushing pages that the file system has already cost
 * 130 us of processor time a MB, pages of a new file 450 to 1,050.
 */
const SPARES_MAX = 2;
/** Two pages of at most 64 KiB: a file that is longer holds more than the beginnings of an environment. */
const EMPTY_BYTES_MAX = 128 * 1024;

/** Ascending by first ordinal; the last one is written to, the others only read. */
export class SegmentChain {
  readonly #logDirectory: string;
  readonly #links: ChainLink[];
  readonly #removals = new Set<Promise<void>>();
  readonly #spares: Spare[] = [];
  /** First pages of an environment without a record; undefined until one was made in this process. */
  #emptyPages: Uint8Array | undefined;
  #sizeBytes: number;
  /** Links from the oldest on that every cursor has passed, and their bytes. */
  #passedCount = 0;
  #passedBytes = 0;

  /** Takes over the segments that exist. */
  constructor(logDirectory: string) {
    this.#logDirectory = logDirectory;
    mkdirSync(segmentsDirectory(logDirectory), { recursive: true, mode: 0o700 });
    this.#links = listSegments(logDirectory).map((firstOrdinal) => ({
      firstOrdinal,
      sizeBytes: dataBytes(logDirectory, firstOrdinal),
      sinceUnixMs: segmentSince(logDirectory, firstOrdinal),
      untilUnixMs: segmentUntil(logDirectory, firstOrdinal),
    }));
    this.#sizeBytes = this.#links.reduce((sum, link) => sum + link.sizeBytes, 0);
  }

  /** Bytes of all data files, spares included; segments that are being deleted no longer count. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get count(): number {
    return this.#links.length;
  }

  /** First ordinal of the oldest segment. */
  get firstOrdinal(): number {
    assert(this.#links.length > 0, 'log without a segment');
    return (this.#links[0] as ChainLink).firstOrdinal;
  }

  /** First ordinal of the newest segment. */
  get newestOrdinal(): number {
    assert(this.#links.length > 0, 'log without a segment');
    return (this.#links.at(-1) as ChainLink).firstOrdinal;
  }

  /** Makes the directory of the next segment; the caller opens it and flushes the directory before it is relied on. */
  add(firstOrdinal: number): string {
    const last = this.#links.at(-1);
    assert(last === undefined || last.firstOrdinal < firstOrdinal, 'segments must ascend');
    const directory = segmentDirectory(this.#logDirectory, firstOrdinal);
    const spare = this.#takeSpare();
    if (spare === undefined) mkdirSync(directory, { recursive: true, mode: 0o700 });
    else renameSync(spare.directory, directory);
    if (last !== undefined) last.untilUnixMs = segmentUntil(this.#logDirectory, last.firstOrdinal);
    const sizeBytes = spare?.sizeBytes ?? 0;
    this.#links.push({ firstOrdinal, sizeBytes, sinceUnixMs: undefined, untilUnixMs: 0 });
    return directory;
  }

  /** Call between the opening of a new segment and its first record: later ones are made to look like it. */
  keepEmptyPages(): void {
    this.#emptyPages ??= readEmptyPages(segmentDirectory(this.#logDirectory, this.newestOrdinal));
  }

  /** Deletes what is kept to be written over; true when that gave disk back. */
  dropSpares(): boolean {
    const spares = this.#spares.splice(0);
    for (const spare of spares) {
      this.#sizeBytes -= spare.sizeBytes;
      this.#remove(spare.directory);
    }
    return spares.length > 0;
  }

  /** The spare is an empty environment again, on disk, before it gets a name that the next start believes. */
  #takeSpare(): Spare | undefined {
    const spare = this.#emptyPages === undefined ? undefined : this.#spares.shift();
    if (spare === undefined) return undefined;
    try {
      const file = openSync(join(spare.directory, DATA_FILE), 'r+');
      try {
        writeSync(file, this.#emptyPages as Uint8Array, 0, this.#emptyPages?.byteLength, 0);
        fdatasyncSync(file);
      } finally {
        closeSync(file);
      }
      for (const file of [LOCK_FILE, SINCE_FILE, UNVERIFIED_FILE])
        rmSync(join(spare.directory, file), { force: true });
      return spare;
    } catch {
      // Whatever is wrong with it, a new directory is as good.
      this.#sizeBytes -= spare.sizeBytes;
      this.#remove(spare.directory);
      return undefined;
    }
  }

  /** An empty newest segment of an earlier start: its name is needed again. */
  dropNewest(): void {
    const link = this.#links.pop();
    assert(link !== undefined, 'no segment to drop');
    this.#sizeBytes -= link.sizeBytes;
    rmSync(segmentDirectory(this.#logDirectory, link.firstOrdinal), { recursive: true, force: true });
  }

  setNewestBytes(sizeBytes: number): void {
    const newest = this.#links.at(-1);
    assert(newest !== undefined, 'log without a segment');
    this.#sizeBytes += sizeBytes - newest.sizeBytes;
    newest.sizeBytes = sizeBytes;
  }

  growNewestTo(sizeBytes: number): void {
    const newest = this.#links.at(-1);
    if (newest !== undefined && newest.sizeBytes < sizeBytes) this.setNewestBytes(sizeBytes);
  }

  /** Notes when the first item of the newest segment arrived, for whoever looks for a time later. */
  noteSince(unixMs: number): void {
    const newest = this.#links.at(-1) as ChainLink;
    newest.sinceUnixMs = unixMs;
    const directory = segmentDirectory(this.#logDirectory, newest.firstOrdinal);
    try {
      writeFileSync(join(directory, SINCE_FILE), String(Math.round(unixMs)), { mode: 0o600 });
    } catch {
      // A full disk: the time is then unknown after the next start, which costs nothing but that.
    }
  }

  /** Takes in how far all cursors have come; they may have been moved back. */
  setPassed(releasedOrdinal: number): void {
    for (let next = this.#links[this.#passedCount + 1]; next !== undefined; ) {
      if (next.firstOrdinal > releasedOrdinal) break;
      this.#passedBytes += (this.#links[this.#passedCount] as ChainLink).sizeBytes;
      this.#passedCount += 1;
      next = this.#links[this.#passedCount + 1];
    }
    while (this.#passedCount > 0) {
      if ((this.#links[this.#passedCount] as ChainLink).firstOrdinal <= releasedOrdinal) break;
      this.#passedCount -= 1;
      this.#passedBytes -= (this.#links[this.#passedCount] as ChainLink).sizeBytes;
    }
  }

  /** The oldest segment, when every cursor has passed all of it; never the newest one. */
  get oldestPassed(): Readonly<ChainLink> | undefined {
    return this.#passedCount > 0 ? this.#links[0] : undefined;
  }

  /** Bytes of the segments that every cursor has passed. */
  get passedBytes(): number {
    return this.#passedBytes;
  }

  /** When the oldest item arrived, ms since the epoch; undefined where nothing tells. */
  get oldestUnixMs(): number | undefined {
    return this.#links[0]?.sinceUnixMs;
  }

  /**
   * Removes `oldestPassed`. It leaves the listing at once; a few stay as spares, the blocks of the others are freed by
   * a pool thread, since unlinking 256 MiB takes tens of milliseconds.
   * @param spareBytesMin a smaller segment would have to grow again and is not worth keeping.
   * @returns bytes of disk that this gives back, 0 for a spare.
   */
  deleteOldest(spareBytesMin: number): number {
    assert(this.#passedCount > 0, 'no segment may be deleted');
    const link = this.#links[0] as ChainLink;
    const from = segmentDirectory(this.#logDirectory, link.firstOrdinal);
    const trash = join(segmentsDirectory(this.#logDirectory), TRASH_PREFIX + segmentName(link.firstOrdinal));
    renameSync(from, trash);
    this.#links.shift();
    this.#passedCount -= 1;
    this.#passedBytes -= link.sizeBytes;
    const isSpare =
      this.#emptyPages !== undefined && this.#spares.length < SPARES_MAX && link.sizeBytes >= spareBytesMin;
    if (isSpare) {
      this.#spares.push({ directory: trash, sizeBytes: link.sizeBytes });
      return 0;
    }
    this.#sizeBytes -= link.sizeBytes;
    this.#remove(trash);
    return link.sizeBytes;
  }

  #remove(directory: string): void {
    const removal = rm(directory, { recursive: true, force: true }).catch(() => {
      // What stays is removed at the next start.
    });
    this.#removals.add(removal);
    void removal.then(() => this.#removals.delete(removal));
  }

  async removalsDone(): Promise<void> {
    await Promise.all(this.#removals);
  }

  /** Makes the names of the newest segment durable: its files in their directory, and that in the listing. */
  async flushNewestListing(): Promise<void> {
    await Promise.all([
      flushDirectoryAsync(segmentDirectory(this.#logDirectory, this.newestOrdinal)),
      flushDirectoryAsync(segmentsDirectory(this.#logDirectory)),
    ]);
  }
}

async function flushDirectoryAsync(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The two meta pages of an environment that holds nothing; undefined when there is no such file or it holds something. */
function readEmptyPages(directory: string): Uint8Array | undefined {
  const sizeBytes = statSync(join(directory, DATA_FILE), { throwIfNoEntry: false })?.size ?? 0;
  if (sizeBytes === 0 || sizeBytes > EMPTY_BYTES_MAX) return undefined;
  const pages = new Uint8Array(sizeBytes);
  const file = openSync(join(directory, DATA_FILE), 'r');
  try {
    return readSync(file, pages, 0, sizeBytes, 0) === sizeBytes ? pages : undefined;
  } finally {
    closeSync(file);
  }
}

function dataBytes(logDirectory: string, firstOrdinal: number): number {
  const path = join(segmentDirectory(logDirectory, firstOrdinal), DATA_FILE);
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
