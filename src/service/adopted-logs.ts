/**
 * Logs that a pipeline has taken over from one of another name, which is how a renamed pipeline gets what waited under
 * its old name. Nothing is appended to them; exporters of the same ids go on where they stopped.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'adopted-by';

/** Name of the logs, without the number of a worker, that this one belongs to now; undefined when it is its own. */
export function adopterOf(logDirectory: string): string | undefined {
  try {
    return readFileSync(join(logDirectory, FILE), 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** @param groupName undefined gives the log back to its own name. */
export function setAdopter(logDirectory: string, groupName: string | undefined): void {
  const path = join(logDirectory, FILE);
  if (groupName === undefined) return rmSync(path, { force: true });
  writeFileSync(`${path}.new`, `${groupName}\n`, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
}
