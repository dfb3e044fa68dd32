/**
 * Everything between receivers and backends for one configuration: rings, pipeline workers, logs, exporter workers.
 * A reload stops one and starts the next; the receivers in front of it stay.
 */
import type { RequestConsumer } from '../component/consumer.ts';
import type { PipelineError } from '../component/errors.ts';
import type { Logger } from '../component/settings.ts';
import type { ComponentPlan } from '../config/collector-plan.ts';
import { LOG_STATE_FAILED, LOG_STATE_OPEN, SharedWords } from '../queue/log/shared-words.ts';
import type { Registry } from '../registry/registry.ts';
import { ringDataBytes } from '../ring/layout.ts';
import type { Clock } from '../stdx/clock.ts';
import type { ProfileKind } from '../stdx/profile.ts';
import type { MeterAggregate } from '../telemetry/aggregate.ts';
import type { LoggerOptions } from '../telemetry/logger.ts';
import { ThreadMeter } from '../telemetry/registry.ts';
import type { TracerOptions } from '../telemetry/tracer.ts';
import { EngineMetrics } from './engine-metrics.ts';
import { REQUEST_HEAD_BYTES_MAX } from './frame.ts';
import { createLinkRings, type LinkRings } from './holding-links.ts';
import { Ingest, WorkerLane } from './ingest.ts';
import type { ExporterWorkerInit, PipelineWorkerInit } from './messages.ts';
import { RequestWaits } from './request-waits.ts';
import { Supervisor } from './supervisor.ts';
import type { ThreadPlan } from './thread-plan.ts';
import { WarmPool } from './warm-pool.ts';
import { exporterWorkerComponents, pipelineWorkerComponents } from './worker-components.ts';

const PIPELINE_TASK = 'runPipelineTask';
const EXPORTER_TASK = 'runExporterTask';

/** Rings are at least this large, so that a burst of ordinary requests is not refused. */
const RING_BYTES_MIN = 16 << 20;

/** What answers that wait for exporters get when the data path goes; then their senders are told to come again. */
const RESULT_GRACE_MS = 1_000;

export interface DataPathOptions {
  /** Of its main-thread figures in the aggregate; another one for each data path of a process. */
  name: string;
  threads: ThreadPlan;
  registry: Registry;
  /** Threads that were made before; those that do not fit stay with their owner. */
  warm?: WarmThreads | undefined;
  /** Of the service, for exporters that name one. */
  extensions: readonly ComponentPlan[];
  isDurable: boolean;
  clock: Clock;
  logger: Logger;
  loggerOptions: LoggerOptions;
  tracing: TracerOptions | undefined;
  failpoints: string | undefined;
  aggregate: MeterAggregate;
  onFatal(error: PipelineError): void;
}

export interface WarmThreads {
  pipeline: WarmPool;
  exporter: WarmPool;
}

/** Makes the threads of a data path while another one runs. */
export async function warmThreads(
  threads: ThreadPlan,
  extensions: readonly ComponentPlan[],
): Promise<WarmThreads> {
  const { chains, logsByWorker, exportersByWorker } = threads;
  const processors = pipelineWorkerComponents({ chains });
  const exporters = exporterWorkerComponents({ exporters: exportersByWorker.flat(), extensions });
  const [pipeline, exporter] = await Promise.all([
    WarmPool.create('pipeline-worker', PIPELINE_TASK, logsByWorker.length, processors),
    WarmPool.create('exporter-worker', EXPORTER_TASK, exportersByWorker.length, exporters),
  ]);
  return { pipeline, exporter };
}

/** Bytes of the ring between receivers and one pipeline worker. */
export function requestRingBytes(bodyBytesMax: number): number {
  return ringDataBytes(bodyBytesMax + REQUEST_HEAD_BYTES_MAX, RING_BYTES_MIN);
}

export class DataPath {
  readonly ingest: Ingest;
  readonly threads: ThreadPlan;
  /** Gauges of rings and logs go with it when it stops. */
  readonly meter = new ThreadMeter();
  readonly #options: DataPathOptions;
  readonly #waits: RequestWaits;
  readonly #engineMetrics: EngineMetrics;
  readonly #logs: { logId: string; words: SharedWords }[];
  readonly #exporterWorkers: Supervisor;
  readonly #pipelineWorkers: Supervisor;
  #stopped: Promise<void> | undefined;
  #links: (LinkRings | undefined)[] = [];
  /** Workers that were given the present rings. */
  readonly #linked = new Set<number>();

  constructor(options: DataPathOptions) {
    this.#options = options;
    this.threads = options.threads;
    const { threads, clock, logger } = options;
    const ringBytes = requestRingBytes(threads.bodyBytesMax);
    const lanes = threads.logsByWorker.map(() => new WorkerLane(ringBytes));
    this.ingest = new Ingest(lanes, threads.routes, clock, logger);
    this.#waits = new RequestWaits(threads, options.registry, clock);
    const logs = threads.logsByWorker.flat();
    this.#logs = logs.map(({ logId, shared }) => ({ logId, words: new SharedWords(shared) }));
    this.#engineMetrics = new EngineMetrics(this.meter, lanes, logs, clock);
    this.#pipelineWorkers = this.#makePipelineWorkers(lanes);
    this.#exporterWorkers = this.#makeExporterWorkers();
  }

  /** The logs must have been prepared. @throws PipelineError of the first worker that could not start. */
  async start(): Promise<void> {
    await this.#exporterWorkers.start();
    await this.#pipelineWorkers.start();
    this.#engineMetrics.logsAreOpen();
  }

  /** The consumer that one receiver writes to. */
  consumerFor(receiverId: string): RequestConsumer {
    return this.#waits.wrap(receiverId, this.ingest.consumerFor(receiverId));
  }

  /** Requests that wait for exporters or for room are told to come again, at once or after a last chance. */
  async endWaits(deadlineMs: number): Promise<void> {
    const { clock } = this.#options;
    const untilMs = Math.min(deadlineMs, clock.monotonicMs() + RESULT_GRACE_MS);
    while (this.#waits.resultCount > 0 && clock.monotonicMs() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.#waits.end();
  }

  /** Idempotent. Everything that was taken is answered, every log is closed; at the deadline threads are ended. */
  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  /** Why requests are not, or not all, taken; empty when all is well. */
  troubles(): string[] {
    const reasons: string[] = [];
    const workers = [this.#exporterWorkers, this.#pipelineWorkers];
    const missing = workers.reduce((sum, supervisor) => sum + supervisor.missingCount, 0);
    if (missing > 0) reasons.push(`${missing} of the worker threads are not running`);
    if (this.ingest.isRefusing) reasons.push('requests are refused after a failure');
    for (const { logId, words } of this.#logs) {
      if (words.state === LOG_STATE_FAILED) reasons.push(`log ${logId} cannot be written`);
      else if (words.state !== LOG_STATE_OPEN) reasons.push(`log ${logId} is not open`);
      else if (words.isRefusing) reasons.push(`log ${logId} takes no data: disk budget or free space`);
    }
    return reasons;
  }

  get threadNames(): string[] {
    return [...this.#pipelineWorkers.threadNames, ...this.#exporterWorkers.threadNames];
  }

  profile(thread: string, kind: ProfileKind, seconds: number): AsyncIterable<string> | undefined {
    return (
      this.#pipelineWorkers.profile(thread, kind, seconds) ??
      this.#exporterWorkers.profile(thread, kind, seconds)
    );
  }

  /** Items in the logs that some exporter has not finished. */
  queuedItems(): number {
    return this.#engineMetrics.queuedItems();
  }

  /** Brings the gauges of rings and logs up to date. */
  update(): void {
    this.#engineMetrics.update();
  }

  async collect(): Promise<void> {
    const { aggregate, name } = this.#options;
    this.#engineMetrics.look();
    if (this.#stopped === undefined) aggregate.update(name, this.meter.takeSnapshot());
    await Promise.all([this.#pipelineWorkers.collect(), this.#exporterWorkers.collect()]);
  }

  async #stop(deadlineMs: number): Promise<void> {
    const { isDurable, aggregate, name } = this.#options;
    await this.endWaits(deadlineMs);
    await this.#settle('requests', this.ingest.drain(deadlineMs));
    await this.#settle('pipeline workers', this.#pipelineWorkers.stop(deadlineMs));
    if (!isDurable) await this.#drainMemoryLogs(deadlineMs);
    await this.#settle('exporter workers', this.#exporterWorkers.stop(deadlineMs));
    aggregate.update(name, this.meter.takeSnapshot());
    aggregate.end(name);
  }

  async #settle(what: string, work: Promise<unknown>): Promise<void> {
    await work.catch((error: unknown) =>
      this.#options.logger.error(`${what} did not stop cleanly`, { error: String(error) }),
    );
  }

  /** Without durability what is left in the log is gone with the process, so exporters get what time there is. */
  async #drainMemoryLogs(deadlineMs: number): Promise<void> {
    const { clock, logger } = this.#options;
    while (this.queuedItems() > 0 && clock.monotonicMs() < deadlineMs - 500) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const lost = this.queuedItems();
    if (lost > 0)
      logger.error('items are lost: durability is memory and exporters did not finish', { items: lost });
  }

  #makePipelineWorkers(lanes: WorkerLane[]): Supervisor {
    const { threads, clock, logger, loggerOptions, failpoints, aggregate } = this.#options;
    return new Supervisor({
      file: 'pipeline-worker',
      task: PIPELINE_TASK,
      count: lanes.length,
      pool: this.#options.warm?.pipeline.take(lanes.length),
      makeInit: (slot, name, control, port): PipelineWorkerInit => ({
        name,
        control,
        port,
        logger: loggerOptions,
        tracing: this.#options.tracing,
        failpoints,
        slot,
        links: this.#linksFor(slot),
        requestRing: lanes[slot]!.requestRing.memory,
        ackRing: lanes[slot]!.ackRing,
        routes: threads.routes,
        chains: threads.chains,
        logs: threads.logsByWorker[slot]!,
        clientKeysByLog: threads.clientKeysByLog,
      }),
      onDown: (slot, suspectId) => this.ingest.replaceWorker(lanes[slot]!, suspectId),
      // What one of them has told the others dies with it: all begin again from their logs.
      restartsTogether: lanes.length > 1 && threads.chains.some(({ holding }) => holding !== undefined),
      onFatal: (error) => this.#fatal(error),
      clock,
      logger,
      meter: this.meter,
      aggregate,
    });
  }

  #makeExporterWorkers(): Supervisor {
    const { threads, extensions, clock, logger, loggerOptions, failpoints, isDurable, aggregate } =
      this.#options;
    return new Supervisor({
      file: 'exporter-worker',
      task: EXPORTER_TASK,
      count: threads.exportersByWorker.length,
      pool: this.#options.warm?.exporter.take(threads.exportersByWorker.length),
      makeInit: (slot, name, control, port): ExporterWorkerInit => ({
        name,
        control,
        port,
        logger: loggerOptions,
        tracing: this.#options.tracing,
        failpoints,
        exporters: threads.exportersByWorker[slot]!,
        extensions,
        isDurable,
      }),
      // Nothing to hand over: what a dead exporter worker had in flight is still in the log.
      onDown: () => {},
      onFatal: (error) => this.#fatal(error),
      clock,
      logger,
      meter: this.meter,
      aggregate,
    });
  }

  /** Rings of the generation of workers that this one belongs to: a worker that comes again begins the next one. */
  #linksFor(slot: number): (LinkRings | undefined)[] {
    const workers = this.threads.logsByWorker.length;
    if (this.#linked.has(slot) || this.#linked.size === 0) {
      this.#linked.clear();
      const { chains } = this.threads;
      this.#links = chains.map(({ holding }) =>
        holding === undefined || workers === 1 ? undefined : createLinkRings(workers),
      );
    }
    this.#linked.add(slot);
    return this.#links;
  }

  #fatal(error: PipelineError): void {
    // Nobody is left who would answer what waits, or nothing may be acknowledged any more.
    this.ingest.refuseAll();
    this.#waits.end();
    this.#options.onFatal(error);
  }
}
