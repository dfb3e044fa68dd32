/** Tells at start and at each reload what waits on disk for nobody, and how to get rid of it. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger, Meter } from '../component/settings.ts';
import { cursorFilePath } from '../queue/log/layout.ts';
import { SharedWords } from '../queue/log/shared-words.ts';
import { bytesFrom, findOrphanedLogs, type OrphanedLog } from './orphan-logs.ts';
import type { ThreadPlan } from './thread-plan.ts';

/** Exporters that are gone and have items in logs that are open; call when the logs are open and nothing is appended. */
export function reportOrphanedCursors(threads: ThreadPlan, logger: Logger, meter: Meter): void {
  for (const log of threads.logsByWorker.flat()) {
    const words = new SharedWords(log.shared);
    for (const [index, exporter] of (log.orphanNames ?? []).entries()) {
      const slot = log.cursorNames.length + index;
      const ordinal = words.releasedOrdinal(slot);
      const items = words.flushedEnd - ordinal;
      if (items <= 0) {
        // It had got everything, so what comes now is none of its business, at the next start either: then what the
        // log retains would look as if it waited for it.
        words.setReleasedOrdinal(slot, Number.MAX_SAFE_INTEGER);
        rmSync(dirname(cursorFilePath(log.directory, exporter)), { recursive: true, force: true });
        continue;
      }
      const sizeBytes = bytesFrom(log.directory, ordinal);
      const labels = { log: log.logId, exporter };
      meter.gauge('millrace_orphaned_log_bytes', labels).set(sizeBytes);
      meter.gauge('millrace_orphaned_log_items', labels).set(items);
      const storage = dirname(dirname(log.directory));
      const cursor = `'${log.logId}' '${exporter}'`;
      logger.warn('items wait for an exporter that is not in the configuration any more; they are kept', {
        ...{ log: log.logId, exporter, items, bytes: sizeBytes },
        note: 'the log keeps everything behind them, too, within its disk budget',
        deliver: `put exporter ${exporter} back into the pipeline`,
        adopt: `stop millrace, then: millrace cursors adopt ${cursor} NEW_EXPORTER --data-dir '${storage}'`,
        discard: `stop millrace, then: millrace cursors remove ${cursor} --data-dir '${storage}'`,
      });
    }
  }
}

/** Logs that nobody has open. Runs beside the engine; it only reads. */
export async function reportOrphanedLogs(
  storageDirectories: readonly string[],
  ownDirectories: ReadonlySet<string>,
  threads: ThreadPlan,
  logger: Logger,
  meter: Meter,
  signal: AbortSignal,
): Promise<void> {
  const planned = new Set(threads.logsByWorker.flat().map(({ directory }) => directory));
  const orphans = await findOrphanedLogs(storageDirectories, planned, ownDirectories, signal);
  if (signal.aborted) return;
  for (const orphan of orphans) report(orphan, logger, meter);
}

function report(orphan: OrphanedLog, logger: Logger, meter: Meter): void {
  const { logId, directory, sizeBytes, itemsByExporter } = orphan;
  if (itemsByExporter?.size === 0) {
    meter.gauge('millrace_orphaned_log_bytes', { log: logId, exporter: '' }).set(sizeBytes);
    logger.info('a log of no pipeline of the configuration retains what was delivered; nothing removes it', {
      ...{ log: logId, bytes: sizeBytes },
      discard: `rm -r '${directory}'`,
    });
    return;
  }
  const items = itemsByExporter === undefined ? undefined : Math.max(...itemsByExporter.values());
  meter.gauge('millrace_orphaned_log_bytes', { log: logId, exporter: '' }).set(sizeBytes);
  if (items !== undefined)
    meter.gauge('millrace_orphaned_log_items', { log: logId, exporter: '' }).set(items);
  logger.warn('a log on disk belongs to no pipeline of the configuration any more; it is kept', {
    ...{ log: logId, bytes: sizeBytes, items: items ?? 'unknown' },
    exporters: [...(itemsByExporter?.keys() ?? [])].filter((name) => name !== ''),
    deliver: 'put the pipeline with its exporters and their storage back',
    adopt: `stop millrace, then: millrace cursors adopt-log '${logId}' NEW_PIPELINE --data-dir '${dirname(dirname(directory))}'`,
    discard: `stop millrace, then: rm -r '${directory}'`,
  });
}
