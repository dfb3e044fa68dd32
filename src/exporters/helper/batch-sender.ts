/** From one frozen batch to its end: attempts with retries, then delivered, dead-lettered, dropped, or kept. */
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter } from '../../component/exporter.ts';
import type { DeliveryConfig } from '../../component/factory.ts';
import type { Logger } from '../../component/settings.ts';
import { sleepUnlessAborted } from '../../stdx/abortable.ts';
import { backoffMs } from '../../stdx/backoff.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Prng } from '../../stdx/prng.ts';
import { type AttemptDependencies, AttemptRunner } from './attempt.ts';
import { BatchParts } from './batch-parts.ts';
import type { DeadLetterSink } from './dead-letters.ts';
import type { DeliveryMetrics } from './delivery-metrics.ts';
import type { ExporterSpans } from './exporter-spans.ts';
import { type FailedPart, isolatePoison, type PartOutcome } from './poison.ts';
import type { SendThrottle } from './send-throttle.ts';

const RETRY_AFTER_MAX_MS = 300_000;
/** Between two tries to write dead letters. */
const DEAD_LETTER_RETRY_MS = 5_000;

export interface SenderDependencies {
  exporter: Exporter;
  config: DeliveryConfig;
  /** Longest time from the first attempt to giving up on a retryable error; 0 means for ever. */
  maxElapsedMs: number;
  /** Where refused items go; without it they are dropped. */
  deadLetters: DeadLetterSink | undefined;
  clock: Clock;
  prng: Prng;
  logger: Logger;
  metrics: DeliveryMetrics;
  throttle: SendThrottle;
  /** Told of items that are neither delivered nor dead-lettered, before their batch ends. */
  onGivenUp?: () => void;
  /** undefined: no spans. */
  spans?: ExporterSpans | undefined;
  /** Aborted when the engine stops. */
  stop: AbortSignal;
  graceMs?: number;
}

export interface SendEnd {
  /** Nothing of the batch is left to do; otherwise it has to stay in the log. */
  isFinished: boolean;
  /** An attempt that was left behind may still read the batch's memory. */
  isAbandoned: boolean;
}

/** Parts of one batch share it. */
interface SendState {
  isAbandoned: boolean;
  sentCount: number;
  error: string | undefined;
}

export class BatchSender {
  readonly #deps: SenderDependencies;
  readonly #attempts: AttemptRunner;
  /** Nothing of the last refused batch went through: the next one is not searched to the item. */
  #isHopeless = false;

  constructor(deps: SenderDependencies) {
    this.#deps = deps;
    const { exporter, config, clock, metrics, stop, graceMs } = deps;
    const attempt: AttemptDependencies = { exporter, timeoutMs: config.timeoutMs, clock, metrics, stop };
    this.#attempts = new AttemptRunner(graceMs === undefined ? attempt : { ...attempt, graceMs });
  }

  /** Never rejects. */
  async send(batch: ExportBatch): Promise<SendEnd> {
    const state: SendState = { isAbandoned: false, sentCount: 0, error: undefined };
    const span = this.#deps.spans?.start();
    const outcome = await this.#sendWithRetries(batch, state);
    if (outcome === 'delivered') this.#isHopeless = false;
    let isFinished = outcome !== 'stopped';
    if (outcome instanceof PipelineError) isFinished = await this.#isolate(batch, outcome, state);
    span?.end(batch.itemCount, state.sentCount, isFinished, state.error);
    return { isFinished, isAbandoned: state.isAbandoned };
  }

  /** The error is one that the same bytes would meet again. */
  async #sendWithRetries(batch: ExportBatch, state: SendState): Promise<PartOutcome> {
    const { config, metrics, clock, maxElapsedMs, throttle, stop } = this.#deps;
    if (throttle.isOn && (await throttle.pass(stop, Number.POSITIVE_INFINITY)) === 'stopped')
      return 'stopped';
    const startedMs = clock.monotonicMs();
    for (let retry = 0; ; retry++) {
      const { epoch } = throttle;
      const { error, rejectedCount, isAbandoned } = await this.#attempts.run(batch);
      state.isAbandoned ||= isAbandoned;
      if (error === undefined) {
        throttle.taken();
        metrics.sent(batch.itemCount, batch.sizeBytes, rejectedCount);
        state.sentCount += batch.itemCount - rejectedCount;
        return 'delivered';
      }
      if (stop.aborted) return 'stopped';
      state.error = error.message;
      if (error.permanent) return error;
      const hintMs = Math.min(Math.max(error.retryAfterMs || 0, 0), RETRY_AFTER_MAX_MS);
      if (error.isThrottled) throttle.refused(epoch, hintMs, error.message);
      if (!config.retry.enabled) return this.#drop(batch, error, 'not retryable');
      const waitMs = Math.max(backoffMs(config.retry, retry, this.#deps.prng), hintMs);
      const elapsedMs = clock.monotonicMs() + waitMs - startedMs;
      if (maxElapsedMs > 0 && elapsedMs > maxElapsedMs)
        return this.#drop(batch, error, 'no more retries left');
      metrics.willRetry();
      this.#deps.logger.info('export failed, will be tried again', {
        error: error.message,
        code: error.code,
        interval_ms: Math.round(waitMs),
        items: batch.itemCount,
      });
      if (!(await sleepUnlessAborted(waitMs, stop))) return 'stopped';
      if (!throttle.isOn) continue;
      const deadlineMs = maxElapsedMs > 0 ? startedMs + maxElapsedMs : Number.POSITIVE_INFINITY;
      const passage = await throttle.pass(stop, deadlineMs);
      if (passage === 'stopped') return 'stopped';
      if (passage === 'late') return this.#drop(batch, error, 'no more retries left');
    }
  }

  #drop(batch: ExportBatch, error: PipelineError, reason: string): 'dropped' {
    this.#deps.onGivenUp?.();
    this.#deps.metrics.dropped(batch.itemCount, error);
    this.#deps.logger.error('export failed, data is dropped', {
      reason,
      error: error.message,
      code: error.code,
      dropped_items: batch.itemCount,
      batch_id: batch.batchId,
    });
    return 'dropped';
  }

  /** Delivers what the backend takes of a refused batch and sets the rest aside; false when stopped. */
  async #isolate(batch: ExportBatch, error: PipelineError, state: SendState): Promise<boolean> {
    const parts = partsOf(batch);
    if (parts === undefined)
      return this.#drop(batch, error, 'not retryable, and cannot be split') === 'dropped';
    const found = await isolatePoison(
      parts.itemCount,
      error,
      ({ from, to }) => this.#sendWithRetries(parts.part(from, to), state),
      { isHopeless: this.#isHopeless },
    );
    if (found.isStopped) return false;
    this.#isHopeless = !found.hasDelivered && batch.itemCount > 1;
    if (found.failed.length === 0) return true;
    if (this.#deps.deadLetters === undefined) {
      for (const { from, to, error: cause } of found.failed)
        this.#drop(parts.part(from, to), cause, 'not retryable');
      return true;
    }
    return this.#setAside(this.#deps.deadLetters, batch, parts, found.failed);
  }

  async #setAside(
    deadLetters: DeadLetterSink,
    batch: ExportBatch,
    parts: BatchParts,
    failed: readonly FailedPart[],
  ): Promise<boolean> {
    const { logger, metrics, stop } = this.#deps;
    const count = failed.reduce((sum, { from, to }) => sum + to - from, 0);
    for (;;) {
      try {
        const droppedCount = await deadLetters.write(batch, parts, failed);
        if (droppedCount > 0) {
          metrics.deadLettersDropped.add(droppedCount);
          logger.error('the oldest dead letters are dropped: their files have reached their limit', {
            dropped_items: droppedCount,
          });
        }
        break;
      } catch (cause) {
        // Neither delivered nor written down: the batch stays in the log until one of both is possible.
        logger.error('dead letters cannot be written, will be tried again', { error: String(cause) });
        if (!(await sleepUnlessAborted(DEAD_LETTER_RETRY_MS, stop))) return false;
      }
    }
    const [{ error }] = failed as [FailedPart];
    metrics.deadLettered(count, error);
    logger.error('export refused for good, items are dead-lettered', {
      error: error.message,
      code: error.code,
      items: count,
      of_items: batch.itemCount,
      batch_id: batch.batchId,
      directory: deadLetters.directory,
    });
    return true;
  }
}

/** Undefined for bytes that are no requests. None such are stored, but a batch of them must not stop the others. */
function partsOf(batch: ExportBatch): BatchParts | undefined {
  // Too large to be cut in memory; its exporter refuses what it must by itself.
  if (batch.readSlices !== undefined) return undefined;
  try {
    return new BatchParts(batch);
  } catch {
    return undefined;
  }
}
