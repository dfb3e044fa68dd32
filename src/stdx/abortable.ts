/** Waits that end early: when a signal aborts, or when what was waited for is there. */

/** Longest delay of a timer of Node (24.8 days); with a longer one it fires at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** Resolves after `durationMs` or when the signal aborts, whichever is first; true when the time passed. */
export function sleepUnlessAborted(durationMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const onAbort = () => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(
      () => {
        signal.removeEventListener('abort', onAbort);
        resolve(true);
      },
      Math.min(durationMs, TIMER_MS_MAX),
    );
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Resolves when `done` does, or after the wait; rejects when `done` does before. */
export async function within(done: Promise<unknown>, waitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, Math.max(waitMs, 0));
  });
  await Promise.race([done, late]);
  clearTimeout(timer);
}

/** A promise that somebody else resolves again and again: each `wait` ends at the next `signal`. */
export class Notifier {
  #waiting: (() => void)[] = [];

  notify(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
