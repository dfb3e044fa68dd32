/**
 * Moving a cursor back, so that what it has finished is sent once more. In the file of a cursor that nobody has open:
 * the new position goes into the slot that does not count, so a crash leaves the old position or the new one. While
 * the engine runs, its worker does that between two openings of the cursor, asked by a file beside the position:
 *
 *   <cursor>/rewind         what is wanted; removed when it was done, or could not be
 *   <cursor>/rewind.result  what came of it, for whoever asked
 *
 * Batches get new boundaries from the new position on, and ids with a new generation: to a backend that remembers ids
 * they are new data, as they are meant to be. Batches that were frozen before are forgotten with their ids.
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { failpoint } from '../../stdx/failpoint.ts';
import { flushDirectory } from './clean-marker.ts';
import { encodeCursorState, readCursorFile, SLOT_BYTES } from './cursor-file.ts';
import { cursorFilePath, logHash } from './layout.ts';

export interface RewindOrder {
  logDirectory: string;
  logId: string;
  /** Exporter id. */
  name: string;
  /** Where it goes on: before its present position, and not before the oldest item of the log. */
  ordinal: number;
}

/** Writes the new position and flushes it. The cursor must exist and be open nowhere. */
export function rewindCursor({ logDirectory, logId, name, ordinal }: RewindOrder): void {
  const path = cursorFilePath(logDirectory, name);
  const stored = readCursorFile(path);
  if (typeof stored === 'string') throw new Error(`the position of ${name} is ${stored}`);
  const sequence = stored.sequence + 1;
  const bytes = encodeCursorState({
    ...{ sequence, ordinal, logHash: logHash(logId), frozen: [] },
    generation: stored.generation + 1,
  });
  const file = openSync(path, 'r+');
  try {
    const offset = (sequence % 2) * SLOT_BYTES;
    for (let written = 0; written < bytes.byteLength; )
      written += writeSync(file, bytes, written, bytes.byteLength - written, offset + written);
    failpoint('cursor.rewound');
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Where a cursor shall go back to: a time of arrival in ms since the epoch, or the oldest item. */
export type RewindTarget = number | 'begin';

export interface RewindRequest {
  target: RewindTarget;
  /** The generation that the cursor has afterwards: one that has it already was moved before a crash. */
  generation: number;
}

export type RewindResult = { from: number; to: number } | { error: string };

function requestPath(logDirectory: string, name: string): string {
  return join(dirname(cursorFilePath(logDirectory, name)), 'rewind');
}

function resultPath(logDirectory: string, name: string): string {
  return `${requestPath(logDirectory, name)}.result`;
}

function writeWhole(path: string, value: unknown): void {
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeSync(file, JSON.stringify(value));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  flushDirectory(dirname(path));
}

function readWhole(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // Not there; a file that is no request was written by nobody of us.
    return undefined;
  }
}

/** Asks the worker that has the cursor open. */
export function requestRewind(logDirectory: string, name: string, request: RewindRequest): void {
  rmSync(resultPath(logDirectory, name), { force: true });
  writeWhole(requestPath(logDirectory, name), request);
}

/** @returns false when a worker has taken it meanwhile. */
export function withdrawRewind(logDirectory: string, name: string): boolean {
  try {
    rmSync(requestPath(logDirectory, name));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** What somebody wants of this cursor; undefined when nobody wants anything. */
export function pendingRewind(logDirectory: string, name: string): RewindRequest | undefined {
  const request = readWhole(requestPath(logDirectory, name)) as Partial<RewindRequest> | null | undefined;
  const { target, generation } = request ?? {};
  if (typeof generation !== 'number' || (target !== 'begin' && typeof target !== 'number')) return undefined;
  return { target, generation };
}

/** Ends a request: the result first, so that it cannot be missed. */
export function finishRewind(logDirectory: string, name: string, result: RewindResult): void {
  writeWhole(resultPath(logDirectory, name), result);
  rmSync(requestPath(logDirectory, name), { force: true });
}

/** The result of the last request, once; undefined while there is none. */
export function takeRewindResult(logDirectory: string, name: string): RewindResult | undefined {
  const result = readWhole(resultPath(logDirectory, name));
  if (result !== undefined) rmSync(resultPath(logDirectory, name), { force: true });
  return result as RewindResult | undefined;
}
