/** Asks the thread of slow-hash.ts, one question at a time, with a bound on what waits. */
import { Worker } from 'node:worker_threads';
import type { PasswordEntry } from './htpasswd.ts';
import { isSlow, matchesHash } from './password-hash.ts';
import type { SlowHashAnswer, SlowHashQuestion } from './slow-hash.ts';

/** About a second of work at the usual cost of bcrypt. */
const WAITING_MAX = 16;

export class SlowChecker {
  readonly #answers = new Map<number, (matches: boolean | undefined) => void>();
  #worker: Worker | undefined;
  #nextToken = 1;
  #isClosed = false;

  /** True when the next question would be refused. */
  get isFull(): boolean {
    return this.#answers.size >= WAITING_MAX;
  }

  /** @returns undefined when it could not be found out; never rejects. */
  check(password: string, { kind, hash }: PasswordEntry): Promise<boolean | undefined> {
    if (!isSlow(kind)) return Promise.resolve(matchesHash(kind, password, hash));
    if (this.isFull || this.#isClosed) return Promise.resolve(undefined);
    const token = this.#nextToken;
    this.#nextToken += 1;
    const question: SlowHashQuestion = { token, kind, password, hash };
    return new Promise((resolve) => {
      this.#answers.set(token, resolve);
      this.#open().postMessage(question);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
    this.#fail();
  }

  #open(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const worker = new Worker(new URL(`./slow-hash${extension}`, import.meta.url), {
      name: 'basicauth',
      resourceLimits: { maxOldGenerationSizeMb: 64 },
    });
    worker.unref();
    worker.on('message', ({ token, matches }: SlowHashAnswer) => {
      this.#answers.get(token)?.(matches);
      this.#answers.delete(token);
    });
    // Whoever waited is told to come again, and the next question starts another thread.
    const lost = () => {
      if (this.#worker === worker) this.#fail();
    };
    worker.on('error', lost);
    worker.on('exit', lost);
    this.#worker = worker;
    return worker;
  }

  #fail(): void {
    this.#worker = undefined;
    const waiting = [...this.#answers.values()];
    this.#answers.clear();
    for (const resolve of waiting) resolve(undefined);
  }
}
