/** Where dead letters lie: beside the logs of the storage that the exporter's queue is in, or where the user says. */
import { dirname, join } from 'node:path';
import type { LogDescriptor } from '../queue/log/contract.ts';
import { cursorDirectoryName } from '../queue/log/layout.ts';

/** Holds one directory for each exporter that was refused something. */
export function deadLetterRoot(storageDirectory: string): string {
  return join(storageDirectory, 'deadletter');
}

/**
 * Of one exporter; all its logs are in the same storage.
 * @param configured instead of that storage's directory, where the user named one.
 */
export function deadLetterDirectory(
  log: LogDescriptor,
  exporterId: string,
  configured: string | undefined,
): string {
  const storageDirectory = configured ?? dirname(dirname(log.directory));
  return join(deadLetterRoot(storageDirectory), cursorDirectoryName(exporterId));
}
