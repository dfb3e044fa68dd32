/** What every worker thread needs before its own work: logger, meter, failpoints and the port to the supervisor. */
import type { MessagePort } from 'node:worker_threads';
import { PipelineError } from '../component/errors.ts';
import type { Logger } from '../component/settings.ts';
import { type Clock, systemClock } from '../stdx/clock.ts';
import { failpoint, setFailpoints } from '../stdx/failpoint.ts';
import { type ProfileKind, takeProfile } from '../stdx/profile.ts';
import { createLogger, type LoggerOptions } from '../telemetry/logger.ts';
import { type MeterSnapshot, ThreadMeter } from '../telemetry/registry.ts';
import { ThreadTracer, type TracerOptions } from '../telemetry/tracer.ts';
import { type FromWorker, type ToWorker, WORD_HEARTBEAT } from './messages.ts';

const BEAT_MS = 250;

export interface RuntimeInit {
  name: string;
  port: MessagePort;
  control: SharedArrayBuffer;
  logger: LoggerOptions;
  tracing: TracerOptions | undefined;
  failpoints: string | undefined;
}

export class WorkerRuntime {
  readonly clock: Clock = systemClock;
  readonly meter = new ThreadMeter();
  readonly tracer: ThreadTracer;
  readonly logger: Logger;
  readonly control: Int32Array;
  readonly #port: MessagePort;
  readonly #beat: NodeJS.Timeout;
  readonly #failpoints: string | undefined;

  /** @param onStop called once, with the deadline in monotonic ms. */
  constructor(init: RuntimeInit, onStop: (deadlineMs: number) => void) {
    this.#failpoints = init.failpoints;
    this.logger = createLogger(init.logger, this.clock).child({ worker: init.name });
    this.tracer = new ThreadTracer(this.clock, init.tracing);
    this.control = new Int32Array(init.control);
    this.#port = init.port;
    // A thread that hangs stops this timer, which is how the supervisor knows. It also keeps the thread alive
    // while it sleeps on a ring: Atomics.waitAsync alone does not.
    this.#beat = setInterval(() => Atomics.add(this.control, WORD_HEARTBEAT, 1), BEAT_MS);
    init.port.on('message', (message: ToWorker) => {
      if (message.type === 'stop') onStop(message.deadlineMs);
      else if (message.type === 'profile') void this.#profile(message.token, message.kind, message.seconds);
      else this.send({ type: 'snapshot', token: message.token, snapshot: this.#takeSnapshot() });
    });
  }

  #takeSnapshot(): MeterSnapshot {
    return { ...this.meter.takeSnapshot(), spans: this.tracer.take() };
  }

  send(message: FromWorker): void {
    this.#port.postMessage(message);
  }

  /**
   * Runs the worker's life; start-up errors reach the supervisor with their code before the thread ends. After an
   * error the thread itself ends, by that error: an open log must not outlive the task in a thread that a pool keeps.
   */
  async live(start: () => Promise<void>, run: () => Promise<void>): Promise<void> {
    try {
      await this.#start(start).catch((error: unknown) => {
        const known = error instanceof PipelineError ? error : undefined;
        const failure =
          known ?? new PipelineError('START_FAILED', String(error), { permanent: true, cause: error });
        this.send({ type: 'start_failed', error: failure.toMessage() });
        throw failure;
      });
      this.send({ type: 'ready' });
      await run();
      this.#end();
    } catch (error) {
      // A successor would find the same disk: the process has to end with the code that says so.
      if (error instanceof PipelineError && error.code === 'STORAGE_FAILED')
        this.send({ type: 'storage_failed', error: error.toMessage() });
      this.#end();
      setImmediate(() => {
        throw error;
      });
      await new Promise(() => undefined);
    }
  }

  async #profile(token: number, kind: ProfileKind, seconds: number): Promise<void> {
    try {
      for await (const text of takeProfile(kind, seconds)) this.send({ type: 'profile', token, text });
    } catch (error) {
      this.logger.error('a profile could not be taken', { kind, error: String(error) });
    }
    this.send({ type: 'profile', token, text: undefined });
  }

  async #start(start: () => Promise<void>): Promise<void> {
    setFailpoints(this.#failpoints);
    failpoint('worker.start');
    await start();
  }

  /** The last figures count too: they are what the final scrape and the exit summary show. */
  #end(): void {
    this.send({ type: 'snapshot', token: 0, snapshot: this.#takeSnapshot() });
    clearInterval(this.#beat);
    this.#port.close();
  }
}
