/** Keeps one store process running: starts it, replaces it when it dies, stops it. Lives on the main thread. */
import { PipelineError } from '../../component/errors.ts';
import type { Counter, Logger } from '../../component/settings.ts';
import { sleepUnlessAborted } from '../../stdx/abortable.ts';
import { backoffMs } from '../../stdx/backoff.ts';
import type { Clock } from '../../stdx/clock.ts';
import { Prng } from '../../stdx/prng.ts';
import type { StoreOptions } from './messages.ts';
import { StoreChild, type StoreOpening } from './store-child.ts';

/** A predecessor that was killed with its engine still ends: it lets go of directory and port within this time. */
const PREDECESSOR_MS = 3000;
const PREDECESSOR_RETRY_MS = 200;
/** Left of a deadline for the kill and its consequences. */
const KILL_RESERVE_MS = 200;

const RESTART_BACKOFF = {
  initialIntervalMs: 100,
  randomizationFactor: 0.2,
  multiplier: 2,
  maxIntervalMs: 10_000,
};
/** A process that lived for so long starts the back-off anew. */
const HEALTHY_MS = 60_000;

export interface SupervisorOptions {
  store: StoreOptions;
  startTimeoutMs: number;
  heartbeatTimeoutMs: number;
  logger: Logger;
  clock: Clock;
  restarts: Counter;
}

export class StoreSupervisor {
  readonly #options: SupervisorOptions;
  readonly #stopped = new AbortController();
  readonly #prng: Prng;
  #store: StoreOptions;
  #child: StoreChild | undefined;
  #running: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#prng = new Prng(options.clock.unixMs());
  }

  /** Port of the HTTP interface; the same one over all restarts. */
  get port(): number {
    return this.#store.port;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the store serves requests; rejects with START_FAILED. */
  async start(): Promise<void> {
    const { clock } = this.#options;
    const giveUpMs = clock.monotonicMs() + PREDECESSOR_MS;
    for (;;) {
      const opening = await this.#launch();
      if (opening.isReady) break;
      await this.#child!.ended;
      const mayClear = opening.reason === 'locked' || opening.reason === 'address_in_use';
      if (!mayClear || clock.monotonicMs() > giveUpMs || this.#stopped.signal.aborted) {
        throw new PipelineError('START_FAILED', startFailure(opening), { permanent: true });
      }
      await sleepUnlessAborted(PREDECESSOR_RETRY_MS, this.#stopped.signal);
    }
    this.#running = this.#keepRunning();
  }

  /** Returns at the deadline at the latest, with the process gone. */
  async shutdown(deadlineMs: number): Promise<void> {
    this.#stopped.abort();
    const child = this.#child;
    if (child === undefined) return;
    const withinMs = Math.max(0, deadlineMs - this.#options.clock.monotonicMs() - KILL_RESERVE_MS);
    child.close(withinMs);
    const timer = setTimeout(() => child.kill('it did not close in time'), withinMs);
    await child.ended;
    clearTimeout(timer);
    await this.#running;
  }

  async #launch(): Promise<StoreOpening> {
    const { startTimeoutMs, heartbeatTimeoutMs, logger } = this.#options;
    const child = new StoreChild({ store: this.#store, startTimeoutMs, heartbeatTimeoutMs, logger });
    this.#child = child;
    const opening = await child.opened;
    // Clients know the first port by now.
    if (opening.isReady) this.#store = { ...this.#store, port: opening.port };
    return opening;
  }

  async #keepRunning(): Promise<void> {
    const { logger, clock, restarts } = this.#options;
    let failures = 0;
    let startedMs = clock.monotonicMs();
    for (;;) {
      const reason = await this.#child!.ended;
      if (this.#stopped.signal.aborted) return;
      if (clock.monotonicMs() - startedMs > HEALTHY_MS) failures = 0;
      const waitMs = Math.round(backoffMs(RESTART_BACKOFF, failures, this.#prng));
      failures += 1;
      logger.error('embedded ClickHouse ended; starting it again', { reason, waitMs });
      restarts.add(1);
      if (!(await sleepUnlessAborted(waitMs, this.#stopped.signal))) return;
      const opening = await this.#launch();
      startedMs = clock.monotonicMs();
      if (opening.isReady) logger.info('embedded ClickHouse is back', { port: opening.port });
      else logger.error('embedded ClickHouse did not start', { reason: startFailure(opening) });
    }
  }
}

function startFailure(opening: StoreOpening & { isReady: false }): string {
  switch (opening.reason) {
    case 'chdb_missing':
      return (
        `the npm package chdb does not load on ${process.platform}-${process.arch}: ${opening.message}. ` +
        'It exists for Linux with glibc and macOS: install it with `npm install chdb`. Elsewhere remove ' +
        'embedded_clickhouse and point the endpoint of the clickhouse exporter at a ClickHouse server.'
      );
    case 'locked':
      return `${opening.message}: two engines cannot share a data directory`;
    case 'died':
      return `the store process ended before it was ready: ${opening.message}`;
    default:
      return opening.message;
  }
}
