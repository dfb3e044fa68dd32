/** Names of backups and which of them are too many or too old. */
import { open, readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { RotationConfig } from './config.ts';

const DAY_MS = 86_400_000;
const MEGABYTES_DEFAULT = 100;
const NAME_ATTEMPTS_MAX = 1_000;
const TIME_PATTERN = /^(\d{4})-(\d{2})-(\d{2})T(\d{2})-(\d{2})-(\d{2})\.(\d{3})$/;

/** Size in bytes that a file may reach. */
export function rotationBytes(rotation: RotationConfig): number {
  return (rotation.maxMegabytes || MEGABYTES_DEFAULT) * 1024 * 1024;
}

/** `traces.json` becomes `traces-2026-01-31T23-59-59.000.json`. */
export function backupPath(filePath: string, unixMs: number, usesLocalTime: boolean): string {
  const { dir, name, ext } = path.parse(filePath);
  const time = new Date(unixMs);
  // Shifted by the zone's offset, the UTC fields of a date are the local ones.
  const shown = usesLocalTime ? new Date(unixMs - time.getTimezoneOffset() * 60_000) : time;
  const text = shown.toISOString().slice(0, 23).replaceAll(':', '-');
  return path.join(dir, `${name}-${text}${ext}`);
}

/** Time in the name of a backup of `filePath`, in ms since the epoch; undefined for every other file name. */
export function backupTime(filePath: string, fileName: string, usesLocalTime: boolean): number | undefined {
  const { name, ext } = path.parse(filePath);
  if (!fileName.startsWith(`${name}-`) || !fileName.endsWith(ext)) return undefined;
  const match = TIME_PATTERN.exec(fileName.slice(name.length + 1, fileName.length - ext.length));
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second, ms] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (usesLocalTime) return new Date(year, month - 1, day, hour, minute, second, ms).getTime();
  return Date.UTC(year, month - 1, day, hour, minute, second, ms);
}

/**
 * An unused backup name, taken by an empty file of that name: renaming over it replaces nothing of anybody.
 * @returns the path; the caller renames onto it or deletes it.
 */
export async function reserveBackup(
  filePath: string,
  unixMs: number,
  usesLocalTime: boolean,
): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const candidate = backupPath(filePath, unixMs + attempt, usesLocalTime);
    try {
      await (await open(candidate, 'wx', 0o644)).close();
      return candidate;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === NAME_ATTEMPTS_MAX) throw error;
    }
  }
}

/** Deletes the backups that the rotation settings do not keep. */
export async function pruneBackups(filePath: string, rotation: RotationConfig, nowMs: number): Promise<void> {
  const { maxBackups, maxDays, usesLocalTime } = rotation;
  if (maxBackups === 0 && maxDays === 0) return;
  const directory = path.dirname(filePath);
  const backups = (await readdir(directory))
    .map((name) => ({ name, time: backupTime(filePath, name, usesLocalTime) }))
    .filter((backup): backup is { name: string; time: number } => backup.time !== undefined)
    .sort((a, b) => b.time - a.time);
  for (const [index, { name, time }] of backups.entries()) {
    const isOver = maxBackups > 0 && index >= maxBackups;
    const isOld = maxDays > 0 && nowMs - time > maxDays * DAY_MS;
    if (!isOver && !isOld) continue;
    await unlink(path.join(directory, name)).catch((error) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}
