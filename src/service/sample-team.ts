/** The worker threads of a dry run. They start before it is known what they will read: loading takes them a while. */
import { Worker } from 'node:worker_threads';
import type { FromSampleTask, SampleTaskInit } from './sample-task.ts';
import { workerUrl } from './worker-url.ts';

export type SampleDone = Extract<FromSampleTask, { type: 'done' }>;
export type SampleProgressMessage = Extract<FromSampleTask, { type: 'progress' }>;

export class SampleTeam {
  readonly #threads: Worker[];

  constructor(workers: number) {
    this.#threads = Array.from({ length: workers }, () => new Worker(workerUrl('sample-worker')));
    // What ends a thread before it has a task is told to whoever gives it one.
    for (const thread of this.#threads) thread.on('error', () => {});
  }

  get workers(): number {
    return this.#threads.length;
  }

  /**
   * Gives each thread its task. Rejects when a thread fails.
   * @param inits one for each thread; the ports in them go along.
   */
  run(
    inits: readonly SampleTaskInit[],
    onProgress: (worker: number, message: SampleProgressMessage) => void,
  ): Promise<SampleDone[]> {
    return Promise.all(
      inits.map((init, worker) => {
        const thread = this.#threads[worker]!;
        const done = taskDone(thread, (message) => onProgress(worker, message));
        thread.postMessage(
          init,
          init.exchange.ports.filter((port) => port !== undefined),
        );
        return done;
      }),
    );
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
