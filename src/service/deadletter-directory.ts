/** Where dead letters lie: beside the logs of the storage that the exporter's queue is in. */
import { dirname, join } from 'node:path';
import type { LogDescriptor } from '../queue/log/contract.ts';
import { cursorDirectoryName } from '../queue/log/layout.ts';

/** Holds one directory for each exporter that was refused something. */
export function deadLetterRoot(storageDirectory: string): string {
  return join(storageDirectory, 'deadletter');
}

/** Of one exporter; all its logs are in the same storage. */
export function deadLetterDirectory(log: LogDescriptor, exporterId: string): string {
  const storageDirectory = dirname(dirname(log.directory));
  return join(deadLetterRoot(storageDirectory), cursorDirectoryName(exporterId));
}
