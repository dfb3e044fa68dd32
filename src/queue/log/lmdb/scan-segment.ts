/** Walks a whole segment as a reader would. Runs in the probe child only: damage may end the process. */
import { readRecordBytes } from '../record.ts';
import { isKeyOfSegment, openSegmentView } from './store.ts';

export interface ScanJob {
  directory: string;
  firstOrdinal: number;
  logHash: number;
  mapBytes: number;
  /** Looks for what arrived at this time or later, ms since the epoch. */
  sinceUnixMs?: number;
}

export interface ScanResult {
  records: number;
  items: number;
  damagedRecords: number;
  /** The first record that may hold something that arrived since `sinceUnixMs`; absent when none does. */
  sinceOrdinal?: number;
  /** The whole segment is of no use: why. */
  fault?: string;
}

/** Reads every record by walking the keys and by looking each of them up. */
export async function scanSegment(job: ScanJob): Promise<ScanResult> {
  const result: ScanResult = { records: 0, items: 0, damagedRecords: 0 };
  const view = openSegmentView({ directory: job.directory, mapBytes: job.mapBytes, flush: true });
  let key = view.ceilingKey(0);
  let previousKey = -1;
  const lastKey = view.lastKey();
  let earlier: number | undefined;
  while (key !== undefined) {
    if (!(key > previousKey)) return { ...result, fault: 'keys out of order' };
    if (!isKeyOfSegment(key, job.firstOrdinal)) return { ...result, fault: 'keys of another segment' };
    if (view.floorKey(key) !== key) return { ...result, fault: 'key cannot be found again' };
    const bytes = view.get(key);
    const record = bytes === undefined ? 'too short' : readRecordBytes(bytes, job.logHash);
    result.records++;
    if (record === 'newer format') return { ...result, fault: 'records of a newer format' };
    if (record === 'another log') return { ...result, fault: 'records of another log' };
    if (typeof record === 'string' || record.firstOrdinal !== key) result.damagedRecords++;
    else {
      result.items += record.endOrdinal - record.firstOrdinal;
      if (record.receivedUnixMs < (job.sinceUnixMs ?? 0)) earlier = record.firstOrdinal;
      // A record has the time of its first request: the one before may hold later ones.
      else result.sinceOrdinal ??= earlier ?? record.firstOrdinal;
    }
    previousKey = key;
    key = view.ceilingKey(key + 1);
  }
  if (lastKey !== undefined && lastKey !== previousKey) return { ...result, fault: 'keys out of order' };
  if (result.records > 0 && result.damagedRecords === result.records) {
    return { ...result, fault: 'no readable record' };
  }
  await view.close();
  return result;
}
