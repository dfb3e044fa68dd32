/** Where a log continues: no ordinal that was ever given out may be given out again, whatever was lost meanwhile. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readCursorFile } from '../cursor-file.ts';
import { cursorsDirectory, listNames, listSegments, listSetAside, segmentDirectory } from '../layout.ts';
import { readRecordHeader } from '../record.ts';
import { isKeyOfSegment, openSegmentView, type SegmentView } from './store.ts';

/** Records at the end of a log that are looked at for a mark. */
const MARK_LOOKS_MAX = 64;

export interface RecoveredEnd {
  /** First ordinal of the next item. */
  nextOrdinal: number;
  /** End of the last record that can be read: the next one must not claim that more was stored before it. */
  storedEnd: number;
  /** Newest mark among the last records; 0 when there is none. */
  mark: number;
  /** The newest segment holds nothing and can be replaced. */
  isNewestEmpty: boolean;
}

export interface RecoverSettings {
  directory: string;
  logHash: number;
  mapBytes: number;
  segmentBytes: number;
}

/** Opens the newest segments for reading; they must have passed preparation. */
export async function recoverEnd(settings: RecoverSettings): Promise<RecoveredEnd> {
  const segments = listSegments(settings.directory);
  let nextOrdinal = segments.at(-1) ?? 0;
  let isNewestEmpty = false;
  let storedEnd = 0;
  let mark = 0;
  for (let index = segments.length - 1; index >= 0; index--) {
    const end = await segmentEnd(settings, segments[index] as number);
    if (end !== undefined) {
      nextOrdinal = Math.max(nextOrdinal, end.nextOrdinal);
      storedEnd = end.storedEnd;
      mark = end.mark;
      break;
    }
    isNewestEmpty ||= index === segments.length - 1;
  }
  const elsewhere = Math.max(endOfSetAside(settings), endOfCursors(settings.directory));
  return { nextOrdinal: Math.max(nextOrdinal, elsewhere), storedEnd, mark, isNewestEmpty };
}

interface SegmentEnd {
  nextOrdinal: number;
  storedEnd: number;
  mark: number;
}

/** Behind the last item of a segment; undefined when it is empty. */
async function segmentEnd(settings: RecoverSettings, firstOrdinal: number): Promise<SegmentEnd | undefined> {
  const directory = segmentDirectory(settings.directory, firstOrdinal);
  const view = openSegmentView({ directory, mapBytes: settings.mapBytes, flush: true });
  try {
    const lastKey = view.lastKey();
    if (lastKey === undefined) return undefined;
    const bytes = view.get(lastKey);
    const header = bytes === undefined ? 'too short' : readRecordHeader(bytes, settings.logHash);
    if (typeof header !== 'string') {
      const end = header.firstOrdinal + header.itemCount;
      return { nextOrdinal: end, storedEnd: end, mark: lastMark(view, lastKey, settings.logHash) };
    }
    // Damaged: an item takes at least one byte, so this lies beyond every ordinal that the record can have had.
    const storedEnd = isKeyOfSegment(lastKey, firstOrdinal) ? lastKey : firstOrdinal;
    const mark = lastMark(view, lastKey, settings.logHash);
    return { nextOrdinal: storedEnd + (bytes?.byteLength ?? 1), storedEnd, mark };
  } finally {
    await view.close();
  }
}

/** A group is stored whole and its last record is the marked one, so that few records are looked at. */
function lastMark(view: SegmentView, lastKey: number, hash: number): number {
  let key: number | undefined = lastKey;
  for (let looks = 0; key !== undefined && looks < MARK_LOOKS_MAX; looks++) {
    const bytes = view.get(key);
    const header = bytes === undefined ? 'too short' : readRecordHeader(bytes, hash);
    if (typeof header !== 'string' && header.mark !== 0) return header.mark;
    key = key === 0 ? undefined : view.floorKey(key - 1);
  }
  return 0;
}

function endOfSetAside(settings: RecoverSettings): number {
  let end = 0;
  for (const { firstOrdinal, sizeBytes } of listSetAside(settings.directory)) {
    end = Math.max(end, firstOrdinal + Math.max(sizeBytes, 2 * settings.segmentBytes));
  }
  return end;
}

/** A cursor can be ahead of what is left when the newest segment was lost. */
function endOfCursors(logDirectory: string): number {
  let end = 0;
  for (const name of listNames(cursorsDirectory(logDirectory))) {
    const path = join(cursorsDirectory(logDirectory), name);
    if (!readdirSync(path).includes('position')) continue;
    const state = readCursorFile(join(path, 'position'));
    if (typeof state === 'string') continue;
    end = Math.max(end, state.ordinal, ...state.frozen.map((boundary) => boundary.end));
  }
  return end;
}
