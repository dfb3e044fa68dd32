/** Requests that wait in a log since an earlier start, for a bound that counts requests. */
import { readCursorFile } from '../cursor-file.ts';
import { cursorFilePath, listSegments, segmentDirectory } from '../layout.ts';
import { readRecordBytes } from '../record.ts';
import { openSegmentView, type SegmentView } from './store.ts';

export interface WaitingSettings {
  directory: string;
  logHash: number;
  mapBytes: number;
  cursorNames: readonly string[];
  /** The newest so many are looked for; the time to open grows with them, not with the backlog. */
  requestsMax: number;
}

/**
 * End ordinals of the newest requests behind the slowest cursor, ascending. A record that cannot be read counts as one
 * request. The segments must have passed preparation.
 */
export async function listWaitingRequests(settings: WaitingSettings): Promise<number[]> {
  const { directory, mapBytes, requestsMax } = settings;
  const segments = listSegments(directory);
  const released = slowestCursor(settings, segments[0] ?? 0);
  const newestFirst: number[] = [];
  for (let index = segments.length - 1; index >= 0 && newestFirst.length < requestsMax; index--) {
    const firstOrdinal = segments[index]!;
    const view = openSegmentView({
      directory: segmentDirectory(directory, firstOrdinal),
      mapBytes,
      flush: true,
    });
    try {
      if (!takeNewest(view, settings, firstOrdinal, released, newestFirst)) break;
    } finally {
      await view.close();
    }
  }
  return newestFirst.reverse();
}

/** A cursor without a file, or with a damaged one, will begin at the oldest item. */
function slowestCursor({ directory, logHash, cursorNames }: WaitingSettings, begin: number): number {
  let slowest = cursorNames.length === 0 ? Number.POSITIVE_INFINITY : Number.MAX_SAFE_INTEGER;
  for (const name of cursorNames) {
    const state = readCursorFile(cursorFilePath(directory, name));
    const isOurs = typeof state !== 'string' && state.logHash === logHash;
    slowest = Math.min(slowest, isOurs ? state.ordinal : begin);
  }
  return slowest;
}

/** Walks one segment backwards; false when everything before was passed by all cursors. */
function takeNewest(
  view: SegmentView,
  { logHash, requestsMax }: WaitingSettings,
  firstOrdinal: number,
  released: number,
  newestFirst: number[],
): boolean {
  let key = view.lastKey();
  let nextKey = Number.POSITIVE_INFINITY;
  while (key !== undefined && key >= firstOrdinal && newestFirst.length < requestsMax) {
    const bytes = view.get(key);
    const record = bytes === undefined ? 'too short' : readRecordBytes(bytes, logHash);
    const itemEnds = typeof record === 'string' ? [1] : record.entryItemEnds;
    for (let entry = itemEnds.length - 1; entry >= 0 && newestFirst.length < requestsMax; entry--) {
      const end = Math.min(key + itemEnds[entry]!, nextKey);
      if (end <= released) return false;
      newestFirst.push(end);
    }
    nextKey = key;
    key = key === 0 ? undefined : view.floorKey(key - 1);
  }
  return true;
}
