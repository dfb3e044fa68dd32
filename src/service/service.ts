/**
 * The running engine. Start: directories, extensions, exporter workers, pipeline workers, receivers last. Stop is the
 * reverse: receivers finish what they took, pipeline workers flush it, exporter workers leave the rest in the log.
 */
import type { Component } from '../component/component.ts';
import type { PipelineError } from '../component/errors.ts';
import type { ExtensionFactory, ReceiverFactory } from '../component/factory.ts';
import type { ComponentSettings, Logger } from '../component/settings.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import { ringDataBytes } from '../ring/layout.ts';
import type { Clock } from '../stdx/clock.ts';
import { failpoint, setFailpoints } from '../stdx/failpoint.ts';
import { MeterAggregate } from '../telemetry/aggregate.ts';
import type { LoggerOptions } from '../telemetry/logger.ts';
import { formatPercentiles, formatPrometheus } from '../telemetry/prometheus.ts';
import { ThreadMeter } from '../telemetry/registry.ts';
import { TelemetryServer } from '../telemetry/server.ts';
import { EngineMetrics } from './engine-metrics.ts';
import { REQUEST_META_BYTES } from './frame.ts';
import { Ingest, WorkerLane } from './ingest.ts';
import type { ExporterWorkerInit, PipelineWorkerInit } from './messages.ts';
import { ProcessMetrics } from './process-metrics.ts';
import { Supervisor } from './supervisor.ts';
import type { ThreadPlan } from './thread-plan.ts';

/** Rings are at least this large, so that a burst of ordinary requests is not refused. */
const RING_BYTES_MIN = 16 << 20;

/** Passes of the point `main.tick`, where tests hold the main thread up. */
const TICK_MS = 1000;

/** Slices of the latency window: figures that are fetched later than this would count as young. */
const COLLECT_MS = 5_000;

export interface ServiceOptions {
  plan: CollectorPlan;
  threads: ThreadPlan;
  registry: Registry;
  dataDir: string;
  isDurable: boolean;
  clock: Clock;
  logger: Logger;
  loggerOptions: LoggerOptions;
  failpoints: string | undefined;
  /** Called when extensions run and before any log is opened. */
  prepareLogs(): Promise<void>;
  /** The engine cannot go on; the process must end with the exit code of the error. */
  onFatal(error: PipelineError): void;
}

export class Service {
  readonly #options: ServiceOptions;
  readonly #meter = new ThreadMeter();
  readonly #aggregate: MeterAggregate;
  readonly #process = new ProcessMetrics(this.#meter);
  readonly #extensions: Component[] = [];
  readonly #receivers: Component[] = [];
  readonly #ingest: Ingest;
  readonly #engineMetrics: EngineMetrics;
  readonly #exporterWorkers: Supervisor;
  readonly #pipelineWorkers: Supervisor;
  #telemetry: TelemetryServer | undefined;
  #collecting: NodeJS.Timeout | undefined;
  #ticking: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: ServiceOptions) {
    this.#options = options;
    const { threads, clock, logger } = options;
    this.#aggregate = new MeterAggregate(clock);
    const ringBytes = ringDataBytes(threads.bodyBytesMax + REQUEST_META_BYTES, RING_BYTES_MIN);
    const lanes = threads.logsByWorker.map(() => new WorkerLane(ringBytes));
    this.#ingest = new Ingest(lanes, threads.routes, clock, logger);
    const logs = threads.logsByWorker.flat();
    this.#engineMetrics = new EngineMetrics(this.#meter, lanes, logs);
    this.#pipelineWorkers = this.#makePipelineWorkers(lanes);
    this.#exporterWorkers = this.#makeExporterWorkers();
  }

  /** @throws PipelineError naming what could not start; everything that had started is stopped again. */
  async start(): Promise<void> {
    try {
      await this.#startExtensions();
      await this.#options.prepareLogs();
      await this.#exporterWorkers.start();
      await this.#pipelineWorkers.start();
      await this.#startTelemetry();
      await this.#startReceivers();
      this.#passFailpoints();
      this.#collecting = setInterval(() => void this.#collect(), COLLECT_MS).unref();
    } catch (error) {
      await this.stop(this.#options.clock.monotonicMs() + 2000);
      throw error;
    }
  }

  /** Idempotent; returns at the deadline at the latest, with everything acknowledged on disk. */
  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  /** Shown on the scrape, so that a segment set aside is noticed by more than a log line. */
  reportQuarantined(log: string, segments: number): void {
    this.#meter.gauge('millrace_log_segments_quarantined', { log }).set(segments);
  }

  async metricsText(): Promise<string> {
    this.#process.update();
    this.#engineMetrics.update();
    await this.#collect();
    return formatPrometheus(this.#aggregate, this.#options.clock.monotonicMs());
  }

  async latencyText(stage: string): Promise<string | undefined> {
    await this.#collect();
    return formatPercentiles(this.#aggregate, stage, this.#options.clock.monotonicMs());
  }

  async #collect(): Promise<void> {
    this.#aggregate.update('main', this.#meter.takeSnapshot());
    await Promise.all([this.#pipelineWorkers.collect(), this.#exporterWorkers.collect()]);
  }

  async #stop(deadlineMs: number): Promise<void> {
    const { logger } = this.#options;
    clearInterval(this.#collecting);
    clearInterval(this.#ticking);
    const settle = async (what: string, work: Promise<unknown>) => {
      await work.catch((error: unknown) =>
        logger.error(`${what} did not stop cleanly`, { error: String(error) }),
      );
    };
    await settle('receivers', Promise.all(this.#receivers.map((receiver) => receiver.shutdown(deadlineMs))));
    await settle('requests', this.#ingest.drain(deadlineMs));
    await settle('pipeline workers', this.#pipelineWorkers.stop(deadlineMs));
    if (!this.#options.isDurable) await this.#drainMemoryLogs(deadlineMs);
    await settle('exporter workers', this.#exporterWorkers.stop(deadlineMs));
    for (const extension of this.#extensions.reverse())
      await settle('extension', extension.shutdown(deadlineMs));
    await settle('telemetry', this.#telemetry?.close() ?? Promise.resolve());
    this.#process.close();
  }

  #passFailpoints(): void {
    const { failpoints } = this.#options;
    if (failpoints === undefined || failpoints === '') return;
    setFailpoints(failpoints);
    this.#ticking = setInterval(() => failpoint('main.tick'), TICK_MS).unref();
  }

  /** Without durability what is left in the log is gone with the process, so exporters get what time there is. */
  async #drainMemoryLogs(deadlineMs: number): Promise<void> {
    const { clock, logger } = this.#options;
    while (this.#engineMetrics.queuedItems() > 0 && clock.monotonicMs() < deadlineMs - 500) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const lost = this.#engineMetrics.queuedItems();
    if (lost > 0)
      logger.error('items are lost: durability is memory and exporters did not finish', { items: lost });
  }

  async #startExtensions(): Promise<void> {
    const { plan, registry } = this.#options;
    for (const { id, type, config } of plan.extensions) {
      const factory = findFactory(registry, 'extension', type) as ExtensionFactory<unknown>;
      const extension = await factory.create(this.#settings(id), config);
      this.#extensions.push(extension);
      await extension.start();
    }
  }

  async #startReceivers(): Promise<void> {
    const { plan, registry } = this.#options;
    for (const { id, type, config } of plan.receivers) {
      const consumer = this.#ingest.consumerFor(id);
      if (consumer.signals.size === 0) continue;
      const factory = findFactory(registry, 'receiver', type) as ReceiverFactory<unknown>;
      const receiver = await factory.create(this.#settings(id), config, consumer);
      this.#receivers.push(receiver);
      await receiver.start();
    }
  }

  async #startTelemetry(): Promise<void> {
    const { metrics } = this.#options.plan.telemetry;
    if (metrics.prometheus === undefined) return;
    this.#telemetry = new TelemetryServer(this);
    await this.#telemetry.listen(metrics.prometheus.host, metrics.prometheus.port);
  }

  #settings(id: string): ComponentSettings {
    const { clock, logger, dataDir } = this.#options;
    return { id, clock, meter: this.#meter, logger: logger.child({ component: id }), dataDir };
  }

  #makePipelineWorkers(lanes: WorkerLane[]): Supervisor {
    const { threads, clock, logger, loggerOptions, failpoints } = this.#options;
    return new Supervisor({
      file: 'pipeline-worker',
      task: 'runPipelineTask',
      count: lanes.length,
      makeInit: (slot, name, control, port): PipelineWorkerInit => ({
        name,
        control,
        port,
        logger: loggerOptions,
        failpoints,
        requestRing: lanes[slot]!.requestRing.memory,
        ackRing: lanes[slot]!.ackRing,
        routes: threads.routes,
        logs: threads.logsByWorker[slot]!,
      }),
      onDown: (slot, suspectId) => this.#ingest.replaceWorker(lanes[slot]!, suspectId),
      onFatal: (error) => this.#fatal(error),
      clock,
      logger,
      meter: this.#meter,
      aggregate: this.#aggregate,
    });
  }

  #makeExporterWorkers(): Supervisor {
    const { threads, clock, logger, loggerOptions, failpoints, isDurable } = this.#options;
    return new Supervisor({
      file: 'exporter-worker',
      task: 'runExporterTask',
      count: threads.exportersByWorker.length,
      makeInit: (slot, name, control, port): ExporterWorkerInit => ({
        name,
        control,
        port,
        logger: loggerOptions,
        failpoints,
        exporters: threads.exportersByWorker[slot]!,
        isDurable,
      }),
      // Nothing to hand over: what a dead exporter worker had in flight is still in the log.
      onDown: () => {},
      onFatal: (error) => this.#fatal(error),
      clock,
      logger,
      meter: this.#meter,
      aggregate: this.#aggregate,
    });
  }

  #fatal(error: PipelineError): void {
    // Nobody is left who would answer what waits, or nothing may be acknowledged any more.
    this.#ingest.refuseAll();
    this.#options.onFatal(error);
  }
}
