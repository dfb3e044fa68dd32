/** The crash-loop breaker's memory: starts that neither became ready nor ended in an orderly way. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../stdx/clock.ts';
import { flushDirectory } from './clean-marker.ts';

const DEATHS_MAX = 3;

export interface StartRecord {
  /** Three starts in a row died early: logs must be prepared with `setAllAside`. */
  readonly isCrashLoop: boolean;
  /** Call once every segment was checked and is open, and on every orderly end before that. */
  confirm(): void;
}

/** Notes this start in the locked data directory before any segment is opened. */
export function recordStart(dataDir: string, clock: Clock): StartRecord {
  const path = join(dataDir, 'starts');
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const earlier = readStarts(path);
  const isCrashLoop = earlier.length >= DEATHS_MAX;
  // After the breaker the count begins again: the next deaths are not those of the segments set aside.
  const starts = [...(isCrashLoop ? [] : earlier), clock.unixMs()];
  writeFileSync(`${path}.new`, `${JSON.stringify(starts)}\n`, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
  flushDirectory(dataDir);
  return { isCrashLoop, confirm: () => rmSync(path, { force: true }) };
}

function readStarts(path: string): number[] {
  try {
    const starts: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return Array.isArray(starts) ? starts.filter((start) => typeof start === 'number') : [];
  } catch {
    // Absent after an orderly end, or damaged: nothing is known of earlier starts.
    return [];
  }
}
