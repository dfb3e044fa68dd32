/** Life of one pipeline worker thread: opens the writing end of its logs, runs, commits, closes. */
import type { LogWriter } from '../queue/log/contract.ts';
import { openLogWriter } from '../queue/log/open.ts';
import type { PipelineWorkerInit } from './messages.ts';
import { PipelineWorker } from './pipeline-worker.ts';
import { WorkerRuntime } from './worker-runtime.ts';

export async function runPipelineTask(init: PipelineWorkerInit): Promise<void> {
  let worker: PipelineWorker | undefined;
  let isStopRequested = false;
  const runtime = new WorkerRuntime(init, () => {
    isStopRequested = true;
    worker?.stop();
  });
  const writers: LogWriter[] = [];
  await runtime.live(
    async () => {
      const commits = runtime.meter.counter('millrace_log_commits');
      const committedBytes = runtime.meter.counter('millrace_log_committed_bytes');
      const onFlush = (_durationMs: number, storedBytes: number) => {
        commits.add(1);
        committedBytes.add(storedBytes);
      };
      for (const log of init.logs) {
        writers.push(await openLogWriter(log, { clock: runtime.clock, onFlush }));
      }
      worker = new PipelineWorker(init, {
        writers,
        clock: runtime.clock,
        meter: runtime.meter,
        logger: runtime.logger,
        onStorageFailed: (error) => runtime.send({ type: 'storage_failed', error: error.toMessage() }),
      });
    },
    async () => {
      // The request may have come while the logs were being opened.
      if (isStopRequested) worker!.stop();
      await worker!.run();
      await Promise.all(writers.map((writer) => writer.close()));
    },
  );
}
