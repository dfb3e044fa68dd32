/** Life of one pipeline worker thread: opens the writing end of its logs, runs, commits, closes. */
import type { ProcessorFactory } from '../component/factory.ts';
import type { ComponentPlan } from '../config/collector-plan.ts';
import type { LogDescriptor, LogWriter } from '../queue/log/contract.ts';
import { openLogCursor } from '../queue/log/file-cursor.ts';
import { openLogReader, openLogWriter } from '../queue/log/open.ts';
import { loadComponents } from '../registry/load.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import { HOLDING_CURSOR } from './holding-plan.ts';
import type { HoldingStage } from './holding-stage.ts';
import type { ChainPlan, PipelineWorkerInit } from './messages.ts';
import { PipelineWorker } from './pipeline-worker.ts';
import { ProcessorChain } from './processor-chain.ts';
import { loadDecoders } from './record-request.ts';
import { pipelineWorkerComponents } from './worker-components.ts';
import { WorkerRuntime } from './worker-runtime.ts';

/** What every part of a worker is built with. */
interface Builder {
  init: PipelineWorkerInit;
  runtime: WorkerRuntime;
  registry: Registry;
  writers: LogWriter[];
}

/** What a pipeline worker does for one pipeline that has processors. */
interface BuiltChain {
  logs: readonly number[];
  chain: ProcessorChain;
  stage: HoldingStage | undefined;
  after: ProcessorChain | undefined;
}

function settingsOf({ id }: ComponentPlan, plan: ChainPlan, { clock, meter, logger }: WorkerRuntime) {
  return { id, clock, meter, logger: logger.child({ processor: id, pipeline: plan.pipelineId }) };
}

async function buildProcessors(
  components: readonly ComponentPlan[],
  plan: ChainPlan,
  { runtime, registry }: Builder,
): Promise<ProcessorChain> {
  const processors = [];
  for (const component of components) {
    const factory = findFactory(registry, 'processor', component.type) as ProcessorFactory<unknown>;
    const settings = settingsOf(component, plan, runtime);
    processors.push({
      id: component.id,
      processor: await factory.create(settings, component.config, plan.signal),
    });
  }
  const chain = new ProcessorChain(plan.signal, processors, runtime.meter);
  await chain.start();
  return chain;
}

/** Pending logs of the same pipeline that were left by workers of an earlier, larger count. */
async function openImports({ logs }: PipelineWorkerInit, own: LogDescriptor) {
  const prefix = own.logId.slice(0, own.logId.lastIndexOf('~') + 1);
  const left = logs.filter((log) => log !== own && log.isPending === true && log.logId.startsWith(prefix));
  return Promise.all(
    left.map(async (log) => ({
      reader: openLogReader(log),
      cursor: await openLogCursor(log, HOLDING_CURSOR),
    })),
  );
}

async function buildStage(
  plan: ChainPlan,
  holding: NonNullable<ChainPlan['holding']>,
  after: ProcessorChain | undefined,
  { init, runtime, registry, writers }: Builder,
): Promise<HoldingStage> {
  const { HoldingStage } = await import('./holding-stage.ts');
  const factory = findFactory(registry, 'processor', holding.type) as ProcessorFactory<unknown>;
  const settings = settingsOf(holding, plan, runtime);
  const log = init.logs[holding.log]!;
  const rings = init.links[init.chains.indexOf(plan)];
  const stage = new HoldingStage({
    signal: plan.signal,
    holder: await factory.createHolding!(settings, holding.config, {
      worker: init.slot,
      workers: rings?.length ?? 1,
    }),
    links: rings && { worker: init.slot, rings },
    pending: writers[holding.log]!,
    pendingLog: holding.log,
    reader: openLogReader(log),
    cursor: await openLogCursor(log, HOLDING_CURSOR),
    imports: await openImports(init, log),
    outputs: plan.logs.map((output) => writers[output]!),
    after,
    decidesAtStop: !log.flush,
    clock: runtime.clock,
    meter: runtime.meter,
    logger: settings.logger,
    onStorageFailed: (error) => runtime.send({ type: 'storage_failed', error: error.toMessage() }),
  });
  await stage.restore();
  return stage;
}

async function buildChain(plan: ChainPlan, builder: Builder): Promise<BuiltChain> {
  const chain = await buildProcessors(plan.processors, plan, builder);
  const after = plan.after.length === 0 ? undefined : await buildProcessors(plan.after, plan, builder);
  const stage = plan.holding === undefined ? undefined : await buildStage(plan, plan.holding, after, builder);
  return { logs: plan.logs, chain, stage, after };
}

export async function runPipelineTask(init: PipelineWorkerInit): Promise<void> {
  let worker: PipelineWorker | undefined;
  let isStopRequested = false;
  const runtime = new WorkerRuntime(init, () => {
    isStopRequested = true;
    worker?.stop();
  });
  const writers: LogWriter[] = [];
  const chains: BuiltChain[] = [];
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
      const registry = await loadComponents(pipelineWorkerComponents(init));
      for (const plan of init.chains) {
        chains.push(await buildChain(plan, { init, runtime, registry, writers }));
      }
      worker = new PipelineWorker(init, {
        writers,
        chains,
        decoders: await loadDecoders(init.routes),
        clock: runtime.clock,
        meter: runtime.meter,
        logger: runtime.logger,
        onStorageFailed: (error) => runtime.send({ type: 'storage_failed', error: error.toMessage() }),
      });
    },
    async () => {
      // The request may have come while the logs were being opened.
      if (isStopRequested) worker!.stop();
      for (const { stage } of chains) stage?.start();
      await worker!.run();
      for (const { chain, stage, after } of chains) {
        await stage?.stop();
        await chain.shutdown(runtime.clock.monotonicMs());
        await after?.shutdown(runtime.clock.monotonicMs());
      }
      await Promise.all(writers.map((writer) => writer.close()));
    },
  );
}
