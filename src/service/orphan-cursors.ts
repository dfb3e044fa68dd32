/**
 * Exporters that left a pipeline while items waited for them: their positions are still beside the log. They hold the
 * segments that they have not finished, so that the data is there when the exporter comes back.
 */
import { basename, join } from 'node:path';
import { readCursorFile } from '../queue/log/cursor-file.ts';
import {
  cursorDirectoryName,
  cursorsDirectory,
  listNames,
  listSegments,
  logHash,
} from '../queue/log/layout.ts';

export interface StoredCursor {
  /** Exporter id; where the directory's name is a shortened one, that. */
  name: string;
  directory: string;
  /** Every item before it is finished. */
  ordinal: number;
}

/** Every readable position beside a log; a damaged one counts from the oldest item, as it would on its return. */
export function storedCursors(logDirectory: string, logId: string): StoredCursor[] {
  const begin = listSegments(logDirectory)[0];
  if (begin === undefined) return [];
  const hash = logHash(logId);
  const found: StoredCursor[] = [];
  for (const name of listNames(cursorsDirectory(logDirectory)).toSorted()) {
    const directory = join(cursorsDirectory(logDirectory), name);
    const state = readCursorFile(join(directory, 'position'));
    if (state === 'absent') continue;
    const isOurs = state !== 'damaged' && state.logHash === hash;
    found.push({
      name: exporterIdOf(name),
      directory,
      ordinal: isOurs ? Math.max(state.ordinal, begin) : begin,
    });
  }
  return found;
}

/** Positions of exporters that the configuration does not have any more. */
export function orphanCursors(
  logDirectory: string,
  logId: string,
  configured: readonly string[],
): StoredCursor[] {
  const known = new Set(configured.map(cursorDirectoryName));
  return storedCursors(logDirectory, logId).filter(({ directory }) => !known.has(basename(directory)));
}

/** The reverse of `cursorDirectoryName`; a shortened name, which has a tilde, stays as it is. */
function exporterIdOf(directoryName: string): string {
  try {
    return decodeURIComponent(directoryName);
  } catch {
    return directoryName;
  }
}
