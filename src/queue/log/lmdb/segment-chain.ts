/** The segments of a log on disk as its writer sees them: sizes, order, and the deletion of what every cursor passed. */
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../../stdx/assert.ts';
import {
  DATA_FILE,
  listSegments,
  segmentDirectory,
  segmentName,
  segmentsDirectory,
  TRASH_PREFIX,
} from '../layout.ts';

interface ChainLink {
  firstOrdinal: number;
  sizeBytes: number;
}

/** Ascending by first ordinal; the last one is written to, the others only read. */
export class SegmentChain {
  readonly #logDirectory: string;
  readonly #links: ChainLink[];
  readonly #removals = new Set<Promise<void>>();
  #sizeBytes: number;

  /** Takes over the segments that exist. */
  constructor(logDirectory: string) {
    this.#logDirectory = logDirectory;
    mkdirSync(segmentsDirectory(logDirectory), { recursive: true, mode: 0o700 });
    this.#links = listSegments(logDirectory).map((firstOrdinal) => ({
      firstOrdinal,
      sizeBytes: dataBytes(logDirectory, firstOrdinal),
    }));
    this.#sizeBytes = this.#links.reduce((sum, link) => sum + link.sizeBytes, 0);
  }

  /** Bytes of all data files; segments on their way out no longer count. */
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
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#links.push({ firstOrdinal, sizeBytes: 0 });
    return directory;
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

  /** Whether a segment behind `releasedOrdinal` could be deleted. */
  hasReleased(releasedOrdinal: number): boolean {
    const second = this.#links[1];
    return second !== undefined && second.firstOrdinal <= releasedOrdinal;
  }

  /**
   * Deletes every segment whose items all lie before `releasedOrdinal`, except the newest. They leave the listing
   * at once; their blocks are freed by a pool thread, since unlinking 256 MiB takes tens of milliseconds.
   */
  deleteReleased(releasedOrdinal: number): void {
    while (this.hasReleased(releasedOrdinal)) {
      const link = this.#links.shift() as ChainLink;
      this.#sizeBytes -= link.sizeBytes;
      const from = segmentDirectory(this.#logDirectory, link.firstOrdinal);
      const trash = join(
        segmentsDirectory(this.#logDirectory),
        TRASH_PREFIX + segmentName(link.firstOrdinal),
      );
      renameSync(from, trash);
      const removal = rm(trash, { recursive: true, force: true }).catch(() => {
        // What stays is removed at the next start.
      });
      this.#removals.add(removal);
      void removal.then(() => this.#removals.delete(removal));
    }
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

function dataBytes(logDirectory: string, firstOrdinal: number): number {
  const path = join(segmentDirectory(logDirectory, firstOrdinal), DATA_FILE);
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
