/** Waiting for the writer's doorbell without holding a thread. */
import type { SharedWords } from './shared-words.ts';

/**
 * One pending ring per reader, however often it waits: a ring cannot be cancelled, and a new one for every wait
 * that timed out would pile up.
 */
export class DoorbellWait {
  readonly #words: SharedWords;
  #ring: Promise<unknown> | undefined;
  readonly #wakers = new Set<() => void>();
  #isClosed = false;

  constructor(words: SharedWords) {
    this.#words = words;
  }

  /**
   * Resolves true once `isReady()`, which is asked at every ring, false at the timeout or on close.
   * Its timer keeps the thread alive meanwhile; a pending ring alone would let the thread end.
   */
  async until(isReady: () => boolean, timeoutMs: number): Promise<boolean> {
    let isTimedOut = false;
    let wake: () => void = () => undefined;
    const waker = (): void => wake();
    const timer = setTimeout(() => {
      isTimedOut = true;
      wake();
    }, timeoutMs);
    this.#wakers.add(waker);
    try {
      while (!this.#isClosed && !isTimedOut) {
        this.#listen();
        if (isReady()) return true;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return !this.#isClosed && isReady();
    } finally {
      clearTimeout(timer);
      this.#wakers.delete(waker);
    }
  }

  /** Before the state is looked at, so that a ring in between is not missed. */
  #listen(): void {
    if (this.#ring !== undefined) return;
    this.#ring = this.#words.waitRing(this.#words.doorbell).then(() => {
      this.#ring = undefined;
      for (const wake of [...this.#wakers]) wake();
    });
  }

  /** Every wait ends with false. */
  close(): void {
    this.#isClosed = true;
    for (const wake of [...this.#wakers]) wake();
  }
}
