/** Cursor of one exporter over its two-slot file; lives in one thread. */
import { mkdirSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../../component/errors.ts';
import { assert } from '../../stdx/assert.ts';
import type { BatchBoundary, CursorOrigin, LogCursor, LogDescriptor } from './contract.ts';
import {
  type CursorState,
  encodeCursorState,
  FROZEN_MAX,
  type FrozenBatch,
  readCursorFile,
  SLOT_BYTES,
} from './cursor-file.ts';
import { cursorFilePath, listSegments, logHash } from './layout.ts';
import { SharedWords } from './shared-words.ts';

/** A lost move costs duplicates only, so it may wait for a freeze() to ride on. */
const LAZY_PERSIST_MS = 200;
/** Between two tries on a full disk. */
const SPACE_RETRY_MS = 500;

/** Writes one encoded state into its slot and flushes it. Tests put a failing one in its place. */
export type WriteSlot = (slotOffset: number, bytes: Uint8Array) => Promise<void>;

export interface CursorParts {
  name: string;
  slot: number;
  words: SharedWords;
  logHash: number;
  state: CursorState;
  origin: CursorOrigin;
  /** Longest time until a move is on disk by itself, in milliseconds. */
  lazyMs?: number;
  writeSlot: WriteSlot;
  closeFile: () => Promise<void>;
}

/**
 * Opens the cursor where its file says, or at the oldest item when it is new or unreadable.
 * @param lazyMs as in `CursorParts`; short where somebody waits for the moves.
 * @throws when the name is not one of the descriptor's cursors, or the file cannot be made.
 */
export async function openLogCursor(
  descriptor: LogDescriptor,
  name: string,
  lazyMs: number = LAZY_PERSIST_MS,
): Promise<FileCursor> {
  const slot = descriptor.cursorNames.indexOf(name);
  assert(slot >= 0, `log ${descriptor.logId} has no cursor ${name}`);
  const path = cursorFilePath(descriptor.directory, name);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const stored = readCursorFile(path);
  const hash = logHash(descriptor.logId);
  const isOurs = typeof stored !== 'string' && stored.logHash === hash;
  const begin = listSegments(descriptor.directory)[0] ?? 0;
  const file = await open(path, stored === 'absent' ? 'w+' : 'r+', 0o600);
  return new FileCursor({
    name,
    slot,
    words: new SharedWords(descriptor.shared),
    logHash: hash,
    state: isOurs ? stored : { sequence: 0, ordinal: begin, logHash: hash, generation: 0, frozen: [] },
    lazyMs,
    origin: isOurs ? 'restored' : stored === 'absent' ? 'new' : 'damaged',
    writeSlot: (offset, bytes) => writeSlot(file, offset, bytes, descriptor.flush),
    closeFile: () => file.close(),
  });
}

async function writeSlot(file: FileHandle, offset: number, bytes: Uint8Array, flush: boolean): Promise<void> {
  let written = 0;
  // A disk with little space left takes a part without an error and says no to the next.
  while (written < bytes.byteLength) {
    const left = bytes.byteLength - written;
    written += (await file.write(bytes, written, left, offset + written)).bytesWritten;
  }
  if (flush) await file.datasync();
}

/** Nothing was flushed, so that the same bytes may be written again: unlike any other failure, this one passes. */
function isFullDisk(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return (code === 'ENOSPC' || code === 'EDQUOT') && syscall === 'write';
}

export class FileCursor implements LogCursor {
  readonly name: string;
  readonly origin: CursorOrigin;
  readonly #parts: CursorParts;
  /** Ascending; the finished ones in it lie behind one that is not. */
  readonly #frozen: FrozenBatch[];
  readonly generation: number;
  #ordinal: number;
  #sequence: number;
  /** Counts changes of the state; what `#persisted` lacks is not on disk yet. */
  #revision = 0;
  #persisted = 0;
  #writing: Promise<void> | undefined;
  #lazyTimer: NodeJS.Timeout | undefined;
  #failure: PipelineError | undefined;
  #isClosed = false;

  constructor(parts: CursorParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.origin = parts.origin;
    this.#frozen = parts.state.frozen.map((batch) => ({ ...batch }));
    this.#ordinal = parts.state.ordinal;
    this.#sequence = parts.state.sequence;
    this.generation = parts.state.generation;
    // A state from disk may be released at once; a new one is not on disk yet.
    if (parts.origin === 'restored') parts.words.setReleasedOrdinal(parts.slot, this.#ordinal);
    else this.#changed();
  }

  get ordinal(): number {
    return this.#ordinal;
  }

  get frozen(): readonly BatchBoundary[] {
    return this.#frozen
      .filter((batch) => !batch.isFinished)
      .map((batch) => ({ first: batch.first, end: batch.end }));
  }

  get frozenEnd(): number {
    return this.#frozen.at(-1)?.end ?? this.#ordinal;
  }

  get freezable(): number {
    return FROZEN_MAX - this.#frozen.length;
  }

  async freeze(boundaries: readonly BatchBoundary[]): Promise<void> {
    assert(!this.#isClosed, 'cursor is closed');
    if (this.#failure !== undefined) throw this.#failure;
    if (boundaries.length > this.freezable) {
      throw new PipelineError('QUEUE_FULL', `cursor ${this.name} has too many unfinished batches`, {
        permanent: false,
      });
    }
    let previousEnd = this.frozenEnd;
    for (const boundary of boundaries) {
      assert(boundary.first >= previousEnd && boundary.end > boundary.first, 'boundaries must ascend');
      previousEnd = boundary.end;
    }
    for (const boundary of boundaries) {
      this.#frozen.push({ first: boundary.first, end: boundary.end, isFinished: false });
    }
    this.#changed();
    await this.#persistUpTo(this.#revision);
  }

  finish(boundary: BatchBoundary): void {
    const own = this.#frozen.find((frozen) => frozen.first === boundary.first && frozen.end === boundary.end);
    assert(own !== undefined && !own.isFinished, 'finished a batch that is not frozen');
    own.isFinished = true;
    while (this.#frozen[0]?.isFinished === true) this.#ordinal = (this.#frozen.shift() as FrozenBatch).end;
    this.#changed();
  }

  #changed(): void {
    this.#revision++;
    if (this.#lazyTimer !== undefined || this.#isClosed) return;
    this.#lazyTimer = setTimeout(() => {
      this.#lazyTimer = undefined;
      // A failure is kept and told by the next freeze().
      void this.#persistUpTo(this.#revision).catch(() => undefined);
    }, this.#parts.lazyMs ?? LAZY_PERSIST_MS).unref();
  }

  /** What it waited for rode on a freeze(): left to run it would write the next move early, and so every other one. */
  #clearLazyTimer(): void {
    clearTimeout(this.#lazyTimer);
    this.#lazyTimer = undefined;
  }

  /** Writes states until one with that revision is on disk; parallel callers share the writes. */
  async #persistUpTo(revision: number): Promise<void> {
    while (this.#persisted < revision) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#writing ??= this.#persistOnce().finally(() => {
        this.#writing = undefined;
      });
      await this.#writing;
    }
  }

  async #persistOnce(): Promise<void> {
    const revision = this.#revision;
    const ordinal = this.#ordinal;
    const sequence = this.#sequence + 1;
    const bytes = encodeCursorState({
      sequence,
      ordinal,
      logHash: this.#parts.logHash,
      generation: this.generation,
      frozen: this.#frozen,
    });
    try {
      await this.#writeOncePossible((sequence % 2) * SLOT_BYTES, bytes);
    } catch (error) {
      // A position that finds no space at the end of the process costs duplicates, and is no damage.
      const code = isFullDisk(error) ? 'QUEUE_FULL' : 'STORAGE_FAILED';
      this.#failure = new PipelineError(code, `cursor ${this.name} cannot be written`, {
        permanent: false,
        cause: error,
      });
      throw this.#failure;
    }
    this.#sequence = sequence;
    this.#persisted = revision;
    if (revision === this.#revision) this.#clearLazyTimer();
    // Only now: a segment deleted before the move is on disk would leave frozen batches without their items.
    this.#parts.words.setReleasedOrdinal(this.#parts.slot, ordinal);
  }

  /** A full disk is waited for, or its end would find an exporter that has given up. */
  async #writeOncePossible(slotOffset: number, bytes: Uint8Array): Promise<void> {
    for (;;) {
      try {
        return await this.#parts.writeSlot(slotOffset, bytes);
      } catch (error) {
        if (this.#isClosed || !isFullDisk(error)) throw error;
        await sleep(SPACE_RETRY_MS);
      }
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#clearLazyTimer();
    try {
      await this.#persistUpTo(this.#revision);
    } finally {
      await this.#parts.closeFile();
    }
  }
}
