/** Dead-letter files as the command line sees them. They are never changed here: what was sent again is noted beside. */
import { appendFileSync, closeSync, fsyncSync, openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type DeadLetter,
  listDeadLetterFiles,
  parseLineRanges,
  RETRIED_SUFFIX,
} from '../exporters/helper/dead-letters.ts';
import { deadLetterRoot } from './deadletter-directory.ts';

export interface LetterFile {
  path: string;
  /** `<directory of the exporter>/<file without its extension>`; unique within a storage directory. */
  id: string;
  /** The engine may still append to it. */
  isNewest: boolean;
}

export interface StoredLetter {
  /** Counted from 1. */
  line: number;
  letter: DeadLetter;
}

export interface ReadFile {
  /** Not sent again so far, in the order of the file. */
  letters: StoredLetter[];
  /** Lines that a crash cut off, or that somebody has edited badly. */
  damagedCount: number;
}

/** Files of all exporters below the storage directories, oldest first for each exporter and signal. */
export async function listLetterFiles(storageDirectories: readonly string[]): Promise<LetterFile[]> {
  const files: LetterFile[] = [];
  for (const storage of storageDirectories) {
    const root = deadLetterRoot(storage);
    const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    for (const name of names.sort()) {
      const listed = await listDeadLetterFiles(join(root, name));
      for (const [index, file] of listed.entries()) {
        files.push({
          path: join(root, name, file.name),
          id: `${name}/${file.name.replace(/\.jsonl$/, '')}`,
          isNewest: listed[index + 1]?.signal !== file.signal,
        });
      }
    }
  }
  return files;
}

/** Everything in a file that was not sent again; a file that is gone meanwhile is empty. */
export async function readLetterFile(path: string): Promise<ReadFile> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const retried = parseLineRanges(await readFile(path + RETRIED_SUFFIX, 'utf8').catch(() => ''));
  const letters: StoredLetter[] = [];
  let damagedCount = 0;
  const lines = text.split('\n');
  // Behind the last line feed is nothing, or what the engine is writing at this moment.
  for (const [index, content] of lines.slice(0, -1).entries()) {
    const line = index + 1;
    if (retried.some(({ from, to }) => line >= from && line <= to)) continue;
    const letter = parseLetter(content);
    if (letter === undefined) damagedCount++;
    else letters.push({ line, letter });
  }
  return { letters, damagedCount };
}

function parseLetter(content: string): DeadLetter | undefined {
  try {
    const letter = JSON.parse(content) as Partial<DeadLetter> | null;
    const isWhole =
      typeof letter?.request === 'string' &&
      typeof letter.exporter === 'string' &&
      (letter.signal === 'traces' || letter.signal === 'metrics' || letter.signal === 'logs');
    return isWhole ? (letter as DeadLetter) : undefined;
  } catch {
    return undefined;
  }
}

interface LineRange {
  from: number;
  to: number;
}

/** On disk when it returns: what was delivered must not be delivered again. */
export function noteRetried(path: string, lines: readonly number[]): void {
  const ranges: LineRange[] = [];
  for (const line of lines) {
    const last = ranges.at(-1);
    if (last?.to === line - 1) last.to = line;
    else ranges.push({ from: line, to: line });
  }
  const file = openSync(path + RETRIED_SUFFIX, 'a', 0o600);
  try {
    appendFileSync(file, ranges.map(({ from, to }) => `${from}-${to}\n`).join(''));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Whether the words of the command line mean this item of this file; no words mean everything. */
export function isSelected(ids: readonly string[], fileId: string, line: number): boolean {
  return ids.length === 0 || ids.includes(fileId) || ids.includes(`${fileId}:${line}`);
}
