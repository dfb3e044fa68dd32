/**
 * The threads of a dry run: this one, and a worker thread for each further worker. The worker threads start before it
 * is known what they will read, because loading takes them a while; this thread has everything loaded, and its
 * functions may already be compiled.
 */
import { Worker } from 'node:worker_threads';
import { loadSamplingTrial } from '../registry/sampling-trial.ts';
import { type FromSampleTask, runSampleTask, type SampleTaskInit } from './sample-task.ts';
import { workerUrl } from './worker-url.ts';

export type SampleDone = Extract<FromSampleTask, { type: 'done' }>;
export type SampleProgressMessage = Extract<FromSampleTask, { type: 'progress' }>;

export class SampleTeam {
  readonly workers: number;
  readonly #threads: Worker[];
  /** Why a thread ended before it was done. */
  #failure: unknown;

  constructor(workers: number) {
    this.workers = workers;
    this.#threads = Array.from({ length: workers - 1 }, () => new Worker(workerUrl('sample-worker')));
    for (const thread of this.#threads) {
      let isDone = false;
      thread.on('message', ({ type }: FromSampleTask) => {
        isDone ||= type === 'done';
      });
      thread.on('error', (error) => {
        this.#failure ??= error;
      });
      thread.on('exit', (code) => {
        if (!isDone) this.#failure ??= new Error(`a worker ended with exit code ${code}`);
      });
    }
  }

  /**
   * Does the work. Rejects when a thread fails; the others go on until the team is closed.
   * @param inits one for each worker; the ports in them go along.
   */
  async run(
    inits: readonly SampleTaskInit[],
    onProgress: (worker: number, message: SampleProgressMessage) => void,
  ): Promise<SampleDone[]> {
    const [own, ...others] = inits as [SampleTaskInit, ...SampleTaskInit[]];
    const away = others.map((init, at) => {
      const thread = this.#threads[at]!;
      const done = taskDone(thread, (message) => onProgress(at + 1, message));
      const ports = init.exchange.ports.filter((port) => port !== undefined);
      thread.postMessage(init, ports);
      return done;
    });
    const all = Promise.all(away);
    // It is awaited behind the work of this thread.
    all.catch(() => undefined);
    let done: SampleDone | undefined;
    await loadSamplingTrial();
    await runSampleTask(own, {
      post: (message) => {
        if (message.type === 'done') done = message;
        else onProgress(0, message);
      },
      check: () => {
        if (this.#failure !== undefined) throw this.#failure;
      },
    });
    for (const port of own.exchange.ports) port?.close();
    return [done!, ...(await all)];
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}

function taskDone(thread: Worker, onProgress: (message: SampleProgressMessage) => void): Promise<SampleDone> {
  return new Promise((resolve, reject) => {
    thread.on('message', (message: FromSampleTask) => {
      if (message.type === 'done') resolve(message);
      else onProgress(message);
    });
    thread.on('error', reject);
    thread.on('exit', (code) => reject(new Error(`a worker ended with exit code ${code}`)));
    if (thread.threadId < 0) reject(new Error('a worker ended before it had anything to do'));
  });
}
