import type { EngineSession } from './engine-session.ts';
import { CODE_TOO_MANY_QUERIES, StoreError } from './store-error.ts';

/**
 * A fixed number of sessions, opened when first needed, handed out in order of arrival.
 * More than `waitingMax` waiting requests are refused: each may hold memory, a socket and a file of the spool.
 */
export class SessionPool {
  readonly #open: () => EngineSession;
  readonly #sizeMax: number;
  readonly #waitingMax: number;
  readonly #idle: EngineSession[] = [];
  readonly #waiting: ((session: EngineSession) => void)[] = [];
  #openCount = 0;
  #busyCount = 0;

  constructor(open: () => EngineSession, sizeMax: number, waitingMax: number) {
    this.#open = open;
    this.#sizeMax = sizeMax;
    this.#waitingMax = waitingMax;
  }

  get busyCount(): number {
    return this.#busyCount;
  }

  /** @throws StoreError 202 when `use` would: to be asked before a body is taken. */
  assertRoom(): void {
    const isBusy = this.#idle.length === 0 && this.#openCount >= this.#sizeMax;
    if (!isBusy || this.#waiting.length < this.#waitingMax) return;
    const message = `Too many simultaneous queries. Maximum: ${this.#sizeMax} running, ${this.#waitingMax} waiting.`;
    throw new StoreError(CODE_TOO_MANY_QUERIES, message);
  }

  /**
   * Runs `work` with a session of its own.
   * @throws StoreError 202 when too many wait already.
   */
  async use<T>(work: (session: EngineSession) => Promise<T>): Promise<T> {
    const session = await this.#acquire();
    this.#busyCount += 1;
    try {
      return await work(session);
    } finally {
      this.#busyCount -= 1;
      this.#release(session);
    }
  }

  /** Only when nothing is in use. */
  close(): void {
    for (const session of this.#idle.splice(0)) session.close();
  }

  #acquire(): EngineSession | Promise<EngineSession> {
    // The one used last: it is the likeliest to have the settings of the next request already.
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#openCount < this.#sizeMax) {
      const session = this.#open();
      this.#openCount += 1;
      return session;
    }
    this.assertRoom();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #release(session: EngineSession): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(session);
    else next(session);
  }
}
