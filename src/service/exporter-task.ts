/** Life of one exporter worker thread: exporters, one delivery for each log of each exporter. */
import type { Exporter } from '../component/exporter.ts';
import type { DeadLettersConfig, ExporterFactory } from '../component/factory.ts';
import { DeadLetters } from '../exporters/helper/dead-letters.ts';
import { Delivery } from '../exporters/helper/delivery.ts';
import { BatchProcessorMetrics, DeliveryMetrics } from '../exporters/helper/delivery-metrics.ts';
import { ExporterSpans } from '../exporters/helper/exporter-spans.ts';
import { SendSlots } from '../exporters/helper/send-slots.ts';
import { SendThrottle } from '../exporters/helper/send-throttle.ts';
import type { LogCursor } from '../queue/log/contract.ts';
import { openLogReader } from '../queue/log/open.ts';
import { SharedWords } from '../queue/log/shared-words.ts';
import { loadComponents } from '../registry/load.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import { Prng } from '../stdx/prng.ts';
import { withBatching } from './batching.ts';
import { ClientAuthSet } from './client-auth-set.ts';
import { deadLetterDirectory } from './deadletter-directory.ts';
import { exporterDirectory } from './exporter-directory.ts';
import { Drain } from './exporter-drain.ts';
import type { ExporterPlan, ExporterWorkerInit } from './messages.ts';
import { exporterWorkerComponents } from './worker-components.ts';
import { WorkerRuntime } from './worker-runtime.ts';

/** Answers wait for these moves. */
const AWAITED_PERSIST_MS = 5;

class ExporterHost {
  readonly #runtime: WorkerRuntime;
  readonly #init: ExporterWorkerInit;
  readonly #exporters: Exporter[] = [];
  readonly #drains: Drain[] = [];
  readonly #throttles: SendThrottle[] = [];
  #clientAuths: ClientAuthSet | undefined;
  #stopDeadlineMs: number | undefined;
  #requestStop!: () => void;
  readonly #stopRequested = new Promise<void>((resolve) => {
    this.#requestStop = resolve;
  });

  constructor(init: ExporterWorkerInit) {
    this.#init = init;
    this.#runtime = new WorkerRuntime(init, (deadlineMs) => {
      this.#stopDeadlineMs = deadlineMs;
      this.#requestStop();
    });
  }

  live(): Promise<void> {
    return this.#runtime.live(
      () => this.#start(),
      () => this.#run(),
    );
  }

  async #start(): Promise<void> {
    const { exporters, extensions } = this.#init;
    const registry = await loadComponents(exporterWorkerComponents(this.#init));
    const clientAuths = new ClientAuthSet(registry, extensions, (id) => {
      const { clock, meter, logger } = this.#runtime;
      return { id, clock, meter, logger: logger.child({ component: id }) };
    });
    this.#clientAuths = clientAuths;
    for (const plan of exporters) await this.#startExporter(plan, registry, clientAuths);
  }

  async #startExporter(plan: ExporterPlan, registry: Registry, clientAuths: ClientAuthSet): Promise<void> {
    const { clock, meter } = this.#runtime;
    const logger = this.#runtime.logger.child({ exporter: plan.id, data_type: plan.signal });
    const factory = findFactory(registry, 'exporter', plan.type) as ExporterFactory<unknown>;
    const findClientAuth = (id: string) => clientAuths.find(id);
    const stateDir = this.#init.isDurable ? exporterDirectory(plan) : undefined;
    const settings = {
      ...{ id: plan.id, clock, meter, logger, findClientAuth },
      ...(stateDir === undefined ? {} : { stateDir }),
    };
    const exporter = await factory.create(settings, plan.config, plan.signal);
    await exporter.start();
    this.#exporters.push(exporter);
    const config = factory.delivery(plan.config);
    const { numConsumers, isAwaited } = config.queue;
    const slots = new SendSlots(numConsumers);
    const throttle = new SendThrottle(config, { id: plan.id, signal: plan.signal, clock, meter, logger });
    this.#throttles.push(throttle);
    const metrics = new DeliveryMetrics(meter, plan.id, plan.signal, exporter.peerLabels);
    const deadLetters = this.#deadLettersOf(plan, config.deadLetters);
    const { tracer } = this.#runtime;
    const spans = tracer.isOn ? new ExporterSpans(tracer, plan.id, plan.signal) : undefined;
    for (const log of plan.logs) {
      const reader = openLogReader(log);
      const prng = new Prng(clock.unixMs() >>> 0);
      const batching = plan.batchings.get(log.logId);
      const processorId = config.queue.hasOwnBatch === true ? undefined : batching?.processorId;
      const batchMetrics =
        processorId === undefined ? undefined : new BatchProcessorMetrics(meter, processorId);
      const createDelivery = (cursor: LogCursor) =>
        new Delivery({
          exporter,
          signal: plan.signal,
          reader,
          cursor,
          config: withBatching(config, batching, plan.clientKeys),
          isDurable: this.#init.isDurable,
          clock,
          prng,
          logger,
          metrics,
          slots,
          throttle,
          onGivenUp: () => new SharedWords(log.shared).countGivenUp(log.cursorNames.indexOf(plan.id)),
          ...(deadLetters === undefined ? {} : { deadLetters }),
          ...(batchMetrics === undefined ? {} : { batchMetrics }),
          ...(spans === undefined ? {} : { spans }),
        });
      const lazyMs = isAwaited ? AWAITED_PERSIST_MS : undefined;
      this.#drains.push(await Drain.open({ log, name: plan.id, reader, logger, lazyMs, createDelivery }));
    }
  }

  /**
   * Without durability everything ends with the process, so refused items are dropped and counted there and then,
   * unless a directory was named for them.
   */
  #deadLettersOf(
    { id, signal, logs: [log] }: ExporterPlan,
    limits: DeadLettersConfig,
  ): DeadLetters | undefined {
    const { directory, totalBytesMax, filesMax } = limits;
    if (log === undefined || (!this.#init.isDurable && directory === undefined)) return undefined;
    const { clock } = this.#runtime;
    return new DeadLetters({
      directory: deadLetterDirectory(log, id, directory),
      exporterId: id,
      ...{ signal, clock, totalBytesMax, filesMax },
    });
  }

  async #run(): Promise<void> {
    const runs = this.#drains.map((drain) => drain.run());
    // A failing delivery means its log failed: the thread ends with that error and is replaced.
    await Promise.race([this.#stopRequested, ...runs.map((run) => run.then(() => this.#stopRequested))]);
    await Promise.all(this.#drains.map((drain) => drain.stop()));
    for (const throttle of this.#throttles) throttle.close();
    // Closing ends the wait for space on a full disk, which a run may be in.
    const closing = Promise.allSettled(this.#drains.map((drain) => drain.closeCursor()));
    await Promise.allSettled(runs);
    const deadlineMs = this.#stopDeadlineMs ?? this.#runtime.clock.monotonicMs();
    await Promise.all(this.#exporters.map((exporter) => exporter.shutdown(deadlineMs)));
    await this.#clientAuths?.shutdown(deadlineMs);
    for (const drain of this.#drains) await drain.closeReader();
    for (const closed of await closing) if (closed.status === 'rejected') throw closed.reason;
  }
}

export function runExporterTask(init: ExporterWorkerInit): Promise<void> {
  return new ExporterHost(init).live();
}
