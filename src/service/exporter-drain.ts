/**
 * One log being drained by one exporter: its delivery, and the cursor moved back when `millrace cursors rewind` asks
 * for it. That happens between two openings of the cursor, by the same write as without an engine.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../component/settings.ts';
import type { Delivery } from '../exporters/helper/delivery.ts';
import type { LogCursor, LogDescriptor, LogReader } from '../queue/log/contract.ts';
import { openLogCursor } from '../queue/log/file-cursor.ts';
import { listSegments, segmentDirectory, UNVERIFIED_FILE } from '../queue/log/layout.ts';
import {
  finishRewind,
  pendingRewind,
  type RewindRequest,
  type RewindResult,
  rewindCursor,
} from '../queue/log/rewind.ts';
import { SharedWords } from '../queue/log/shared-words.ts';
import { ordinalOfTarget } from './rewind-target.ts';

/** Between two looks for a request. */
const LOOK_MS = 500;
/** A deletion of segments that was under way when they were claimed is over by then. */
const SETTLE_MS = 100;
/** Records of a search that are read before the thread does something else. */
const SEARCH_RECORDS = 16;

export interface DrainParts {
  log: LogDescriptor;
  /** Exporter id. */
  name: string;
  reader: LogReader;
  logger: Logger;
  /** Longest time until a move of the cursor is on disk by itself; undefined: the usual one. */
  lazyMs: number | undefined;
  createDelivery(cursor: LogCursor): Delivery;
}

export class Drain {
  readonly #parts: DrainParts;
  readonly #words: SharedWords;
  readonly #slot: number;
  readonly #timer: NodeJS.Timeout;
  #cursor: LogCursor;
  #delivery: Delivery;
  #request: RewindRequest | undefined;
  #isStopped = false;

  private constructor(parts: DrainParts, cursor: LogCursor) {
    this.#parts = parts;
    this.#words = new SharedWords(parts.log.shared);
    this.#slot = parts.log.cursorNames.indexOf(parts.name);
    this.#cursor = cursor;
    this.#delivery = parts.createDelivery(cursor);
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  static async open(parts: DrainParts): Promise<Drain> {
    return new Drain(parts, await openCursor(parts));
  }

  /** Runs until `stop`. Rejects only when the log itself fails. */
  async run(): Promise<void> {
    for (;;) {
      await this.#delivery.run();
      const request = this.#request;
      if (request === undefined || this.#isStopped) return;
      await this.#delivery.stop();
      await this.#rewind(request);
      this.#request = undefined;
      // Opened behind the closing of the one before.
      if (this.#isStopped) return this.#cursor.close();
    }
  }

  /** Ends waits and attempts; a rewind that was begun is brought to its end by `run`. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#delivery.stop();
  }

  /** Persists the position. Ends the wait for space on a full disk, which `run` may be in. */
  closeCursor(): Promise<void> {
    return this.#cursor.close();
  }

  closeReader(): Promise<void> {
    return this.#parts.reader.close();
  }

  #look(): void {
    const { log, name } = this.#parts;
    if (this.#request !== undefined || this.#isStopped) return;
    const request = pendingRewind(log.directory, name);
    if (request === undefined) return;
    if (this.#cursor.generation >= request.generation) {
      // Moved before a crash, which came before the request was removed.
      finishRewind(log.directory, name, { from: this.#cursor.ordinal, to: this.#cursor.ordinal });
      return;
    }
    this.#request = request;
    // A rejection is one of `run`.
    void this.#delivery.stop().catch(() => undefined);
  }

  async #rewind({ target }: RewindRequest): Promise<void> {
    const { log, name, logger } = this.#parts;
    await this.#cursor.close();
    const result = await this.#move(target).catch((error: unknown): RewindResult => {
      this.#words.setReleasedOrdinal(this.#slot, this.#cursor.ordinal);
      return { error: error instanceof Error ? error.message : String(error) };
    });
    if ('error' in result) logger.error('position not moved back', { log: log.logId, error: result.error });
    else logger.info('position moved back, items are sent again', { log: log.logId, ...result });
    this.#cursor = await openCursor(this.#parts);
    this.#delivery = this.#parts.createDelivery(this.#cursor);
    if (this.#isStopped) await this.#delivery.stop();
    finishRewind(log.directory, name, result);
  }

  async #move(target: RewindRequest['target']): Promise<RewindResult> {
    const { log, name } = this.#parts;
    const from = this.#cursor.ordinal;
    const lookInto = (firstOrdinal: number, unixMs: number) => this.#search(firstOrdinal, unixMs);
    const wanted = await ordinalOfTarget(log.directory, target, lookInto);
    if (wanted === undefined || wanted >= from) return { from, to: from };
    // Claimed before it is written down, so that nothing of it is deleted meanwhile.
    this.#words.setReleasedOrdinal(this.#slot, wanted);
    await sleep(SETTLE_MS);
    const segments = listSegments(log.directory);
    const to = Math.max(wanted, segments[0] ?? wanted);
    const isUnverified = segments.some((first, index) => {
      const isRead = first < from && (segments[index + 1] ?? Number.POSITIVE_INFINITY) > to;
      return isRead && existsSync(join(segmentDirectory(log.directory, first), UNVERIFIED_FILE));
    });
    if (isUnverified) {
      throw new Error(
        'a part of that was not looked into since a crash: stop the engine, rewind, and start it again',
      );
    }
    rewindCursor({ logDirectory: log.directory, logId: log.logId, name, ordinal: to });
    return { from, to };
  }

  /** First record of a segment that may hold something of that time or later. */
  async #search(firstOrdinal: number, unixMs: number): Promise<number | undefined> {
    const { log, reader } = this.#parts;
    if (existsSync(join(segmentDirectory(log.directory, firstOrdinal), UNVERIFIED_FILE))) return firstOrdinal;
    const next = listSegments(log.directory).find((segment) => segment > firstOrdinal);
    const end = Math.min(next ?? Number.POSITIVE_INFINITY, this.#cursor.ordinal);
    let earlier: number | undefined;
    let ordinal = firstOrdinal;
    for (let reads = 1; ordinal < end; reads++) {
      const record = reader.readRecord(ordinal);
      if (record === undefined || record.firstOrdinal >= end) return undefined;
      if (!record.damaged && record.receivedUnixMs >= unixMs) return earlier ?? record.firstOrdinal;
      if (!record.damaged) earlier = record.firstOrdinal;
      ordinal = record.endOrdinal;
      reader.release(record);
      if (reads % SEARCH_RECORDS === 0) await sleep(1);
    }
    return undefined;
  }
}

async function openCursor({ log, name, lazyMs, logger }: DrainParts): Promise<LogCursor> {
  const cursor = await openLogCursor(log, name, lazyMs);
  if (cursor.origin === 'damaged') {
    logger.error('the position file is damaged: everything the log still holds is sent again', {
      log: log.logId,
    });
  }
  return cursor;
}
