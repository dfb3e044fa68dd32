/**
 * What the workers of a dry run tell each other: each sends the words about the traces that another one decides, batch
 * by batch, and takes the batches of all of them in their order. No message passes through the main thread.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { SamplingTrial } from '../component/sampling-trial.ts';

/** Batches that a worker may be ahead of the slowest one, for each worker. */
const AHEAD_MAX = 32;
const WAIT_MS = 20;
/* Words of the shared memory: a number that changes with every message, then the batches that each worker applied. */
const WORD_NEWS = 0;
const WORD_APPLIED = 1;

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

interface Inbox {
  batches: Uint32Array[];
  hasEnded: boolean;
}

export class SampleExchange {
  readonly #init: ExchangeInit;
  readonly #trial: SamplingTrial;
  readonly #shared: Int32Array;
  readonly #inboxes: Inbox[];
  /** The batch to be applied next. */
  #next = 0;

  constructor(init: ExchangeInit, trial: SamplingTrial) {
    this.#init = init;
    this.#trial = trial;
    this.#shared = new Int32Array(init.shared);
    this.#inboxes = Array.from({ length: init.workers }, () => ({ batches: [], hasEnded: false }));
  }

  /** Sends what the trial has gathered as one batch. */
  send(): void {
    const { worker, workers, ports } = this.#init;
    for (let owner = 0; owner < workers; owner++) {
      const words = this.#trial.take(owner);
      if (owner !== worker) ports[owner]!.postMessage(words, [words.buffer as ArrayBuffer]);
      else this.#inboxes[worker]!.batches.push(words);
    }
    this.#tell();
    this.receive();
  }

  end(): void {
    const { worker, ports } = this.#init;
    for (const port of ports) port?.postMessage(undefined);
    this.#inboxes[worker]!.hasEnded = true;
    this.#tell();
    this.receive();
  }

  #tell(): void {
    Atomics.add(this.#shared, WORD_NEWS, 1);
    Atomics.notify(this.#shared, WORD_NEWS);
  }

  /** Takes what has come, and applies what is next. */
  receive(): void {
    for (const [peer, port] of this.#init.ports.entries()) {
      if (port === undefined) continue;
      for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
        const message = got.message as Uint32Array | undefined;
        if (message === undefined) this.#inboxes[peer]!.hasEnded = true;
        else this.#inboxes[peer]!.batches.push(message);
      }
    }
    for (;;) {
      const words = this.#inboxes[this.#next % this.#init.workers]!.batches.shift();
      if (words === undefined) return;
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
    const { batches, hasEnded } = this.#inboxes[this.#next % this.#init.workers]!;
    return hasEnded && batches.length === 0;
  }
}
