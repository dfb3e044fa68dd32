/** Entry of the probe process: takes one job at a time from its parent, and dies in its place. */
import { type ScanJob, scanSegment } from './scan-segment.ts';

process.on('message', (job: ScanJob) => {
  void scanSegment(job)
    .catch((error: unknown) => ({
      records: 0,
      items: 0,
      damagedRecords: 0,
      fault: `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    }))
    .then((result) => process.send?.(result));
});
// The parent ended: nobody waits for a result.
process.on('disconnect', () => {
  process.exitCode = 1;
  process.removeAllListeners('message');
});
