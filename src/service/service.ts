/**
 * The running engine. Start: extensions, logs, exporter workers, pipeline workers, receivers last. Stop is the reverse:
 * receivers finish what they took, pipeline workers flush it, exporter workers leave the rest in the log. A reload
 * goes through the same steps, but only for what changed.
 */
import { isDeepStrictEqual } from 'node:util';
import { PipelineError } from '../component/errors.ts';
import type { ComponentSettings, Logger } from '../component/settings.ts';
import type { ComponentState, EngineView, Readiness } from '../component/status.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import type { Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { failpoint, setFailpoints } from '../stdx/failpoint.ts';
import { takeProfile } from '../stdx/profile.ts';
import { DataPath, type WarmThreads, warmThreads } from './data-path.ts';
import { ExtensionSet } from './extension-set.ts';
import { OwnTelemetry, tracerOptions } from './own-telemetry.ts';
import { ReadinessWatch, type ServicePhase } from './readiness.ts';
import { ReceiverSet } from './receiver-set.ts';
import { StatusBoard } from './status-board.ts';
import type { ThreadPlan } from './thread-plan.ts';

/** Passes of the point `main.tick`, where tests hold the main thread up. */
const TICK_MS = 1000;

/** What a reload gives components that it ends; then their connections and threads are cut. */
const REPLACE_MS = 5_000;

/** What a stop keeps for itself of its time while it waits for a reload. */
const HALF_WAY_MS = 3_000;

/** A thread that outlives its deadline by this much cannot be ended at all. */
const ENDLESS_MS = 5_000;

export interface ServiceOptions {
  registry: Registry;
  version: string;
  dataDir: string;
  isDurable: boolean;
  clock: Clock;
  logger: Logger;
  failpoints: string | undefined;
  /** Plans threads and logs from what is on disk now; no thread has a log open when it is called. */
  planThreads(plan: CollectorPlan): ThreadPlan;
  /** Called when extensions run and before any log is opened. */
  prepareLogs(path: DataPath): Promise<void>;
  /** Called when the logs are open in all threads. */
  logsAreOpen(path: DataPath, plan: CollectorPlan): void;
  /** The engine cannot go on; the process must end with the exit code of the error. */
  onFatal(error: PipelineError): void;
}

export class Service {
  readonly #options: ServiceOptions;
  readonly #telemetry: OwnTelemetry;
  readonly #board: StatusBoard;
  readonly #extensions: ExtensionSet;
  readonly #receivers: ReceiverSet;
  readonly #startedUnixMs: number;
  readonly #readiness: ReadinessWatch;
  #phase: ServicePhase = 'starting';
  #plan: CollectorPlan | undefined;
  #path: DataPath | undefined;
  /** What the path was made for; not `#plan` while a reload is under way or has failed. */
  #pathPlan: CollectorPlan | undefined;
  #pathCount = 0;
  #ticking: NodeJS.Timeout | undefined;
  #reloading: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  constructor(options: ServiceOptions) {
    this.#options = options;
    const { clock, logger, registry } = options;
    this.#telemetry = new OwnTelemetry({
      ...{ clock, logger, version: options.version },
      path: () => this.#path,
      isReady: () => this.readiness().isReady,
      onCollected: () => this.#noteExporters(),
    });
    this.#board = new StatusBoard(clock, logger);
    const shared = { registry, logger, board: this.#board };
    this.#extensions = new ExtensionSet({
      ...shared,
      settings: (id) => ({ ...this.#settings(id), engine: this.#view() }),
    });
    this.#receivers = new ReceiverSet({
      ...shared,
      clock,
      settings: (id) => ({
        ...this.#settings(id),
        tracer: this.#telemetry.tracer,
        findClientAuth: (wanted: string) => this.#extensions.findClientAuth(wanted),
      }),
    });
    this.#startedUnixMs = clock.unixMs();
    this.#readiness = new ReadinessWatch(clock, () => ({ phase: this.#phase, path: this.#path }));
  }

  /** @throws PipelineError naming what could not start; everything that had started is stopped again. */
  async start(plan: CollectorPlan): Promise<void> {
    try {
      await this.#apply(plan);
      this.#plan = plan;
      this.#passFailpoints();
      this.#telemetry.startCollecting();
      if (this.#phase === 'starting') this.#phase = 'running';
    } catch (error) {
      await this.stop(this.#options.clock.monotonicMs() + 2000);
      throw error;
    }
  }

  /**
   * Goes over to a checked configuration. Requests wait, within bounds, while the workers are exchanged, and what
   * was taken before is answered; listeners that did not change stay.
   * @throws PipelineError when the new one could not be started; the old one runs again then.
   */
  reload(plan: CollectorPlan): Promise<void> {
    this.#reloading = this.#reloading.catch(() => undefined).then(() => this.#reload(plan));
    return this.#reloading;
  }

  /** Idempotent; returns at the deadline at the latest, with everything acknowledged on disk. */
  stop(deadlineMs: number): Promise<void> {
    this.#phase = this.#phase === 'failed' ? 'failed' : 'stopping';
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  /** For an end without a stop: gives the answers that wait a moment to leave. */
  async abandon(deadlineMs: number): Promise<void> {
    this.#phase = 'failed';
    await this.#receivers.shutdown(deadlineMs);
  }

  /** For the scrape. */
  reportReload(outcome: string): void {
    this.#telemetry.meter.counter('millrace_config_reloads', { outcome }).add(1);
    this.#telemetry.meter.gauge('millrace_config_last_reload_successful').set(outcome === 'failed' ? 0 : 1);
  }

  readiness(): Readiness {
    return this.#readiness.look();
  }

  async #reload(plan: CollectorPlan): Promise<void> {
    const old = this.#plan;
    if (this.#phase !== 'running' || old === undefined) return;
    this.#phase = 'reloading';
    const { logger } = this.#options;
    try {
      await this.#apply(plan);
      this.#plan = plan;
    } catch (error) {
      if (isEndless(error)) this.#fatal(error);
      else {
        logger.error('the new configuration could not be started; going back to the old one', {
          error: String((error as Error).message),
        });
        await this.#apply(old).catch((worse: unknown) => this.#fatal(asFatal(worse)));
      }
      throw error;
    } finally {
      if ((this.#phase as ServicePhase) === 'reloading') this.#phase = 'running';
    }
  }

  /** Brings what runs to what the plan says: from nothing at the start, from another plan at a reload. */
  async #apply(plan: CollectorPlan): Promise<void> {
    const { clock } = this.#options;
    await this.#receivers.removeAllBut(plan.receivers, clock.monotonicMs() + REPLACE_MS);
    if (this.#path === undefined || this.#needsNewPath(plan)) await this.#replacePath(plan);
    await this.#telemetry.apply(plan.telemetry);
    await this.#receivers.apply(plan.receivers, clock.monotonicMs() + REPLACE_MS);
  }

  /** Extensions count: exporters and logs may use what they offer. */
  #needsNewPath(plan: CollectorPlan): boolean {
    const part = ({ pipelines, processors, exporters, telemetry }: CollectorPlan) => {
      return { pipelines, processors, exporters, logs: telemetry.logs, traces: telemetry.traces };
    };
    return (
      !isDeepStrictEqual(part(plan), part(this.#pathPlan!)) ||
      this.#extensions.differs(plan.extensions) ||
      this.#options.planThreads(plan).bodyBytesMax !== this.#path!.threads.bodyBytesMax
    );
  }

  async #replacePath(plan: CollectorPlan): Promise<void> {
    const { clock, logger, planThreads } = this.#options;
    // The next threads load their modules while the present ones still work: requests wait for the rest only.
    const warm = this.#path === undefined ? undefined : await warmThreads(planThreads(plan), plan.extensions);
    const startedMs = clock.monotonicMs();
    this.#receivers.connect(undefined);
    try {
      await this.#endPath(startedMs + REPLACE_MS);
      await this.#extensions.apply(plan.extensions, clock.monotonicMs() + REPLACE_MS);
      await this.#startPath(plan, warm);
    } finally {
      await Promise.all([warm?.pipeline.discard(), warm?.exporter.discard()]);
    }
    const waited = this.#receivers.waitingCount;
    this.#receivers.connect(this.#path);
    if (this.#pathCount === 1) return;
    const pausedMs = Math.round(clock.monotonicMs() - startedMs);
    logger.info('workers were exchanged', { paused_ms: pausedMs, requests_that_waited: waited });
  }

  async #startPath(plan: CollectorPlan, warm: WarmThreads | undefined): Promise<void> {
    const { clock, logger, isDurable, failpoints, planThreads, registry } = this.#options;
    this.#pathCount += 1;
    const path = new DataPath({
      ...{ isDurable, clock, logger, failpoints, registry, warm },
      name: `path#${this.#pathCount}`,
      threads: planThreads(plan),
      extensions: plan.extensions,
      loggerOptions: plan.telemetry.logs,
      tracing: tracerOptions(plan.telemetry.traces),
      aggregate: this.#telemetry.aggregate,
      onFatal: (error) => this.#fatal(error),
    });
    this.#path = path;
    this.#pathPlan = plan;
    this.#setExporters('starting');
    try {
      await this.#options.prepareLogs(path);
      await path.start();
    } catch (error) {
      await this.#endPath(clock.monotonicMs() + 2000);
      throw error;
    }
    this.#options.logsAreOpen(path, plan);
    this.#setExporters('ok');
  }

  /** Two threads with the same log open would be the end of it: nothing may be started beside one that stays. */
  async #endPath(deadlineMs: number): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    this.#setExporters('stopping');
    await withinOrLost(path.stop(deadlineMs), deadlineMs - this.#options.clock.monotonicMs() + ENDLESS_MS);
    this.#setExporters('stopped');
    this.#path = undefined;
  }

  /** An exporter whose newest attempt failed may recover; what it should have sent is kept meanwhile. */
  #noteExporters(): void {
    if (this.#phase !== 'running') return;
    const failing = new Map<string, boolean>();
    for (const { name, labels, value } of this.#telemetry.aggregate.gauges()) {
      if (name !== 'millrace_exporter_failing') continue;
      const id = labels.exporter!;
      failing.set(id, failing.get(id) === true || value > 0);
    }
    for (const [id, isFailing] of failing) {
      const state = isFailing ? 'recoverable_error' : 'ok';
      if (this.#board.stateOf('exporter', id) === state) continue;
      this.#board.set('exporter', id, state, isFailing ? 'the newest attempt failed and is made again' : '');
    }
  }

  #setExporters(state: ComponentState): void {
    for (const { id } of this.#pathPlan?.exporters ?? []) {
      this.#board.set('exporter', id, state);
      if (state === 'stopped') this.#board.forget('exporter', id);
    }
  }

  async #stop(deadlineMs: number): Promise<void> {
    const { logger, clock } = this.#options;
    clearInterval(this.#ticking);
    const settle = async (what: string, work: Promise<unknown>) => {
      await work.catch((error: unknown) =>
        logger.error(`${what} did not stop cleanly`, { error: String(error) }),
      );
    };
    // A reload half-way would start the rest behind the stop's back.
    await this.#reloadedBy(deadlineMs - HALF_WAY_MS);
    // Receivers wait for the answers of what they took.
    await this.#path?.endWaits(deadlineMs);
    await settle('receivers', this.#receivers.shutdown(deadlineMs));
    await settle('the data path', this.#path?.stop(deadlineMs) ?? Promise.resolve());
    await settle('extensions', this.#extensions.shutdown(Math.max(deadlineMs, clock.monotonicMs() + 500)));
    await settle('telemetry', this.#telemetry.stop(Math.max(deadlineMs, clock.monotonicMs() + 500)));
  }

  async #reloadedBy(deadlineMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.max(deadlineMs - this.#options.clock.monotonicMs(), 0));
    });
    await Promise.race([this.#reloading.catch(() => undefined), late]);
    clearTimeout(timer);
  }

  #passFailpoints(): void {
    const { failpoints } = this.#options;
    if (failpoints === undefined || failpoints === '') return;
    setFailpoints(failpoints);
    this.#ticking = setInterval(() => failpoint('main.tick'), TICK_MS).unref();
  }

  #settings(id: string): ComponentSettings {
    const { clock, logger, dataDir } = this.#options;
    const findExtension = (wanted: string) => this.#extensions.find(wanted);
    return {
      ...{ id, clock, meter: this.#telemetry.meter, logger: logger.child({ component: id }), dataDir },
      findExtension,
    };
  }

  #view(): EngineView {
    return {
      version: this.#options.version,
      startedUnixMs: this.#startedUnixMs,
      readiness: () => this.readiness(),
      components: () => this.#board.list(),
      pipelines: () => this.#pathPlan?.pipelines ?? [],
      threads: () => ['main', ...(this.#path?.threadNames ?? [])],
      profile: (thread, kind, seconds) =>
        thread === 'main' ? takeProfile(kind, seconds) : this.#path?.profile(thread, kind, seconds),
    };
  }

  #fatal(error: PipelineError): void {
    this.#phase = 'failed';
    this.#options.onFatal(error);
  }
}

function isEndless(error: unknown): error is PipelineError {
  return error instanceof PipelineError && error.code === 'WORKER_LOST';
}

function asFatal(error: unknown): PipelineError {
  if (error instanceof PipelineError) return error;
  return new PipelineError('INTERNAL', String(error), { permanent: true, cause: error });
}

/** @throws PipelineError WORKER_LOST when the work is not done in time. */
async function withinOrLost(work: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const message = 'worker threads could not be ended, so nothing may open their logs again';
    const lost = new PipelineError('WORKER_LOST', message, { permanent: true });
    timer = setTimeout(() => reject(lost), Math.max(limitMs, 0));
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
