/** One attempt to send one batch: bounded in time, ended by a stop, and left behind when the exporter ignores both. */
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter, ExportReceipt } from '../../component/exporter.ts';
import { TIMER_MS_MAX } from '../../stdx/abortable.ts';
import type { Clock } from '../../stdx/clock.ts';
import { failpoint } from '../../stdx/failpoint.ts';
import type { DeliveryMetrics } from './delivery-metrics.ts';

/** What an exporter gets to end an attempt after its signal was aborted. */
const GRACE_MS = 5_000;
/** Attempts left behind that may be unsettled at a time: each may hold a socket, and the memory of its batch. */
const ABANDONED_MAX = 16;
const ALL_TAKEN: ExportReceipt = { rejectedCount: 0 };

export interface AttemptDependencies {
  exporter: Exporter;
  /** 0 means no limit. */
  timeoutMs: number;
  /** Instead of the usual five seconds, for tests. */
  graceMs?: number;
  clock: Clock;
  metrics: DeliveryMetrics;
  /** Aborted when the engine stops. */
  stop: AbortSignal;
}

export interface AttemptResult {
  /** Undefined when the batch was delivered. */
  error: PipelineError | undefined;
  /** Items of a delivered batch that the other side refused by themselves. */
  rejectedCount: number;
  /** The exporter has not answered and may still read the batch: its memory must not be used again. */
  isAbandoned: boolean;
}

export class AttemptRunner {
  readonly #deps: AttemptDependencies;
  #abandonedCount = 0;

  constructor(deps: AttemptDependencies) {
    this.#deps = deps;
  }

  /** Never rejects. A result that comes after the attempt was left behind is ignored: the batch is sent again. */
  async run(batch: ExportBatch): Promise<AttemptResult> {
    const { exporter, clock, metrics, stop } = this.#deps;
    const attempt = new AbortController();
    let leave!: (reason: 'stopped' | 'abandoned') => void;
    const left = new Promise<'stopped' | 'abandoned'>((resolve) => {
      leave = resolve;
    });
    const onStop = () => {
      attempt.abort();
      leave('stopped');
    };
    if (stop.aborted) onStop();
    stop.addEventListener('abort', onStop, { once: true });
    const timeoutMs = batch.readSlices === undefined ? this.#deps.timeoutMs : 0;
    const timers = this.#startTimers(timeoutMs, attempt, () => leave('abandoned'));
    const startedMs = clock.monotonicMs();
    try {
      failpoint('exporter.before_send');
      const sent = exporter.export(batch, attempt.signal);
      const end = await Promise.race([sent.then((receipt) => receipt ?? ALL_TAKEN), left]);
      if (end === 'abandoned') return this.#abandon(sent);
      // A stop does not wait for an exporter that ignores its signal.
      if (end === 'stopped') return { error: stoppingError(), rejectedCount: 0, isAbandoned: true };
      failpoint('exporter.sent');
      return { error: undefined, rejectedCount: end.rejectedCount, isAbandoned: false };
    } catch (error) {
      const cause = this.#classify(error, attempt.signal.aborted);
      return { error: cause, rejectedCount: 0, isAbandoned: false };
    } finally {
      timers.clear();
      stop.removeEventListener('abort', onStop);
      metrics.exportCall.record((clock.monotonicMs() - startedMs) * 1000);
    }
  }

  #startTimers(limitMs: number, attempt: AbortController, leave: () => void): { clear(): void } {
    const timeoutMs = Math.min(limitMs, TIMER_MS_MAX);
    if (timeoutMs <= 0) return { clear: () => undefined };
    let timer = setTimeout(() => {
      attempt.abort();
      timer = setTimeout(() => {
        // Too many hang already: this one holds its slot until it settles, so that their number has an end.
        if (this.#abandonedCount < ABANDONED_MAX) leave();
      }, this.#deps.graceMs ?? GRACE_MS);
    }, timeoutMs);
    return { clear: () => clearTimeout(timer) };
  }

  #abandon(sent: Promise<unknown>): AttemptResult {
    this.#abandonedCount++;
    this.#deps.metrics.abandoned.add(1);
    const settled = () => {
      this.#abandonedCount--;
    };
    sent.then(settled, settled);
    return { error: this.#timeoutError(undefined), rejectedCount: 0, isAbandoned: true };
  }

  #classify(error: unknown, isAborted: boolean): PipelineError {
    if (isAborted && !this.#deps.stop.aborted) return this.#timeoutError(error);
    if (error instanceof PipelineError) return error;
    // Whatever an exporter did not classify may work next time: only known errors may drop data.
    return new PipelineError('INTERNAL', String(error), { permanent: false, cause: error });
  }

  #timeoutError(cause: unknown): PipelineError {
    const message = `no answer within ${this.#deps.timeoutMs} ms`;
    return new PipelineError('EXPORT_TIMEOUT', message, { permanent: false, cause });
  }
}

function stoppingError(): PipelineError {
  return new PipelineError('SHUTTING_DOWN', 'the engine is stopping', { permanent: false });
}
