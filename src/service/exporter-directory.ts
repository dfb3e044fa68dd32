/** Where exporters keep what outlives the process: beside the logs of the storage that their queue is in. */
import { dirname, join } from 'node:path';
import { cursorDirectoryName } from '../queue/log/layout.ts';
import type { ExporterPlan } from './messages.ts';

/** Of one exporter and signal; undefined when it reads no log. All its logs are in the same storage. */
export function exporterDirectory({ id, signal, logs: [log] }: ExporterPlan): string | undefined {
  if (log === undefined) return undefined;
  return join(dirname(dirname(log.directory)), 'exporters', cursorDirectoryName(id), signal);
}
