/** One run of the store process, from its start to its end. Lives on the main thread. */
import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Logger } from '../../component/settings.ts';
import { childEnvironment } from '../../stdx/child-env.ts';
import {
  BEAT_INTERVAL_MS,
  type FailureReason,
  type StoreCommand,
  type StoreOptions,
  type StoreReport,
} from './messages.ts';

export type StoreOpening =
  | { isReady: true; port: number; version: string }
  | { isReady: false; reason: FailureReason | 'died' | 'timeout'; message: string };

export interface StoreChildOptions {
  store: StoreOptions;
  startTimeoutMs: number;
  heartbeatTimeoutMs: number;
  logger: Logger;
}

/** Compiled files are .js, sources .ts; the entry lies beside this tree with this file's own extension. */
function entryUrl(): URL {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`../../../workers/store-process${extension}`, import.meta.url);
}

/** Lines of a crash report that are passed on. */
const ERROR_LINES_MAX = 50;

export class StoreChild {
  readonly #child: ChildProcess;
  readonly #logger: Logger;
  readonly #options: StoreChildOptions;
  /** Settles once: the store serves requests, or never will. Never rejects. */
  readonly opened: Promise<StoreOpening>;
  /** Resolves with a text for the log when the process is gone. */
  readonly ended: Promise<string>;
  #silentBeats = 0;
  #watch: NodeJS.Timeout | undefined;
  #reasonKilled: string | undefined;

  constructor(options: StoreChildOptions) {
    this.#options = options;
    this.#logger = options.logger;
    const { store } = options;
    // Each running query holds a thread of libuv's pool; file and socket work needs some as well.
    const threads = store.insertSessions + 2 * store.querySessions + 6;
    this.#child = fork(entryUrl(), [], {
      // chDB takes SIGSEGV for itself, and V8's own use of it for WebAssembly would hang the process.
      execArgv: ['--disable-wasm-trap-handler'],
      env: childEnvironment({ UV_THREADPOOL_SIZE: String(threads) }),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.ended = new Promise((resolve) => {
      // Only when there is no process at all; otherwise its exit is what counts.
      this.#child.once('error', (error) => {
        if (this.#child.pid === undefined) resolve(error.message);
      });
      this.#child.once('exit', (code, signal) => {
        clearInterval(this.#watch);
        resolve(this.#reasonKilled ?? (signal === null ? `exit code ${code}` : `signal ${signal}`));
      });
    });
    this.opened = this.#open();
    this.#logErrors();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Asks the process to finish what runs and to close its data. */
  close(withinMs: number): void {
    this.#send({ type: 'close', withinMs });
  }

  kill(reason: string): void {
    this.#reasonKilled ??= reason;
    // Nothing else ends a process whose crash handler sleeps.
    this.#child.kill('SIGKILL');
  }

  #open(): Promise<StoreOpening> {
    const { startTimeoutMs, store } = this.#options;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.kill('it did not open its data in time');
        resolve({ isReady: false, reason: 'timeout', message: `no answer within ${startTimeoutMs} ms` });
      }, startTimeoutMs);
      const finish = (opening: StoreOpening) => {
        clearTimeout(timer);
        resolve(opening);
      };
      this.#child.once('error', (error) =>
        finish({ isReady: false, reason: 'died', message: error.message }),
      );
      void this.ended.then((message) => finish({ isReady: false, reason: 'died', message }));
      this.#child.on('message', (report: StoreReport) => {
        this.#silentBeats = 0;
        if (report.type === 'failed') {
          finish({ isReady: false, reason: report.reason, message: report.message });
          // It has nothing open any more.
          this.kill('it could not open its data');
        } else if (report.type === 'crashed') {
          this.kill(`its thread ${report.thread} has crashed`);
        } else if (report.type === 'ready') {
          this.#startWatch();
          finish({ isReady: true, port: report.port, version: report.version });
        }
      });
      this.#send({ type: 'open', options: store });
    });
  }

  /** Counts beats instead of measuring time: a pause of this thread must not look like silence of the other side. */
  #startWatch(): void {
    const silentBeatsMax = Math.ceil(this.#options.heartbeatTimeoutMs / BEAT_INTERVAL_MS);
    this.#watch = setInterval(() => {
      this.#silentBeats += 1;
      if (this.#silentBeats > silentBeatsMax) {
        this.kill(`it was silent for ${this.#options.heartbeatTimeoutMs} ms`);
      }
    }, BEAT_INTERVAL_MS);
    this.#watch.unref();
  }

  #send(command: StoreCommand): void {
    // A process that has ended says so by itself.
    if (this.#child.connected) this.#child.send(command, () => {});
  }

  #logErrors(): void {
    let lines = 0;
    const reader = createInterface({ input: this.#child.stderr! });
    reader.on('line', (line) => {
      lines += 1;
      if (lines <= ERROR_LINES_MAX) this.#logger.warn('store process wrote', { line: line.slice(0, 1000) });
    });
  }
}
