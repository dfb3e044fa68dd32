/** From a time of arrival to a position in a log. */
import { listSegments, segmentUntil } from '../queue/log/layout.ts';
import type { RewindTarget } from '../queue/log/rewind.ts';

/**
 * Position of the first record that may hold something that arrived at the target or later; a record is what one
 * flush made durable, half a megabyte at most.
 *
 * @param lookInto the same within one segment; undefined when nothing in it is that late.
 * @returns undefined when everything in the log is older.
 */
export async function ordinalOfTarget(
  logDirectory: string,
  target: RewindTarget,
  lookInto: (firstOrdinal: number, unixMs: number) => Promise<number | undefined>,
): Promise<number | undefined> {
  const segments = listSegments(logDirectory);
  if (target === 'begin') return segments[0];
  for (const [index, firstOrdinal] of segments.entries()) {
    // The newest one is being written to, and a copied file is younger than what is in it: then one more is opened.
    const isNewest = index === segments.length - 1;
    if (!isNewest && segmentUntil(logDirectory, firstOrdinal) < target) continue;
    const found = await lookInto(firstOrdinal, target);
    if (found !== undefined) return found;
  }
  return undefined;
}
