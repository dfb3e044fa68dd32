/**
 * Files of one log:
 *
 *   <directory>/identity                     random name of this incarnation of the log
 *   <directory>/clean                        present after a clean close: what the segments looked like
 *   <directory>/segments/<first ordinal>/    one storage environment, sixteen hex digits
 *     since                                  when its first item arrived, ms since the epoch in digits
 *     unverified                             passed by every cursor and not looked into since a crash
 *   <directory>/segments/<name>.corrupt-<t>  set aside, never read again by the engine
 *   <directory>/segments/trash-<name>        on its way out
 *   <directory>/cursors/<exporter>/position  two slots, see cursor-file.ts
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from '../../stdx/crc32.ts';

const SEGMENT_NAME = /^[0-9a-f]{16}$/;
const SET_ASIDE_NAME = /^([0-9a-f]{16})\.corrupt-/;
export const TRASH_PREFIX = 'trash-';
export const DATA_FILE = 'data.mdb';
export const LOCK_FILE = 'lock.mdb';
export const SINCE_FILE = 'since';
export const UNVERIFIED_FILE = 'unverified';

export function segmentsDirectory(logDirectory: string): string {
  return join(logDirectory, 'segments');
}

export function segmentName(firstOrdinal: number): string {
  return firstOrdinal.toString(16).padStart(16, '0');
}

export function segmentDirectory(logDirectory: string, firstOrdinal: number): string {
  return join(segmentsDirectory(logDirectory), segmentName(firstOrdinal));
}

/** First ordinals of the usable segments, ascending; empty when there is no log yet. */
export function listSegments(logDirectory: string): number[] {
  return listNames(segmentsDirectory(logDirectory))
    .filter((name) => SEGMENT_NAME.test(name))
    .map((name) => Number.parseInt(name, 16))
    .sort((a, b) => a - b);
}

/** First ordinal and data bytes of the segments that were set aside. */
export function listSetAside(logDirectory: string): { firstOrdinal: number; sizeBytes: number }[] {
  const setAside: { firstOrdinal: number; sizeBytes: number }[] = [];
  for (const name of listNames(segmentsDirectory(logDirectory))) {
    const match = SET_ASIDE_NAME.exec(name);
    if (match === null) continue;
    const data = join(segmentsDirectory(logDirectory), name, DATA_FILE);
    const sizeBytes = statSync(data, { throwIfNoEntry: false })?.size ?? 0;
    setAside.push({ firstOrdinal: Number.parseInt(match[1] as string, 16), sizeBytes });
  }
  return setAside;
}

/** When the first item of a segment arrived, ms since the epoch; undefined where nothing tells. */
export function segmentSince(logDirectory: string, firstOrdinal: number): number | undefined {
  try {
    const text = readFileSync(join(segmentDirectory(logDirectory, firstOrdinal), SINCE_FILE), 'utf8');
    return /^\d+$/.test(text) ? Number(text) : undefined;
  } catch {
    // Of an earlier version, or lost in a crash: worth no error.
    return undefined;
  }
}

/** When something was last written to a segment: nothing in it arrived later. 0 when it is gone. */
export function segmentUntil(logDirectory: string, firstOrdinal: number): number {
  const path = join(segmentDirectory(logDirectory, firstOrdinal), DATA_FILE);
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Names in a directory; none when it does not exist, or is none. */
export function listNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

/** An exporter id as a file name: letters, digits, `_` and `-` stay, every other byte becomes `%xx`. */
export function cursorDirectoryName(cursorName: string): string {
  let name = '';
  for (const byte of Buffer.from(cursorName, 'utf8')) {
    const char = String.fromCharCode(byte);
    name += /[A-Za-z0-9_-]/.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
  }
  // File names end at 255 bytes; two long names must not meet there.
  if (name.length <= 200) return name;
  return `${name.slice(0, 190)}~${crc32(Buffer.from(cursorName, 'utf8')).toString(16)}`;
}

export function cursorsDirectory(logDirectory: string): string {
  return join(logDirectory, 'cursors');
}

export function cursorFilePath(logDirectory: string, cursorName: string): string {
  return join(cursorsDirectory(logDirectory), cursorDirectoryName(cursorName), 'position');
}

/**
 * The log's incarnation: eight hex digits, made with the directory. It belongs into every batch id, because ordinals
 * start again when someone deletes the data directory, and a backend that remembers old batch ids would take the new
 * batches for repetitions and drop them.
 */
export function openIdentity(logDirectory: string): string {
  const path = join(logDirectory, 'identity');
  try {
    const stored = readFileSync(path, 'utf8').trim();
    if (/^[0-9a-f]{8}$/.test(stored)) return stored;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(logDirectory, { recursive: true, mode: 0o700 });
  const incarnation = randomBytes(4).toString('hex');
  try {
    writeFileSync(path, `${incarnation}\n`, { flag: 'wx', mode: 0o600, flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const other = readFileSync(path, 'utf8').trim();
    if (/^[0-9a-f]{8}$/.test(other)) return other;
    // Empty after a crash or damaged: batches frozen before may reach the backend twice under two ids.
    writeFileSync(path, `${incarnation}\n`, { mode: 0o600, flush: true });
  }
  return incarnation;
}

/** What ties a record to its log: a segment directory copied from another one is not read as ours. */
export function logHash(logId: string): number {
  return crc32(Buffer.from(logId, 'utf8'));
}
