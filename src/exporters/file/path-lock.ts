/**
 * Mutual exclusion between the threads of this process that write to one path.
 *
 * The lock is a listening socket: binding a name twice is refused by the kernel, and the name is free again the
 * moment its thread or process ends, however it ends. Neither a lock file nor shared memory gives that. Names are
 * abstract on Linux and pipe names on Windows, so no file is left behind; other systems have neither, and there
 * the lock is taken without exclusion (see README: what that means for short writes).
 */
import { createHash } from 'node:crypto';
import net from 'node:net';
import { PipelineError } from '../../component/errors.ts';
import type { Clock } from '../../stdx/clock.ts';

const RETRY_FIRST_MS = 1;
const RETRY_MAX_MS = 20;

export type Release = () => Promise<void>;

/** Name for the path as it was resolved; undefined where the system has no names of this kind. */
function lockName(resolvedPath: string): string | undefined {
  const digest = createHash('sha256').update(resolvedPath).digest('hex').slice(0, 32);
  // The process id keeps strangers that share the network namespace from waiting for each other.
  const name = `millrace-file-${process.pid}-${digest}`;
  if (process.platform === 'linux') return `\0${name}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : undefined;
}

/** Resolves with the bound server, or undefined when another thread has the name. */
function tryListen(name: string): Promise<net.Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ path: name }, () => resolve(server));
  });
}

export class PathLock {
  readonly #name: string | undefined;
  readonly #clock: Clock;

  /** @param resolvedPath absolute, without symbolic links in its directory: threads must agree on it. */
  constructor(resolvedPath: string, clock: Clock) {
    this.#name = lockName(resolvedPath);
    this.#clock = clock;
  }

  /**
   * Waits until no other thread has the lock. Not re-entrant.
   * @throws PipelineError EXPORT_UNAVAILABLE, retryable, when `waitMs` passed or the system gives no sockets.
   */
  async acquire(waitMs: number): Promise<Release> {
    if (this.#name === undefined) return async () => {};
    const deadlineMs = this.#clock.monotonicMs() + waitMs;
    for (let delayMs = RETRY_FIRST_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
      const server = await tryListen(this.#name).catch((error) => {
        throw unavailable(`the lock of the file cannot be taken: ${error.message}`, error);
      });
      if (server !== undefined) {
        return () => new Promise((resolve) => server.close(() => resolve()));
      }
      if (this.#clock.monotonicMs() >= deadlineMs) throw unavailable('another thread keeps the file locked');
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}

function unavailable(message: string, cause?: unknown): PipelineError {
  return new PipelineError('EXPORT_UNAVAILABLE', message, { permanent: false, cause });
}
