/** Goes over to a changed configuration, one reload at a time; a wrong one changes nothing. */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../component/settings.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';

export interface ReloadTarget {
  /** @throws when the new configuration could not be started; the old one runs then. */
  reload(plan: CollectorPlan): Promise<void>;
  /** For metrics. */
  reloaded(outcome: 'success' | 'unchanged' | 'failed'): void;
}

export interface ReloaderOptions {
  /** What runs now. */
  plan: CollectorPlan;
  target: ReloadTarget;
  logger: Logger;
  /** Reads and checks the configuration, tells every mistake; undefined when there is one. */
  read(): CollectorPlan | undefined | Promise<CollectorPlan | undefined>;
}

export class Reloader {
  readonly #options: ReloaderOptions;
  #plan: CollectorPlan;
  #wanted: string | undefined;
  #isRunning = false;
  #isClosed = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#plan = options.plan;
  }

  /** @param reason what a log line shows. Requests that come while one is under way become one more. */
  request(reason: string): void {
    this.#wanted = reason;
    if (!this.#isRunning && !this.#isClosed) void this.#run();
  }

  /** No reload begins from now on; the engine waits for the one under way by itself. */
  close(): void {
    this.#isClosed = true;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#wanted !== undefined && !this.#isClosed) {
      const reason = this.#wanted;
      this.#wanted = undefined;
      await this.#reload(reason);
    }
    this.#isRunning = false;
  }

  async #reload(reason: string): Promise<void> {
    const { target, logger, read } = this.#options;
    logger.info('reading the configuration again', { reason });
    const plan = await read();
    if (this.#isClosed) return;
    if (plan === undefined) {
      logger.error('the new configuration has errors; the old one goes on');
      return target.reloaded('failed');
    }
    if (isDeepStrictEqual({ ...plan, warnings: [] }, { ...this.#plan, warnings: [] })) {
      logger.info('the configuration is unchanged');
      return target.reloaded('unchanged');
    }
    try {
      await target.reload(plan);
      this.#plan = plan;
      logger.info('the new configuration runs');
      target.reloaded('success');
    } catch (error) {
      logger.error('the new configuration was given up; the old one goes on', {
        error: (error as Error).message,
      });
      target.reloaded('failed');
    }
  }
}
