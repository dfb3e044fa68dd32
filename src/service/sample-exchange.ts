/**
 * What the workers of a dry run tell each other: each takes the next batch that nobody has taken yet, sends the words
 * about the traces that another one decides, and applies the batches of all of them in their order. No message passes
 * through the main thread.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { SamplingTrial } from '../component/sampling-trial.ts';

/**
 * Batches that a worker may be ahead of the slowest one, for each worker: as many as are read while a thread is still
 * loading its modules.
 */
const AHEAD_MAX = 96;
const WAIT_MS = 20;
/*
 * Words of the shared memory: a number that changes with every message, the batch that nobody has taken yet, then the
 * batches that each worker applied.
 */
const WORD_NEWS = 0;
const WORD_UNTAKEN = 1;
const WORD_APPLIED = 2;

export interface ExchangeInit {
  worker: number;
  workers: number;
  /** To each other worker; undefined for itself. */
  ports: (MessagePort | undefined)[];
  shared: SharedArrayBuffer;
}

export function exchangeMemory(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer((WORD_APPLIED + workers) * Int32Array.BYTES_PER_ELEMENT);
}

/** Nothing instead of it: the worker has sent its last one. */
interface BatchMessage {
  batch: number;
  words: Uint32Array;
}

export class SampleExchange {
  readonly #init: ExchangeInit;
  readonly #trial: SamplingTrial;
  readonly #shared: Int32Array;
  /** Words of the batches that came before it was their turn; `isAhead` bounds them. */
  readonly #waiting = new Map<number, Uint32Array>();
  /** The batch to be applied next. */
  #next = 0;
  #ended = 0;

  constructor(init: ExchangeInit, trial: SamplingTrial) {
    this.#init = init;
    this.#trial = trial;
    this.#shared = new Int32Array(init.shared);
  }

  /** Number of a batch that this worker is to read, larger with every call; there may not be so many. */
  takeBatch(): number {
    return Atomics.add(this.#shared, WORD_UNTAKEN, 1);
  }

  /** Sends what the trial has gathered of that batch. */
  send(batch: number): void {
    const { worker, workers, ports } = this.#init;
    for (let owner = 0; owner < workers; owner++) {
      const words = this.#trial.take(owner);
      const message: BatchMessage = { batch, words };
      if (owner !== worker) ports[owner]!.postMessage(message, [words.buffer as ArrayBuffer]);
      else this.#waiting.set(batch, words);
    }
    this.#tell();
    this.receive();
  }

  /** This worker sends nothing any more. */
  end(): void {
    for (const port of this.#init.ports) port?.postMessage(undefined);
    this.#ended++;
    this.#tell();
    this.receive();
  }

  #tell(): void {
    Atomics.add(this.#shared, WORD_NEWS, 1);
    Atomics.notify(this.#shared, WORD_NEWS);
  }

  /** Takes what has come, and applies what is next. */
  receive(): void {
    for (const port of this.#init.ports) {
      if (port === undefined) continue;
      for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
        const message = got.message as BatchMessage | undefined;
        if (message === undefined) this.#ended++;
        else this.#waiting.set(message.batch, message.words);
      }
    }
    for (;;) {
      const words = this.#waiting.get(this.#next);
      if (words === undefined) return;
      this.#waiting.delete(this.#next);
      this.#apply(words);
    }
  }

  #apply(words: Uint32Array): void {
    this.#trial.apply(words);
    this.#next++;
    Atomics.store(this.#shared, WORD_APPLIED + this.#init.worker, this.#next);
    this.#tell();
  }

  /** Waits, for a moment at most, until there may be news, and takes them. */
  wait(): void {
    const news = Atomics.load(this.#shared, WORD_NEWS);
    const before = this.#next;
    this.receive();
    if (this.#next === before) Atomics.wait(this.#shared, WORD_NEWS, news, WAIT_MS);
    this.receive();
  }

  /** Whether the slowest worker is far behind a batch. */
  isAhead(batch: number): boolean {
    const { workers } = this.#init;
    let slowest = Number.POSITIVE_INFINITY;
    for (let worker = 0; worker < workers; worker++)
      slowest = Math.min(slowest, Atomics.load(this.#shared, WORD_APPLIED + worker));
    return batch - slowest > AHEAD_MAX * workers;
  }

  /** Every batch of every worker was applied. */
  get isDone(): boolean {
    return this.#ended === this.#init.workers && this.#waiting.size === 0;
  }
}
