/** `millrace cursors rewind`: by this process while no engine runs, else by the engine, which is asked for it. */
import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCursorFile } from '../queue/log/cursor-file.ts';
import { type DataLock, isDataDirectoryInUse, lockDataDirectory } from '../queue/log/data-lock.ts';
import { cursorFilePath, DATA_FILE, listSegments, logHash, segmentDirectory } from '../queue/log/layout.ts';
import { Probe } from '../queue/log/lmdb/probe.ts';
import {
  type RewindResult,
  type RewindTarget,
  requestRewind,
  rewindCursor,
  takeRewindResult,
  withdrawRewind,
} from '../queue/log/rewind.ts';
import { ordinalOfTarget } from './rewind-target.ts';

/** A worker looks twice a second; then it may have to read a segment, and to wait for sends to end. */
const ANSWER_MS = 30_000;
const LOOK_MS = 50;
const MAP_SLACK_BYTES = 64 << 20;

export interface RewindJob {
  dataDir: string;
  /** Of logs that hold a position of the exporter. */
  directories: readonly string[];
  exporter: string;
  target: RewindTarget;
  writeOut(text: string): void;
}

/** @throws Error when a log could not be moved back, or none had anything to move back over; it says which. */
export async function rewindCursors(job: RewindJob): Promise<void> {
  const isLive = await isDataDirectoryInUse(job.dataDir);
  let lock: DataLock | undefined;
  const failures: string[] = [];
  let moved = 0;
  try {
    if (!isLive) lock = await lockDataDirectory(job.dataDir);
    for (const directory of job.directories) {
      const result = await (isLive ? askEngine(job, directory) : moveBack(job, directory));
      const log = basename(directory);
      if ('error' in result) failures.push(`${log}: ${result.error}`);
      else if (result.to >= result.from)
        job.writeOut(`${log}: nothing since then is behind ${job.exporter}\n`);
      else {
        moved += 1;
        const items = result.from - result.to;
        job.writeOut(`${log}: ${job.exporter} goes back to ${result.to}, ${items} items are sent again\n`);
      }
    }
  } finally {
    await lock?.release();
  }
  if (failures.length > 0) throw new Error(failures.join('; '));
  if (moved === 0)
    throw new Error(`exporter ${job.exporter} was not moved: the log holds nothing to send again`);
}

async function moveBack({ exporter, target }: RewindJob, directory: string): Promise<RewindResult> {
  const logId = basename(directory);
  const state = readCursorFile(cursorFilePath(directory, exporter));
  if (typeof state === 'string') return { error: `the position of ${exporter} is ${state}` };
  const probe = new Probe();
  try {
    const wanted = await ordinalOfTarget(directory, target, (firstOrdinal, unixMs) =>
      searchSegment(probe, directory, firstOrdinal, unixMs),
    );
    const from = state.ordinal;
    if (wanted === undefined || wanted >= from) return { from, to: from };
    rewindCursor({ logDirectory: directory, logId, name: exporter, ordinal: wanted });
    return { from, to: wanted };
  } finally {
    probe.close();
  }
}

/** In a child process, which damage may end. A segment that cannot be read is left to the next start. */
async function searchSegment(
  probe: Probe,
  directory: string,
  firstOrdinal: number,
  sinceUnixMs: number,
): Promise<number | undefined> {
  const segment = segmentDirectory(directory, firstOrdinal);
  const sizeBytes = statSync(join(segment, DATA_FILE), { throwIfNoEntry: false })?.size ?? 0;
  const job = { directory: segment, firstOrdinal, sinceUnixMs, logHash: logHash(basename(directory)) };
  const scan = await probe.scan({ ...job, mapBytes: sizeBytes + MAP_SLACK_BYTES }, sizeBytes);
  return scan.fault === undefined ? scan.sinceOrdinal : firstOrdinal;
}

async function askEngine({ exporter, target }: RewindJob, directory: string): Promise<RewindResult> {
  const state = readCursorFile(cursorFilePath(directory, exporter));
  if (typeof state === 'string') return { error: `the position of ${exporter} is ${state}` };
  if (listSegments(directory).length === 0) return { from: 0, to: 0 };
  requestRewind(directory, exporter, { target, generation: state.generation + 1 });
  for (let waitedMs = 0; waitedMs < ANSWER_MS; waitedMs += LOOK_MS) {
    const result = takeRewindResult(directory, exporter);
    if (result !== undefined) return result;
    await sleep(LOOK_MS);
  }
  withdrawRewind(directory, exporter);
  return (
    takeRewindResult(directory, exporter) ?? { error: 'the engine did not answer; stop it, and try again' }
  );
}
