/** From a typed configuration to threads: which logs exist, who writes them, who drains them. Pure but for listing leftovers. */
import { join } from 'node:path';
import type { ExporterFactory, ReceiverFactory } from '../component/factory.ts';
import type { Signal } from '../component/signal.ts';
import type { CollectorPlan, PipelinePlan } from '../config/collector-plan.ts';
import type { LogDescriptor, LogLimits } from '../queue/log/contract.ts';
import { createSharedWords } from '../queue/log/shared-words.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import type { ExporterPlan, RoutePlan } from './messages.ts';

export interface ThreadPlanOptions {
  dataDir: string;
  isDurable: boolean;
  pipelineWorkers: number;
  exporterWorkers: number;
  limits: LogLimits;
  /** Names in a directory; empty when it does not exist. Injected so that planning stays testable. */
  listNames(directory: string): string[];
}

export interface ThreadPlan {
  /** One per (receiver, signal) that is in a pipeline; indexes into the logs of every worker. */
  routes: RoutePlan[];
  /** Logs of each pipeline worker; worker 0 also owns logs that earlier, larger worker counts left behind. */
  logsByWorker: LogDescriptor[][];
  exportersByWorker: ExporterPlan[][];
  /** Largest request body of all receivers: sizes the rings. */
  bodyBytesMax: number;
}

/** Exporters of one pipeline that keep their queue in the same directory share one log. */
interface LogGroup {
  /** Directory-safe: pipeline id, plus the storage id where it is not the default. */
  name: string;
  pipeline: PipelinePlan;
  directory: string;
  exporterIds: string[];
}

/** Every byte that is not a letter, digit or underscore becomes `.xx`: distinct ids stay distinct. */
function directorySafe(text: string): string {
  return text.replace(/[^A-Za-z0-9_]/g, (char) => {
    return [...new TextEncoder().encode(char)]
      .map((byte) => `.${byte.toString(16).padStart(2, '0')}`)
      .join('');
  });
}

function storageOf(plan: CollectorPlan, registry: Registry, exporterId: string): string | undefined {
  const exporter = plan.exporters.find(({ id }) => id === exporterId)!;
  const factory = findFactory(registry, 'exporter', exporter.type) as ExporterFactory<unknown>;
  return factory.delivery(exporter.config).queue.storage;
}

function groupLogs(plan: CollectorPlan, registry: Registry, options: ThreadPlanOptions): LogGroup[] {
  const groups: LogGroup[] = [];
  for (const pipeline of plan.pipelines) {
    const byStorage = new Map<string, LogGroup>();
    for (const exporterId of pipeline.exporters) {
      const storage = options.isDurable ? storageOf(plan, registry, exporterId) : undefined;
      const key = storage ?? '';
      let group = byStorage.get(key);
      if (group === undefined) {
        const name = directorySafe(pipeline.id) + (storage === undefined ? '' : `@${directorySafe(storage)}`);
        const directory = storage === undefined ? options.dataDir : storageDirectory(plan, storage);
        group = { name, pipeline, directory: join(directory, 'logs'), exporterIds: [] };
        byStorage.set(key, group);
      }
      group.exporterIds.push(exporterId);
    }
    groups.push(...byStorage.values());
  }
  return groups;
}

function storageDirectory(plan: CollectorPlan, storageId: string): string {
  const extension = plan.extensions.find(({ id }) => id === storageId)!;
  return (extension.config as { directory: string }).directory;
}

function describeLog(group: LogGroup, worker: number, options: ThreadPlanOptions): LogDescriptor {
  const logId = `${group.name}~${worker}`;
  return {
    logId,
    signal: group.pipeline.signal,
    directory: join(group.directory, logId),
    limits: options.limits,
    flush: options.isDurable,
    cursorNames: group.exporterIds,
    shared: createSharedWords(group.exporterIds.length),
  };
}

/** Worker indexes beyond today's count that have left a log on disk. */
function leftoverWorkers(group: LogGroup, options: ThreadPlanOptions): number[] {
  const prefix = `${group.name}~`;
  return options
    .listNames(group.directory)
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)))
    .filter((worker) => Number.isInteger(worker) && worker >= options.pipelineWorkers);
}

function planRoutes(plan: CollectorPlan, groups: readonly LogGroup[]): RoutePlan[] {
  const routes: RoutePlan[] = [];
  for (const receiver of plan.receivers) {
    const bySignal = new Map<Signal, number[]>();
    for (const [log, group] of groups.entries()) {
      if (!group.pipeline.receivers.includes(receiver.id)) continue;
      const logs = bySignal.get(group.pipeline.signal) ?? [];
      bySignal.set(group.pipeline.signal, [...logs, log]);
    }
    for (const [signal, logs] of bySignal) routes.push({ receiverId: receiver.id, signal, logs });
  }
  return routes;
}

/** Exporter instances (id and signal) dealt out to exporter workers in the order of the configuration. */
function planExporters(
  plan: CollectorPlan,
  logsByGroup: ReadonlyMap<LogGroup, LogDescriptor[]>,
  workers: number,
): ExporterPlan[][] {
  const instances = new Map<string, ExporterPlan>();
  for (const [group, logs] of logsByGroup) {
    for (const id of group.exporterIds) {
      const key = `${id} ${group.pipeline.signal}`;
      const { type, config } = plan.exporters.find((exporter) => exporter.id === id)!;
      const instance = instances.get(key) ?? { id, type, signal: group.pipeline.signal, config, logs: [] };
      instance.logs.push(...logs);
      instances.set(key, instance);
    }
  }
  const byWorker: ExporterPlan[][] = Array.from({ length: Math.min(workers, instances.size) }, () => []);
  for (const [index, instance] of [...instances.values()].entries())
    byWorker[index % byWorker.length]!.push(instance);
  return byWorker;
}

export function planThreads(plan: CollectorPlan, registry: Registry, options: ThreadPlanOptions): ThreadPlan {
  const groups = groupLogs(plan, registry, options);
  const logsByWorker: LogDescriptor[][] = [];
  const logsByGroup = new Map<LogGroup, LogDescriptor[]>(groups.map((group) => [group, []]));
  for (let worker = 0; worker < options.pipelineWorkers; worker++) {
    logsByWorker.push(groups.map((group) => describeLog(group, worker, options)));
    for (const [index, group] of groups.entries())
      logsByGroup.get(group)!.push(logsByWorker[worker]![index]!);
  }
  for (const group of groups) {
    for (const worker of leftoverWorkers(group, options)) {
      const log = describeLog(group, worker, options);
      logsByWorker[0]!.push(log);
      logsByGroup.get(group)!.push(log);
    }
  }
  const bodyBytes = plan.receivers.map(({ type, config }) => {
    return (findFactory(registry, 'receiver', type) as ReceiverFactory<unknown>).bodyBytesMax(config);
  });
  return {
    routes: planRoutes(plan, groups),
    logsByWorker,
    exportersByWorker: planExporters(plan, logsByGroup, options.exporterWorkers),
    bodyBytesMax: Math.max(...bodyBytes),
  };
}
