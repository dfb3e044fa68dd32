/**
 * Keeps one piscina pool of long-running workers alive: one task per worker slot, a heartbeat each, restart with a
 * budget, figures collected over a port.
 */
import { PassThrough } from 'node:stream';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { PipelineError } from '../component/errors.ts';
import type { Logger, Meter } from '../component/settings.ts';
import type { Clock } from '../stdx/clock.ts';
import type { ProfileKind } from '../stdx/profile.ts';
import type { MeterAggregate } from '../telemetry/aggregate.ts';
import {
  CONTROL_BYTES,
  FLUSH_TIMEOUT_MS,
  type FromWorker,
  type ToWorker,
  WORD_CURRENT_REQUEST,
  WORD_FLUSHING,
  WORD_HEARTBEAT,
} from './messages.ts';
import { createPool, type WorkerPool } from './warm-pool.ts';
import type { WorkerFile } from './worker-url.ts';

const HEARTBEAT_CHECK_MS = 1000;
/** No turn of the worker's loop for this long counts as hung. */
const HANG_MS = 5000;
/** The same for a thread that is not ready yet: it loads its modules without a turn, which takes long on a busy machine. */
const START_HANG_MS = 20_000;
const RESTARTS_PER_MINUTE_MAX = 5;
const RESTART_DELAY_MS = 200;
const SNAPSHOT_WAIT_MS = 500;
/** A terminated thread that is still there after this long is stuck in native code. */
const THREAD_END_MS = 10_000;

export interface SupervisorOptions {
  file: WorkerFile;
  /** Exported function of the worker file. */
  task: string;
  count: number;
  /** Makes the task of one incarnation; the port and the control block are already its own. */
  makeInit(slot: number, name: string, control: SharedArrayBuffer, port: MessagePort): object;
  /** @param suspectId request that the worker was busy with, or 0. */
  onDown(slot: number, suspectId: number): void;
  /** Nothing more can be done here: storage failed or the restart budget is used up. */
  onFatal(error: PipelineError): void;
  clock: Clock;
  logger: Logger;
  meter: Meter;
  aggregate: MeterAggregate;
  /** When one ends, the others are ended, too. */
  restartsTogether?: boolean;
  /** Threads that were made before, `count` of them; without them the supervisor makes its own. */
  pool?: WorkerPool | undefined;
  /** Instead of the default, for tests. */
  startHangMs?: number;
}

interface Slot {
  index: number;
  name: string;
  incarnation: number;
  port: MessagePort | undefined;
  control: Int32Array;
  abort: AbortController;
  lastBeat: number;
  lastBeatMs: number;
  isReady: boolean;
  /** Terminated because its loop stood still. */
  isHung: boolean;
  restartsMs: number[];
  ended: Promise<void>;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #pool: WorkerPool;
  readonly #slots: Slot[] = [];
  readonly #snapshots = new Map<number, () => void>();
  readonly #profiles = new Map<number, { text: PassThrough; slot: Slot }>();
  #nextToken = 1;
  #watch: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#pool = options.pool ?? createPool(options.file, options.task, options.count);
    // Without a listener an error of a worker would end the process; the task's rejection carries the same news.
    this.#pool.on('error', (error) => options.logger.warn('worker error', { error: String(error) }));
  }

  /** Starts every worker. @throws PipelineError of the first that could not start. */
  async start(): Promise<void> {
    const ready: Promise<void>[] = [];
    this.#watch = setInterval(() => this.#checkHeartbeats(), HEARTBEAT_CHECK_MS);
    for (let index = 0; index < this.#options.count; index++) {
      const slot: Slot = {
        index,
        name: '',
        incarnation: 0,
        port: undefined,
        control: new Int32Array(new SharedArrayBuffer(CONTROL_BYTES)),
        abort: new AbortController(),
        lastBeat: 0,
        lastBeatMs: 0,
        isReady: false,
        isHung: false,
        restartsMs: [],
        ended: Promise.resolve(),
      };
      this.#slots.push(slot);
      ready.push(new Promise((resolve, reject) => this.#spawn(slot, resolve, reject)));
    }
    await Promise.all(ready);
  }

  /** Workers that are not there: not ready yet, or dead and not replaced yet. */
  get missingCount(): number {
    return this.#options.count - this.#slots.filter((slot) => slot.isReady).length;
  }

  /** Names of the workers that are ready. */
  get threadNames(): string[] {
    return this.#slots.filter((slot) => slot.isReady).map((slot) => slot.name);
  }

  /** Text of a worker's profile; undefined when no ready worker has the name. It ends early when the worker does. */
  profile(name: string, kind: ProfileKind, seconds: number): AsyncIterable<string> | undefined {
    const slot = this.#slots.find((each) => each.isReady && each.name === name);
    if (slot === undefined) return undefined;
    const token = this.#nextToken++;
    const text = new PassThrough({ encoding: 'utf8' });
    this.#profiles.set(token, { text, slot });
    this.#send(slot, { type: 'profile', token, kind, seconds });
    return text;
  }

  #takeProfilePart(token: number, part: string | undefined): void {
    const { text } = this.#profiles.get(token) ?? {};
    if (part !== undefined) text?.write(part);
    else {
      text?.end();
      this.#profiles.delete(token);
    }
  }

  /** Asks every worker to finish, terminates those that have not by the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    clearInterval(this.#watch);
    for (const slot of this.#slots) this.#send(slot, { type: 'stop', deadlineMs });
    const { clock } = this.#options;
    const timer = setTimeout(
      () => {
        for (const slot of this.#slots) slot.abort.abort();
      },
      Math.max(deadlineMs - clock.monotonicMs(), 0),
    );
    await Promise.all(this.#slots.map((slot) => slot.ended));
    clearTimeout(timer);
    await this.#pool.destroy();
  }

  /** Brings the aggregate up to date with every living worker, waiting at most half a second for each. */
  async collect(): Promise<void> {
    await Promise.all(this.#slots.filter((slot) => slot.isReady).map((slot) => this.#collectFrom(slot)));
  }

  #collectFrom(slot: Slot): Promise<void> {
    const token = this.#nextToken++;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#snapshots.delete(token);
        resolve();
      };
      const timer = setTimeout(done, SNAPSHOT_WAIT_MS);
      this.#snapshots.set(token, done);
      this.#send(slot, { type: 'snapshot', token });
    });
  }

  #send(slot: Slot, message: ToWorker): void {
    slot.port?.postMessage(message);
  }

  #spawn(slot: Slot, resolve?: () => void, reject?: (error: Error) => void): void {
    const options = this.#options;
    slot.incarnation += 1;
    slot.name = `${options.file}-${slot.index}#${slot.incarnation}`;
    const control = new SharedArrayBuffer(CONTROL_BYTES);
    const { port1, port2 } = new MessageChannel();
    slot.port = port1;
    slot.control = new Int32Array(control);
    slot.abort = new AbortController();
    slot.lastBeat = 0;
    slot.lastBeatMs = options.clock.monotonicMs();
    slot.isReady = false;
    slot.isHung = false;
    let startError: PipelineError | undefined;
    port1.on('message', (message: FromWorker) => {
      if (message.type === 'ready') {
        slot.isReady = true;
        slot.lastBeatMs = options.clock.monotonicMs();
        resolve?.();
      } else if (message.type === 'snapshot') {
        options.aggregate.update(slot.name, message.snapshot);
        this.#snapshots.get(message.token)?.();
      } else if (message.type === 'profile') {
        this.#takeProfilePart(message.token, message.text);
      } else {
        const { code, message: text, permanent } = message.error;
        const error = new PipelineError(code, text, { permanent });
        if (message.type === 'start_failed') startError = error;
        else options.onFatal(error);
      }
    });
    const init = options.makeInit(slot.index, slot.name, control, port2);
    const gone = new Promise<void>((resolvePort) => port1.once('close', () => resolvePort()));
    const task = this.#pool.run(init, { transferList: [port2], signal: slot.abort.signal });
    slot.ended = task
      .then(
        () => undefined,
        (error: unknown) => error ?? new Error('the worker ended without a reason'),
      )
      .then(async (error: unknown) => {
        const isGone = await this.#settlesWithin(gone, this.#isStopping ? SNAPSHOT_WAIT_MS : THREAD_END_MS);
        this.#ended(slot, startError, error, isGone, reject);
      });
  }

  /**
   * The pool tells of an end before the thread has ended. Its port closes with it, behind its last messages; only
   * then may a successor open the same log.
   */
  async #settlesWithin(gone: Promise<void>, limitMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, limitMs, false);
    });
    const isGone = await Promise.race([gone.then(() => true), limit]);
    clearTimeout(timer);
    return isGone;
  }

  #ended(
    slot: Slot,
    startError: PipelineError | undefined,
    error: unknown,
    isGone: boolean,
    reject?: (error: Error) => void,
  ): void {
    const options = this.#options;
    slot.port?.close();
    slot.port = undefined;
    options.aggregate.end(slot.name);
    for (const [token, profile] of this.#profiles) {
      if (profile.slot === slot) this.#takeProfilePart(token, undefined);
    }
    if (this.#isStopping) return;
    const wasReady = slot.isReady;
    slot.isReady = false;
    if (!wasReady && slot.incarnation === 1) {
      const reason = slot.isHung ? `${slot.name} hangs before it is ready` : String(error);
      return reject?.(
        startError ?? new PipelineError('START_FAILED', reason, { permanent: true, cause: error }),
      );
    }
    options.logger.error('worker ended and is replaced', { worker: slot.name, error: String(error) });
    options.meter.counter('millrace_worker_restarts', { worker: options.file }).add(1);
    if (!isGone) {
      const message = `${slot.name} could not be ended, so nothing may open its logs again`;
      return options.onFatal(new PipelineError('WORKER_LOST', message, { permanent: true }));
    }
    options.onDown(slot.index, Atomics.load(slot.control, WORD_CURRENT_REQUEST) >>> 0);
    const nowMs = options.clock.monotonicMs();
    slot.restartsMs = slot.restartsMs.filter((atMs) => nowMs - atMs < 60_000);
    slot.restartsMs.push(nowMs);
    if (options.restartsTogether === true) this.#endOthers(slot);
    if (slot.restartsMs.length > RESTARTS_PER_MINUTE_MAX) {
      const message = `${slot.name} ended ${slot.restartsMs.length} times within a minute`;
      return options.onFatal(startError ?? new PipelineError('WORKER_LOST', message, { permanent: true }));
    }
    slot.ended = new Promise((resolve) => setTimeout(resolve, RESTART_DELAY_MS)).then(() => {
      if (!this.#isStopping) this.#spawn(slot);
    });
  }

  /** Those that were started before this one ended; its own end may be due to theirs. */
  #endOthers(ended: Slot): void {
    const others = this.#slots.filter((slot) => slot !== ended && slot.incarnation <= ended.incarnation);
    for (const other of others) other.abort.abort();
  }

  #checkHeartbeats(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const slot of this.#slots) {
      const beat = Atomics.load(slot.control, WORD_HEARTBEAT);
      if (beat !== slot.lastBeat) {
        slot.lastBeat = beat;
        slot.lastBeatMs = nowMs;
      } else if (Atomics.load(slot.control, WORD_FLUSHING) !== 0) {
        this.#checkFlush(slot, nowMs);
      } else if (slot.port !== undefined && nowMs - slot.lastBeatMs > this.#hangMs(slot)) {
        this.#options.logger.error('worker hangs and is terminated', { worker: slot.name });
        slot.isHung = true;
        slot.lastBeatMs = nowMs;
        slot.abort.abort();
      }
    }
  }

  #hangMs(slot: Slot): number {
    return slot.isReady ? HANG_MS : (this.#options.startHangMs ?? START_HANG_MS);
  }

  /** A thread that waits for the disk cannot be ended; past the limit of a flush nothing can be acknowledged. */
  #checkFlush(slot: Slot, nowMs: number): void {
    if (nowMs - slot.lastBeatMs <= FLUSH_TIMEOUT_MS) return;
    const message = `${slot.name} waits for a flush longer than ${FLUSH_TIMEOUT_MS} ms`;
    this.#options.onFatal(new PipelineError('STORAGE_FAILED', message, { permanent: false }));
  }
}
