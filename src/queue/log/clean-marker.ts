/** The file that a clean close leaves behind: segments that still look like this need no scan at start. */
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_FILE, listSegments, segmentDirectory, segmentName } from './layout.ts';

interface SegmentLook {
  name: string;
  sizeBytes: number;
  modifiedMs: number;
}

function markerPath(logDirectory: string): string {
  return join(logDirectory, 'clean');
}

function lookAt(logDirectory: string, firstOrdinal: number): SegmentLook | undefined {
  const data = join(segmentDirectory(logDirectory, firstOrdinal), DATA_FILE);
  const stats = statSync(data, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  return { name: segmentName(firstOrdinal), sizeBytes: stats.size, modifiedMs: stats.mtimeMs };
}

/** Flushes a directory, so that names made, renamed or removed in it survive a power cut. */
export function flushDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Called after the last commit of a close. */
export function writeCleanMarker(logDirectory: string, flush: boolean): void {
  const looks = listSegments(logDirectory).map((firstOrdinal) => lookAt(logDirectory, firstOrdinal));
  // Older programs look for `segments`, find none and scan: what they cannot read is then set aside and not passed over.
  const text = `${JSON.stringify({ version: 2, segments: [], checked: looks })}\n`;
  writeFileSync(markerPath(logDirectory), text, { mode: 0o600, flush });
  if (flush) flushDirectory(logDirectory);
}

/** Called before the first write after an open; the log is unclean from then on. */
export function removeCleanMarker(logDirectory: string, flush: boolean): void {
  rmSync(markerPath(logDirectory), { force: true });
  if (flush) flushDirectory(logDirectory);
}

/** First ordinals of the segments that are as the last clean close left them; none after a crash. */
export function cleanSegments(logDirectory: string): ReadonlySet<number> {
  const clean = new Set<number>();
  let looks: unknown;
  try {
    const marker = JSON.parse(readFileSync(markerPath(logDirectory), 'utf8')) as Partial<
      Record<string, unknown>
    >;
    looks = marker.checked ?? marker.segments;
  } catch {
    // Absent after a crash, or damaged: then everything is scanned.
    return clean;
  }
  if (!Array.isArray(looks)) return clean;
  for (const firstOrdinal of listSegments(logDirectory)) {
    const now = lookAt(logDirectory, firstOrdinal);
    const isSame = (looks as (SegmentLook | null)[]).some(
      (then) =>
        then?.name === now?.name &&
        then?.sizeBytes === now?.sizeBytes &&
        then?.modifiedMs === now?.modifiedMs,
    );
    if (now !== undefined && isSame) clean.add(firstOrdinal);
  }
  return clean;
}
