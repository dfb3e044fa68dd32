/** From a typed configuration to threads: which logs exist, who writes them, who drains them. Pure but for listing leftovers. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type ClientKeys, mergeClientKeys } from '../component/client-context.ts';
import { PipelineError } from '../component/errors.ts';
import type {
  DeliveryConfig,
  ExporterFactory,
  ExtensionFactory,
  ReceiverFactory,
  RetentionConfig,
} from '../component/factory.ts';
import { HOLDING_WORKERS_MAX } from '../component/holding.ts';
import type { Signal } from '../component/signal.ts';
import type { CollectorPlan, PipelinePlan } from '../config/collector-plan.ts';
import type { BudgetGroup, LogDescriptor, LogLimits } from '../queue/log/contract.ts';
import { createSharedWords, SharedWords } from '../queue/log/shared-words.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import { batchingOf } from './batching.ts';
import { authClientKeys, carriedClientKeys, storedClientKeys } from './client-plan.ts';
import { cutChain, HOLDING_CURSOR, holds } from './holding-plan.ts';
import type { ChainPlan, ExporterPlan, RoutePlan } from './messages.ts';
import { type RetentionPlan, RetentionPlans } from './retention-plan.ts';

export interface ThreadPlanOptions {
  dataDir: string;
  isDurable: boolean;
  pipelineWorkers: number;
  exporterWorkers: number;
  limits: LogLimits;
  /** Of logs whose storage does not say itself what to retain. */
  retain?: RetentionConfig | undefined;
  /** Names in a directory; empty when it does not exist. Injected so that planning stays testable. */
  listNames(directory: string): string[];
  /** Positions beside a log of exporters that it does not have any more; none when absent. */
  orphanCursors?(
    logDirectory: string,
    logId: string,
    configured: readonly string[],
  ): readonly { name: string; ordinal: number }[];
  /** Name of the group that has taken a log over; undefined when it is its own. No log is taken over when absent. */
  adopterOf?(logDirectory: string): string | undefined;
}

export interface ThreadPlan {
  /** One per (receiver, signal) that is in a pipeline; indexes into the logs of every worker. */
  routes: RoutePlan[];
  /** Of the pipelines that have processors. */
  chains: ChainPlan[];
  /** Logs of each pipeline worker; worker 0 also owns logs that earlier, larger worker counts left behind. */
  logsByWorker: LogDescriptor[][];
  exportersByWorker: ExporterPlan[][];
  /** What of a request's client a log keeps, by the index of the log in each worker. */
  clientKeysByLog: (ClientKeys | undefined)[];
  /** Largest request body of all receivers: sizes the rings. */
  bodyBytesMax: number;
}

/** Exporters of one pipeline that keep their queue in the same directory share one log. */
interface LogGroup {
  /** Directory-safe: pipeline id, plus the storage id where it is not the default. */
  name: string;
  pipeline: PipelinePlan;
  directory: string;
  /** Names of its readers. */
  exporterIds: string[];
  /** It holds what a processor has not let go on. */
  isPending?: true;
  retain: RetentionPlan | undefined;
  queues: DeliveryConfig['queue'][];
}

/** Files of a log have a size even when they are empty: a smaller bound would refuse everything. */
const QUEUE_BYTES_MIN = 4 << 20;
/** Names of directories are at most 255 bytes nearly everywhere; a log's has a storage id and a number as well. */
const SAFE_NAME_BYTES_MAX = 100;

/** Every byte that is not a letter, digit or underscore becomes `.xx`: distinct ids stay distinct. */
function directorySafe(text: string): string {
  const safe = text.replace(/[^A-Za-z0-9_]/gu, (char) => {
    return [...new TextEncoder().encode(char)]
      .map((byte) => `.${byte.toString(16).padStart(2, '0')}`)
      .join('');
  });
  if (safe.length <= SAFE_NAME_BYTES_MAX) return safe;
  // Two dots in a row cannot come from the escapes, so a shortened name is never another id's whole one.
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 32);
  return `${safe.slice(0, SAFE_NAME_BYTES_MAX - digest.length - 2)}..${digest}`;
}

/** Name of a pipeline's logs without the number of a worker. */
export function logGroupName(pipelineId: string, storage: string | undefined): string {
  return directorySafe(pipelineId) + (storage === undefined ? '' : `@${directorySafe(storage)}`);
}

function queueOf(plan: CollectorPlan, registry: Registry, exporterId: string): DeliveryConfig['queue'] {
  const exporter = plan.exporters.find(({ id }) => id === exporterId)!;
  const factory = findFactory(registry, 'exporter', exporter.type) as ExporterFactory<unknown>;
  return factory.delivery(exporter.config).queue;
}

/**
 * `queue_size` of the exporters of one log, shared out among the workers: the smallest decides, as a request is only
 * taken when every exporter of its pipelines has room.
 */
function boundedLimits(queues: readonly DeliveryConfig['queue'][], options: ThreadPlanOptions): LogLimits {
  let {
    budgetBytes,
    itemsMax = Number.POSITIVE_INFINITY,
    requestsMax = Number.POSITIVE_INFINITY,
  } = options.limits;
  for (const { queueSize, sizer } of queues) {
    if (queueSize === undefined) continue;
    const share = Math.max(Math.floor(queueSize / options.pipelineWorkers), 1);
    if (sizer === 'requests') requestsMax = Math.min(requestsMax, share);
    if (sizer === 'items') itemsMax = Math.min(itemsMax, share);
    if (sizer === 'bytes') budgetBytes = Math.min(budgetBytes, Math.max(share, QUEUE_BYTES_MIN));
  }
  return {
    ...options.limits,
    budgetBytes,
    ...(Number.isFinite(itemsMax) ? { itemsMax } : {}),
    ...(Number.isFinite(requestsMax) ? { requestsMax } : {}),
  };
}

function groupLogs(plan: CollectorPlan, registry: Registry, options: ThreadPlanOptions): LogGroup[] {
  const groups: LogGroup[] = [];
  const retentions = new RetentionPlans(plan, registry, options.retain);
  for (const pipeline of plan.pipelines) {
    const byStorage = new Map<string, LogGroup>();
    for (const exporterId of pipeline.exporters) {
      const queue = queueOf(plan, registry, exporterId);
      const storage = options.isDurable ? queue.storage : undefined;
      const key = storage ?? '';
      let group = byStorage.get(key);
      if (group === undefined) {
        const name = logGroupName(pipeline.id, storage);
        const directory = storage === undefined ? options.dataDir : storageDirectory(plan, registry, storage);
        const retain = retentions.of(storage);
        group = { name, pipeline, directory: join(directory, 'logs'), exporterIds: [], retain, queues: [] };
        byStorage.set(key, group);
      }
      group.exporterIds.push(exporterId);
      group.queues.push(queue);
    }
    groups.push(...byStorage.values());
    if (cutChain(plan, pipeline, registry).holding !== undefined)
      groups.push(pendingGroup(pipeline, options));
  }
  return groups;
}

/** Beside the logs of exporters that name no storage: `+` cannot be in the name of another log. */
function pendingGroup(pipeline: PipelinePlan, options: ThreadPlanOptions): LogGroup {
  return {
    name: `${directorySafe(pipeline.id)}+pending`,
    pipeline,
    directory: join(options.dataDir, 'logs'),
    exporterIds: [HOLDING_CURSOR],
    isPending: true,
    retain: undefined,
    queues: [],
  };
}

function storageDirectory(plan: CollectorPlan, registry: Registry, storageId: string): string {
  const extension = plan.extensions.find(({ id }) => id === storageId);
  const factory =
    extension && (findFactory(registry, 'extension', extension.type) as ExtensionFactory<unknown>);
  const directory = factory?.storageDirectory?.(extension?.config);
  if (directory !== undefined) return directory;
  throw new PipelineError('CONFIG_INVALID', `"${storageId}" is not a storage extension of this service`, {
    permanent: true,
  });
}

/** @param budget of all logs of the engine; gets this one as well. */
function describeLog(
  group: LogGroup,
  logId: string,
  options: ThreadPlanOptions,
  budget: BudgetGroup & { logs: SharedArrayBuffer[] },
): LogDescriptor {
  const directory = join(group.directory, logId);
  const orphans = options.orphanCursors?.(directory, logId, group.exporterIds) ?? [];
  const shared = createSharedWords(group.exporterIds.length + orphans.length);
  const words = new SharedWords(shared);
  for (const [index, { ordinal }] of orphans.entries())
    words.setReleasedOrdinal(group.exporterIds.length + index, ordinal);
  budget.logs.push(shared);
  group.retain?.logs.push(shared);
  return {
    logId,
    signal: group.pipeline.signal,
    directory,
    limits: boundedLimits(group.queues, options),
    flush: options.isDurable,
    cursorNames: group.exporterIds,
    orphanNames: orphans.map(({ name }) => name),
    shared,
    ...(group.isPending === true ? { isPending: true as const } : {}),
    group: budget,
    ...(group.retain === undefined ? {} : { retain: group.retain }),
  };
}

/** Worker indexes beyond today's count that have left a log on disk. */
function leftoverWorkers(group: LogGroup, options: ThreadPlanOptions): number[] {
  const prefix = `${group.name}~`;
  return options
    .listNames(group.directory)
    .filter((name) => name.startsWith(prefix) && /^\d{1,4}$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .filter((worker) => worker >= options.pipelineWorkers)
    .sort((a, b) => a - b);
}

/** Logs of pipelines that are not in the configuration any more, which this one was told to deliver. */
function adoptedLogs(group: LogGroup, groups: readonly LogGroup[], options: ThreadPlanOptions): string[] {
  const own = new Set(groups.map(({ name }) => name));
  return options
    .listNames(group.directory)
    .filter((logId) => /~\d{1,4}$/.test(logId) && !own.has(logId.slice(0, logId.lastIndexOf('~'))))
    .filter((logId) => options.adopterOf?.(join(group.directory, logId)) === group.name)
    .toSorted();
}

function planRoutes(plan: CollectorPlan, registry: Registry, groups: readonly LogGroup[]): RoutePlan[] {
  const routes: RoutePlan[] = [];
  for (const receiver of plan.receivers) {
    const factory = findFactory(registry, 'receiver', receiver.type) as ReceiverFactory<unknown>;
    const recordEncodings = factory.recordEncodings?.(receiver.config) ?? {};
    const bySignal = new Map<Signal, number[]>();
    for (const [log, group] of groups.entries()) {
      if (group.isPending === true || !group.pipeline.receivers.includes(receiver.id)) continue;
      const logs = bySignal.get(group.pipeline.signal) ?? [];
      bySignal.set(group.pipeline.signal, [...logs, log]);
    }
    for (const [signal, logs] of bySignal) {
      const pipelines = new Set(logs.map((log) => groups[log]!.pipeline));
      const clientKeys = mergeClientKeys(
        [...pipelines].map((pipeline) => carriedClientKeys(plan, registry, pipeline)),
      );
      routes.push({
        receiverId: receiver.id,
        signal,
        logs,
        ...(clientKeys === undefined ? {} : { clientKeys }),
        ...(recordEncodings[signal] === undefined ? {} : { recordEncoding: recordEncodings[signal] }),
      });
    }
  }
  return routes;
}

function planChains(plan: CollectorPlan, groups: readonly LogGroup[], registry: Registry): ChainPlan[] {
  const withProcessors = plan.pipelines.filter(({ processors }) => processors.length > 0);
  return withProcessors.map((pipeline) => {
    const { before, holding, after } = cutChain(plan, pipeline, registry);
    const own = [...groups.keys()].filter((log) => groups[log]!.pipeline === pipeline);
    const pending = own.find((log) => groups[log]!.isPending === true);
    return {
      pipelineId: pipeline.id,
      signal: pipeline.signal,
      logs: own.filter((log) => log !== pending),
      processors: before,
      ...(holding === undefined ? {} : { holding: { ...holding, log: pending! } }),
      after,
    };
  });
}

/** Exporter instances (id and signal) dealt out to exporter workers in the order of the configuration. */
function planExporters(
  plan: CollectorPlan,
  registry: Registry,
  logsByGroup: ReadonlyMap<LogGroup, LogDescriptor[]>,
  workers: number,
): ExporterPlan[][] {
  const instances = new Map<string, ExporterPlan>();
  for (const [group, logs] of logsByGroup) {
    if (group.isPending === true) continue;
    for (const id of group.exporterIds) {
      const key = `${id} ${group.pipeline.signal}`;
      const { type, config } = plan.exporters.find((exporter) => exporter.id === id)!;
      const { signal } = group.pipeline;
      const instance: ExporterPlan = instances.get(key) ?? {
        id,
        type,
        signal,
        config,
        logs: [],
        batchings: new Map(),
        clientKeys: authClientKeys(plan, registry, id),
      };
      instance.logs.push(...logs);
      const batching = batchingOf(plan, registry, group.pipeline);
      if (batching !== undefined) for (const { logId } of logs) instance.batchings.set(logId, batching);
      instances.set(key, instance);
    }
  }
  const byWorker: ExporterPlan[][] = Array.from({ length: Math.min(workers, instances.size) }, () => []);
  for (const [index, instance] of [...instances.values()].entries())
    byWorker[index % byWorker.length]!.push(instance);
  return byWorker;
}

/** Workers that hold items back tell each other about them, which they do in pairs. */
function workersOf(plan: CollectorPlan, registry: Registry, options: ThreadPlanOptions): number {
  const isHolding = plan.processors.some(({ type }) => holds(registry, type));
  return isHolding ? Math.min(options.pipelineWorkers, HOLDING_WORKERS_MAX) : options.pipelineWorkers;
}

export function planThreads(plan: CollectorPlan, registry: Registry, asked: ThreadPlanOptions): ThreadPlan {
  const options = { ...asked, pipelineWorkers: workersOf(plan, registry, asked) };
  const groups = groupLogs(plan, registry, options);
  const budget: BudgetGroup & { logs: SharedArrayBuffer[] } = {
    budgetBytes: options.limits.budgetBytes,
    logs: [],
  };
  const logsByWorker: LogDescriptor[][] = [];
  const logsByGroup = new Map<LogGroup, LogDescriptor[]>(groups.map((group) => [group, []]));
  for (let worker = 0; worker < options.pipelineWorkers; worker++) {
    logsByWorker.push(groups.map((group) => describeLog(group, `${group.name}~${worker}`, options, budget)));
    for (const [index, group] of groups.entries())
      logsByGroup.get(group)!.push(logsByWorker[worker]![index]!);
  }
  for (const group of groups) {
    const leftover = leftoverWorkers(group, options).map((worker) => `${group.name}~${worker}`);
    for (const logId of [...leftover, ...adoptedLogs(group, groups, options)]) {
      const log = describeLog(group, logId, options, budget);
      logsByWorker[0]!.push(log);
      logsByGroup.get(group)!.push(log);
    }
  }
  const bodyBytes = plan.receivers.map(({ type, config }) => {
    return (findFactory(registry, 'receiver', type) as ReceiverFactory<unknown>).bodyBytesMax(config);
  });
  return {
    routes: planRoutes(plan, registry, groups),
    clientKeysByLog: groups.map(({ pipeline, isPending }) =>
      isPending === true ? undefined : storedClientKeys(plan, registry, pipeline),
    ),
    chains: planChains(plan, groups, registry),
    logsByWorker,
    exportersByWorker: planExporters(plan, registry, logsByGroup, options.exporterWorkers),
    bodyBytesMax: Math.max(...bodyBytes),
  };
}
