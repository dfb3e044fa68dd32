/**
 * Threads that have loaded their modules before they are given work: a reload makes them while the old ones still run,
 * because loading is most of what the exchange would have to wait for.
 */
import { Piscina } from 'piscina';
import type { ComponentName } from '../registry/components.ts';
import { type WorkerFile, workerUrl } from './worker-url.ts';

/** Exported function of every worker file that loads what its task needs. */
const PRELOAD = 'preload';

/** The threads of one supervisor. */
export type WorkerPool = Piscina;

export function createPool(file: WorkerFile, task: string, count: number): WorkerPool {
  return new Piscina({
    filename: workerUrl(file).href,
    name: task,
    minThreads: count,
    maxThreads: count,
    idleTimeout: Number.POSITIVE_INFINITY,
    atomics: 'disabled',
    recordTiming: false,
  });
}

export class WarmPool {
  readonly count: number;
  readonly #pool: Piscina;
  #isTaken = false;

  private constructor(pool: Piscina, count: number) {
    this.#pool = pool;
    this.count = count;
  }

  /** Resolves when every thread has loaded its modules, or could not: the task finds out again, and says so. */
  static async create(
    file: WorkerFile,
    task: string,
    count: number,
    components: readonly ComponentName[],
  ): Promise<WarmPool> {
    const pool = createPool(file, task, count);
    pool.on('error', () => undefined);
    const preloads = Array.from({ length: count }, () => pool.run(components, { name: PRELOAD }));
    await Promise.allSettled(preloads);
    return new WarmPool(pool, count);
  }

  /** The threads, for one owner, who ends them. Undefined when they are too few or too many. */
  take(count: number): Piscina | undefined {
    if (this.#isTaken || count !== this.count) return undefined;
    this.#isTaken = true;
    return this.#pool;
  }

  /** Ends threads that nobody took. */
  async discard(): Promise<void> {
    if (this.#isTaken) return;
    this.#isTaken = true;
    await this.#pool.destroy();
  }
}
