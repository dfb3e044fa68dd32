/**
 * Makes a log fit to be opened: on the main thread, before any worker exists. The directory is checked as plain files,
 * suspicious or unverified segments are scanned in a child process, and what fails is set aside under a new name.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../component/settings.ts';
import type { Clock } from '../../stdx/clock.ts';
import { cleanSegments, flushDirectory } from './clean-marker.ts';
import { unusableDirectory } from './data-lock.ts';
import {
  cursorsDirectory,
  listNames,
  listSegments,
  logHash,
  openIdentity,
  segmentDirectory,
  segmentName,
  segmentsDirectory,
  TRASH_PREFIX,
  UNVERIFIED_FILE,
} from './layout.ts';
import { Probe } from './lmdb/probe.ts';
import type { ScanResult } from './lmdb/scan-segment.ts';
import { placeNewCursors, slowestPosition } from './new-cursors.ts';
import { preflightSegment } from './preflight.ts';

const MAP_SLACK_BYTES = 64 * 1024 * 1024;

export interface PrepareLogSettings {
  logId: string;
  directory: string;
  /** Exporters that will read it: those that have no position get one. */
  cursorNames?: readonly string[];
  clock: Clock;
  logger: Logger;
  /** The crash-loop breaker: nothing of earlier starts is opened. */
  setAllAside?: boolean;
  /** Longest scan of one segment, ms. */
  scanTimeoutMs?: number;
}

export interface QuarantinedSegment {
  /** Where it is now. */
  path: string;
  reason: string;
  sizeBytes: number;
  /** Items it may have held; undefined when nothing tells. */
  itemsEstimated: number | undefined;
}

export interface LogPreparation {
  segmentCount: number;
  sizeBytes: number;
  scannedCount: number;
  /** Passed by every cursor and kept, so that nobody reads them unless a cursor is moved back: looked into then. */
  unverifiedCount: number;
  /** Records that the reader will skip and report as damaged; only scans count them. */
  damagedRecords: number;
  quarantined: QuarantinedSegment[];
}

/**
 * Checks every segment of one log; the data directory must be locked and no thread may have the log open.
 *
 * @returns what is left and what was set aside; each segment set aside has been logged as an error.
 * @throws PipelineError START_FAILED, naming the directory, when it cannot be read or written.
 */
export async function prepareLog(settings: PrepareLogSettings): Promise<LogPreparation> {
  try {
    makeWritable(settings.directory);
    placeNewCursors(settings.directory, settings.logId, settings.cursorNames ?? []);
    return await checkSegments(settings);
  } catch (error) {
    throw unusableDirectory(settings.directory, error);
  }
}

function makeWritable(directory: string): void {
  for (const path of [directory, segmentsDirectory(directory), cursorsDirectory(directory)]) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }
  openIdentity(directory);
  const probe = join(segmentsDirectory(directory), '.writable');
  writeFileSync(probe, '');
  rmSync(probe);
  for (const name of listNames(segmentsDirectory(directory))) {
    if (!name.startsWith(TRASH_PREFIX)) continue;
    rmSync(join(segmentsDirectory(directory), name), { recursive: true, force: true });
  }
}

async function checkSegments(settings: PrepareLogSettings): Promise<LogPreparation> {
  const segments = listSegments(settings.directory);
  const clean = cleanSegments(settings.directory);
  // Nobody reads before it: newcomers begin there, too.
  const passedEnd = slowestPosition(settings.directory, settings.logId) ?? 0;
  const probe = new Probe(settings.scanTimeoutMs === undefined ? {} : { timeoutMs: settings.scanTimeoutMs });
  const result: LogPreparation = {
    segmentCount: 0,
    sizeBytes: 0,
    scannedCount: 0,
    unverifiedCount: 0,
    damagedRecords: 0,
    quarantined: [],
  };
  try {
    for (const [index, firstOrdinal] of segments.entries()) {
      const isPassed = (segments[index + 1] ?? Number.POSITIVE_INFINITY) <= passedEnd;
      const state = { isClean: clean.has(firstOrdinal), isPassed };
      const verdict = await checkSegment(settings, firstOrdinal, state, probe);
      if (verdict.isUnverified === true) result.unverifiedCount++;
      if (verdict.scan !== undefined) result.scannedCount++;
      if (verdict.isVoid === true) {
        rmSync(segmentDirectory(settings.directory, firstOrdinal), { recursive: true, force: true });
        continue;
      }
      if (verdict.reason === undefined) {
        result.segmentCount++;
        result.sizeBytes += verdict.sizeBytes;
        result.damagedRecords += verdict.scan?.damagedRecords ?? 0;
        continue;
      }
      const next = segments[index + 1];
      const itemsEstimated = next === undefined ? verdict.scan?.items || undefined : next - firstOrdinal;
      result.quarantined.push(
        setAside(settings, firstOrdinal, verdict.reason, verdict.sizeBytes, itemsEstimated),
      );
    }
  } finally {
    probe.close();
  }
  return result;
}

interface Verdict {
  sizeBytes: number;
  scan?: ScanResult;
  /** Why the segment is not usable. */
  reason?: string;
  /** A directory without a data file: what a crash leaves between making the one and the other. */
  isVoid?: boolean;
  /** Left for later: a crash must not make a start wait for what nobody reads. */
  isUnverified?: boolean;
}

async function checkSegment(
  settings: PrepareLogSettings,
  firstOrdinal: number,
  { isClean, isPassed }: { isClean: boolean; isPassed: boolean },
  probe: Probe,
): Promise<Verdict> {
  const directory = segmentDirectory(settings.directory, firstOrdinal);
  const mark = join(directory, UNVERIFIED_FILE);
  const preflight = preflightSegment(directory);
  const { sizeBytes } = preflight;
  if (preflight.outcome === 'void') return { sizeBytes, isVoid: true };
  if (preflight.outcome === 'bad') return { sizeBytes, reason: preflight.reason };
  if (settings.setAllAside === true) return { sizeBytes, reason: 'unverified after starts that died early' };
  if (preflight.outcome === 'good') {
    if (isClean && !existsSync(mark)) return { sizeBytes };
    if (isPassed) {
      writeFileSync(mark, '', { mode: 0o600 });
      return { sizeBytes, isUnverified: true };
    }
  }
  const mapBytes = sizeBytes + MAP_SLACK_BYTES;
  const job = { directory, firstOrdinal, logHash: logHash(settings.logId), mapBytes };
  const scan = await probe.scan(job, sizeBytes);
  if (scan.fault === undefined) {
    rmSync(mark, { force: true });
    return { sizeBytes, scan };
  }
  const reason = preflight.outcome === 'suspect' ? `${preflight.reason}, ${scan.fault}` : scan.fault;
  return { sizeBytes, scan, reason };
}

/** Renames, never deletes: the bytes may still be worth something to a person. */
function setAside(
  settings: PrepareLogSettings,
  firstOrdinal: number,
  reason: string,
  sizeBytes: number,
  itemsEstimated: number | undefined,
): QuarantinedSegment {
  const stamp = new Date(settings.clock.unixMs()).toISOString().replaceAll(':', '');
  const path = join(segmentsDirectory(settings.directory), `${segmentName(firstOrdinal)}.corrupt-${stamp}`);
  renameSync(segmentDirectory(settings.directory, firstOrdinal), path);
  flushDirectory(segmentsDirectory(settings.directory));
  settings.logger.error('log segment set aside', {
    log: settings.logId,
    path,
    reason,
    sizeBytes,
    itemsEstimated: itemsEstimated ?? 'unknown',
  });
  return { path, reason, sizeBytes, itemsEstimated };
}
