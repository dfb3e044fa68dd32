/**
 * Logs on disk that no pipeline of the configuration has: found, told, kept. Whoever brings the pipeline, the exporter
 * or the storage back gets their items; nothing is deleted here.
 */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isDataDirectoryInUse } from '../queue/log/data-lock.ts';
import { DATA_FILE, listNames, listSegments, logHash, segmentDirectory } from '../queue/log/layout.ts';
import { Probe } from '../queue/log/lmdb/probe.ts';
import { type StoredCursor, storedCursors } from './orphan-cursors.ts';

const MAP_SLACK_BYTES = 64 << 20;
/** End of a log's name: the number of its worker. */
export const LOG_NAME = /~\d{1,4}$/;

export interface OrphanedLog {
  logId: string;
  directory: string;
  /** On disk from the first item that somebody has not got. */
  sizeBytes: number;
  /** Exporter id -> items that it has not got; empty: only retained, undefined: the log could not be read. */
  itemsByExporter: ReadonlyMap<string, number> | undefined;
}

/** Bytes on disk of the segments that hold `ordinal` and everything behind it. */
export function bytesFrom(logDirectory: string, ordinal: number): number {
  const segments = listSegments(logDirectory);
  const held = segments.filter((_, index) => (segments[index + 1] ?? Number.POSITIVE_INFINITY) > ordinal);
  return held.reduce((sum, first) => {
    const data = join(segmentDirectory(logDirectory, first), DATA_FILE);
    return sum + (statSync(data, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  }, 0);
}

/** Names of the logs below a storage directory that are not among the planned ones and have segments. */
export function unplannedLogs(storageDirectory: string, planned: ReadonlySet<string>): string[] {
  const parent = join(storageDirectory, 'logs');
  return listNames(parent)
    .filter((name) => LOG_NAME.test(name))
    .map((name) => join(parent, name))
    .filter((directory) => !planned.has(directory) && listSegments(directory).length > 0)
    .toSorted();
}

/**
 * Looks for orphans in storage directories, reading the newest segment of each in a child process.
 * @param planned directories of the logs that the engine has open.
 */
export async function findOrphanedLogs(
  storageDirectories: readonly string[],
  planned: ReadonlySet<string>,
  ownDirectories: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<OrphanedLog[]> {
  const probe = new Probe();
  signal.addEventListener('abort', () => probe.close(), { once: true });
  const orphans: OrphanedLog[] = [];
  try {
    for (const storage of storageDirectories) {
      // Another engine may have taken the directory over: then nothing in it is an orphan.
      if (!ownDirectories.has(storage) && (await isDataDirectoryInUse(storage))) continue;
      for (const directory of unplannedLogs(storage, planned)) {
        if (signal.aborted) return orphans;
        const orphan = await describeOrphan(directory, probe);
        if (orphan !== undefined) orphans.push(orphan);
      }
    }
  } finally {
    probe.close();
  }
  return orphans;
}

/** One past the last item of a log that nobody has open; undefined when it cannot be read. */
export async function logEnd(directory: string, probe: Probe): Promise<number | undefined> {
  const newest = listSegments(directory).at(-1)!;
  const data = join(segmentDirectory(directory, newest), DATA_FILE);
  const sizeBytes = statSync(data, { throwIfNoEntry: false })?.size ?? 0;
  const scan = await probe.scan(
    {
      directory: segmentDirectory(directory, newest),
      firstOrdinal: newest,
      logHash: logHash(basename(directory)),
      mapBytes: sizeBytes + MAP_SLACK_BYTES,
    },
    sizeBytes,
  );
  return scan.fault === undefined ? newest + scan.items : undefined;
}

/** Segments that are there without retention: the newest one, and the one of a start that took nothing. */
const UNRETAINED_SEGMENTS = 2;

/** @returns undefined when everybody has got everything, and little is left. */
async function describeOrphan(directory: string, probe: Probe): Promise<OrphanedLog | undefined> {
  const logId = basename(directory);
  const begin = listSegments(directory)[0]!;
  const end = await logEnd(directory, probe);
  const cursors = storedCursors(directory, logId);
  const waitFor: StoredCursor[] = cursors.length > 0 ? cursors : [{ name: '', directory, ordinal: begin }];
  if (end === undefined) {
    return { logId, directory, sizeBytes: bytesFrom(directory, begin), itemsByExporter: undefined };
  }
  const owed = waitFor.filter(({ ordinal }) => ordinal < end);
  if (owed.length === 0) {
    if (listSegments(directory).length <= UNRETAINED_SEGMENTS) return undefined;
    return { logId, directory, sizeBytes: bytesFrom(directory, begin), itemsByExporter: new Map() };
  }
  return {
    logId,
    directory,
    sizeBytes: bytesFrom(directory, Math.min(...owed.map(({ ordinal }) => ordinal))),
    itemsByExporter: new Map(owed.map(({ name, ordinal }) => [name, end - ordinal])),
  };
}

/**
 * Storage directories of this and earlier configurations, kept beside the logs: a storage extension that is gone
 * cannot be asked where it was.
 */
export function rememberStorages(dataDir: string, current: readonly string[]): string[] {
  const path = join(dataDir, 'storages');
  const known = readStorages(path);
  const kept = known.filter((directory) => {
    return current.includes(directory) || unplannedLogs(directory, new Set()).length > 0;
  });
  const all = [...new Set([...kept, ...current])].toSorted();
  if (all.join('\0') !== known.join('\0')) {
    writeFileSync(`${path}.new`, `${JSON.stringify(all)}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return all;
}

function readStorages(path: string): string[] {
  try {
    const stored: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return Array.isArray(stored) ? stored.filter((each) => typeof each === 'string') : [];
  } catch {
    // The first start, or damaged: then only the directories of this configuration are looked at.
    return [];
  }
}
