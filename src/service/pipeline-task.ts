/** Life of one pipeline worker thread: opens the writing end of its logs, runs, commits, closes. */
import type { ProcessorFactory } from '../component/factory.ts';
import type { LogWriter } from '../queue/log/contract.ts';
import { openLogWriter } from '../queue/log/open.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { findFactory } from '../registry/registry.ts';
import type { ChainPlan, PipelineWorkerInit } from './messages.ts';
import { PipelineWorker } from './pipeline-worker.ts';
import { ProcessorChain } from './processor-chain.ts';
import { WorkerRuntime } from './worker-runtime.ts';

async function buildChain(plan: ChainPlan, { clock, meter, logger }: WorkerRuntime): Promise<ProcessorChain> {
  const processors = [];
  for (const { id, type, config } of plan.processors) {
    const factory = findFactory(BUILTIN, 'processor', type) as ProcessorFactory<unknown>;
    const settings = { id, clock, meter, logger: logger.child({ processor: id, pipeline: plan.pipelineId }) };
    processors.push({ id, processor: await factory.create(settings, config, plan.signal) });
  }
  const chain = new ProcessorChain(plan.signal, processors, meter);
  await chain.start();
  return chain;
}

export async function runPipelineTask(init: PipelineWorkerInit): Promise<void> {
  let worker: PipelineWorker | undefined;
  let isStopRequested = false;
  const runtime = new WorkerRuntime(init, () => {
    isStopRequested = true;
    worker?.stop();
  });
  const writers: LogWriter[] = [];
  const chains: { logs: readonly number[]; chain: ProcessorChain }[] = [];
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
      for (const plan of init.chains) {
        chains.push({ logs: plan.logs, chain: await buildChain(plan, runtime) });
      }
      worker = new PipelineWorker(init, {
        writers,
        chains,
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
      for (const { chain } of chains) await chain.shutdown(runtime.clock.monotonicMs());
      await Promise.all(writers.map((writer) => writer.close()));
    },
  );
}
