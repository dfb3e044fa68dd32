/**
 * What all consumers of one exporter instance share while its backend takes less than it is sent. Backoff alone lets each
 * batch wait by itself: the others go on, and the refusals with them.
 *
 * | the backend                                | what happens                                                              |
 * | ------------------------------------------ | ------------------------------------------------------------------------- |
 * | refuses, and names a delay                 | no request begins before it is over                                       |
 * | refuses a request sent at the newest rate  | the rate falls below what was taken lately; requests begin one by one     |
 * | refuses one sent before the rate fell      | nothing more: it says nothing about the new rate                          |
 * | refuses one in many before, names no delay | nothing: stores do that now and then                                      |
 * | refuses all, whatever the rate             | half the rate each time, and twice the rate for each that is taken again  |
 * | takes                                      | the rate grows with time, slowly near what was refused, faster beyond     |
 * | refuses nothing for a minute or two        | nothing is limited any more                                               |
 *
 * A request that was refused waits for its own backoff first; here it is only told when to go on.
 */
import type { DeliveryConfig } from '../../component/factory.ts';
import type { Counter, Gauge, Logger, Meter } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { TIMER_MS_MAX } from '../../stdx/abortable.ts';
import type { Clock } from '../../stdx/clock.ts';
import { Prng } from '../../stdx/prng.ts';
import { ThrottleRate } from './throttle-rate.ts';

/** What timers are late by may be caught up, but no more: a pause does not add up to a burst. */
const CATCH_UP_MS = 50;

export interface SendThrottleSettings {
  /** Of the exporter. */
  id: string;
  signal: Signal;
  clock: Clock;
  meter: Meter;
  logger: Logger;
}

/** `late`: the deadline came first. */
export type Passage = 'go' | 'late' | 'stopped';

interface Waiter {
  deadlineMs: number;
  leave(how: Passage): void;
}

export class SendThrottle {
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #logger: Logger;
  readonly #attempts: Counter;
  readonly #limit: Gauge;
  readonly #rate: ThrottleRate;
  /** In the order in which they came; one for each consumer at most. */
  readonly #waiters = new Set<Waiter>();
  #isOn = false;
  #epoch = 0;
  #nextMs = 0;
  #heldUntilMs = 0;
  #beganMs = 0;
  #refusedCount = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ retry, queue: { numConsumers } }: DeliveryConfig, settings: SendThrottleSettings) {
    const { id, signal, clock, meter, logger } = settings;
    this.#clock = clock;
    this.#prng = new Prng(clock.unixMs() >>> 0);
    this.#logger = logger;
    const labels = { exporter: id, data_type: signal };
    this.#attempts = meter.counter('millrace_exporter_throttled_attempts', labels);
    this.#limit = meter.gauge('millrace_exporter_request_limit', labels);
    // What consumers that wait by themselves would send: all with the first backoff, one or all with the longest.
    const floor = 1000 / Math.max(retry.maxIntervalMs, 1);
    this.#rate = new ThrottleRate({
      entry: (1000 * numConsumers) / Math.max(retry.initialIntervalMs, 1),
      floor,
      pauseFloor: floor * numConsumers,
    });
  }

  /** Whether requests have to ask before they begin. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Of the request that begins now; `refused` wants it back. */
  get epoch(): number {
    return this.#epoch;
  }

  taken(): void {
    this.#rate.noteTaken(this.#clock.monotonicMs());
  }

  /**
   * @param epoch of the request, from when it began.
   * @param holdMs delay that the backend named; 0: none.
   */
  refused(epoch: number, holdMs: number, reason: string): void {
    const nowMs = this.#clock.monotonicMs();
    this.#attempts.add(1);
    this.#refusedCount += 1;
    const isOften = this.#rate.noteRefused(nowMs);
    if (epoch === this.#epoch && (this.#isOn || isOften || holdMs > 0)) {
      this.#rate.fall(nowMs, !this.#isOn);
      this.#epoch += 1;
      if (!this.#isOn) this.#begin(nowMs, reason);
      this.#nextMs = Math.max(this.#nextMs, nowMs + this.#intervalMs(nowMs));
    }
    if (holdMs > 0) this.#hold(nowMs + holdMs);
    this.#plan();
  }

  /**
   * Waits for the turn of one request. Call it only while `isOn`.
   * @param deadlineMs monotonic; Infinity: none.
   */
  pass(signal: AbortSignal, deadlineMs: number): Promise<Passage> {
    if (signal.aborted) return Promise.resolve('stopped');
    return new Promise((resolve) => {
      const onAbort = () => {
        waiter.leave('stopped');
        this.#plan();
      };
      const waiter: Waiter = {
        deadlineMs,
        leave: (how) => {
          this.#waiters.delete(waiter);
          signal.removeEventListener('abort', onAbort);
          resolve(how);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      this.#release();
    });
  }

  /** Whoever waits still does until the signal of its own. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #begin(nowMs: number, reason: string): void {
    this.#isOn = true;
    this.#beganMs = nowMs;
    this.#nextMs = nowMs;
    this.#refusedCount = 1;
    this.#logger.warn('the backend takes less than it is sent: requests are slowed down', {
      error: reason,
      requests_per_second: rounded(this.#rate.perSecond(nowMs)),
    });
  }

  #end(nowMs: number): void {
    this.#isOn = false;
    this.#limit.set(0);
    this.#logger.info('the backend takes what it is sent again: requests are not slowed down any more', {
      refused_requests: this.#refusedCount,
      duration_ms: Math.round(nowMs - this.#beganMs),
    });
    for (const waiter of this.#waiters) waiter.leave('go');
  }

  /** Not all engines that were told so begin again at the same moment. */
  #hold(untilMs: number): void {
    this.#heldUntilMs = Math.max(this.#heldUntilMs, untilMs);
    this.#rate.hold(this.#heldUntilMs);
    const spreadMs = this.#prng.nextFloat() * this.#intervalMs(this.#heldUntilMs);
    this.#nextMs = Math.max(this.#nextMs, this.#heldUntilMs + spreadMs);
  }

  #intervalMs(nowMs: number): number {
    const perSecond = this.#rate.perSecond(nowMs);
    this.#limit.set(perSecond);
    return 1000 / perSecond;
  }

  /** Lets go who may, and comes back for the others. */
  #release(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#isOn && nowMs >= this.#rate.calmAtMs) this.#end(nowMs);
    for (const waiter of this.#waiters) {
      if (nowMs >= waiter.deadlineMs) waiter.leave('late');
      else if (nowMs >= this.#nextMs) {
        this.#nextMs = Math.max(this.#nextMs, nowMs - CATCH_UP_MS) + this.#intervalMs(nowMs);
        waiter.leave('go');
      }
    }
    this.#plan();
  }

  #plan(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isOn) return;
    let dueMs = this.#waiters.size > 0 ? this.#nextMs : this.#rate.calmAtMs;
    for (const { deadlineMs } of this.#waiters) dueMs = Math.min(dueMs, deadlineMs);
    const waitMs = Math.max(Math.ceil(dueMs - this.#clock.monotonicMs()), 0);
    this.#timer = setTimeout(() => this.#release(), Math.min(waitMs, TIMER_MS_MAX));
    // Nobody has to be kept alive only to say that it is over.
    if (this.#waiters.size === 0) this.#timer.unref();
  }
}

function rounded(perSecond: number): number {
  return Number(perSecond.toPrecision(3));
}
