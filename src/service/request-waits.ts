/** What `wait_for_result` and `block_on_overflow` of exporters mean for the requests of a receiver. */
import type { RequestConsumer } from '../component/consumer.ts';
import type { ExporterFactory } from '../component/factory.ts';
import type { Signal } from '../component/signal.ts';
import { SharedWords } from '../queue/log/shared-words.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { OverflowWait } from './overflow-wait.ts';
import { type AwaitedCursor, ResultWait } from './result-wait.ts';
import type { ThreadPlan } from './thread-plan.ts';

interface RouteWaits {
  /** Of every worker's logs of the route: which of them gets a request is decided later. */
  awaited: AwaitedCursor[];
  blocksOnOverflow: boolean;
}

/** By log id. */
interface LogWaits {
  awaitedExporters: string[];
  blocksOnOverflow: boolean;
}

/** Requests that wait for exporters, or for room, of one data path. */
export class RequestWaits {
  readonly #results = new ResultWait();
  readonly #overflow: OverflowWait;
  readonly #routes: ReadonlyMap<string, RouteWaits>;

  constructor(threads: ThreadPlan, registry: Registry, clock: Clock) {
    this.#overflow = new OverflowWait(clock);
    this.#routes = planRoutes(threads, planLogs(threads, registry));
  }

  /** The consumer of a receiver with what its exporters want; the same one when they want nothing. */
  wrap(receiverId: string, next: RequestConsumer): RequestConsumer {
    const bySignal = new Map<Signal, RouteWaits>();
    for (const signal of next.signals) {
      const waits = this.#routes.get(routeKey(receiverId, signal));
      if (waits !== undefined) bySignal.set(signal, waits);
    }
    if (bySignal.size === 0) return next;
    return {
      ...next,
      tryConsume: (request, done) => {
        const waits = bySignal.get(request.signal);
        if (waits === undefined) return next.tryConsume(request, done);
        const isAwaited = waits.awaited.length > 0;
        if (isAwaited && this.#results.isFull) return false;
        const answer = isAwaited ? this.#results.wrap(waits.awaited, done) : done;
        if (!waits.blocksOnOverflow) return next.tryConsume(request, answer);
        return this.#overflow.tryConsume(next, request, answer);
      },
    };
  }

  /** Answers that wait for exporters. */
  get resultCount(): number {
    return this.#results.count;
  }

  /** Nobody waits from now on; who does is told to come again. */
  end(): void {
    this.#overflow.end();
    this.#results.end();
  }
}

/** Whether some exporter of the plan lets requests wait for room: they are copied then. */
export function hasOverflowWait(threads: ThreadPlan, registry: Registry): boolean {
  return [...planLogs(threads, registry).values()].some(({ blocksOnOverflow }) => blocksOnOverflow);
}

function planLogs(threads: ThreadPlan, registry: Registry): Map<string, LogWaits> {
  const waits = new Map<string, LogWaits>();
  for (const { id, type, config, logs, batchings } of threads.exportersByWorker.flat()) {
    const { delivery } = findFactory(registry, 'exporter', type) as ExporterFactory<unknown>;
    const { isAwaited, blocksOnOverflow } = delivery(config).queue;
    for (const { logId } of logs) {
      const log = waits.get(logId) ?? { awaitedExporters: [], blocksOnOverflow: false };
      // As in the Collector, a `batch` processor answers for what is behind it.
      if (isAwaited && !batchings.has(logId)) log.awaitedExporters.push(id);
      log.blocksOnOverflow ||= blocksOnOverflow;
      waits.set(logId, log);
    }
  }
  return waits;
}

function planRoutes(
  { routes, logsByWorker }: ThreadPlan,
  waitsByLog: ReadonlyMap<string, LogWaits>,
): Map<string, RouteWaits> {
  const planned = new Map<string, RouteWaits>();
  for (const { receiverId, signal, logs } of routes) {
    const waits: RouteWaits = { awaited: [], blocksOnOverflow: false };
    for (const log of logsByWorker.flatMap((own) => logs.map((index) => own[index]!))) {
      const { awaitedExporters, blocksOnOverflow } = waitsByLog.get(log.logId) ?? NOTHING;
      waits.blocksOnOverflow ||= blocksOnOverflow;
      const words = new SharedWords(log.shared);
      for (const exporter of awaitedExporters)
        waits.awaited.push({ words, slot: log.cursorNames.indexOf(exporter) });
    }
    if (waits.blocksOnOverflow || waits.awaited.length > 0) planned.set(routeKey(receiverId, signal), waits);
  }
  return planned;
}

const NOTHING: LogWaits = { awaitedExporters: [], blocksOnOverflow: false };

function routeKey(receiverId: string, signal: Signal): string {
  return `${signal} ${receiverId}`;
}
