/**
 * What may come in, what is being answered, and the counters of both: one instance per receiver, used by its
 * HTTP and its gRPC server on the main thread.
 */
import type { ClientKeys } from '../../component/client-context.ts';
import type {
  OtlpRequest,
  OutcomeCode,
  RequestConsumer,
  RequestOutcome,
  Transport,
} from '../../component/consumer.ts';
import {
  OUTCOME_INTERNAL,
  OUTCOME_MALFORMED,
  OUTCOME_OK,
  OUTCOME_TOO_LARGE,
  OUTCOME_UNAVAILABLE,
} from '../../component/consumer.ts';
import type { ActiveSpan, ComponentSettings, SpanSource } from '../../component/settings.ts';
import { ITEM_SUFFIX, type Signal } from '../../component/signal.ts';
import { AssemblyMemory } from './body-assembler.ts';
import { ANSWER_DEADLINE_MS, RETRY_AFTER_MS, SWEEP_INTERVAL_MS } from './limits.ts';
import type { RefusalReason } from './request-metrics.ts';
import { RequestMetrics } from './request-metrics.ts';

const REASON_OF_CODE: Readonly<Record<OutcomeCode, RefusalReason>> = {
  [OUTCOME_OK]: 'internal',
  [OUTCOME_MALFORMED]: 'malformed',
  [OUTCOME_TOO_LARGE]: 'too_large',
  [OUTCOME_UNAVAILABLE]: 'unavailable',
  [OUTCOME_INTERNAL]: 'internal',
};

export interface AdmissionLimits {
  assemblyBytesMax: number;
  inFlightBytesMax: number;
}

/** One complete request that waits for its answer. */
interface PendingRequest {
  transport: Transport;
  sizeBytes: number;
  acceptedAtMs: number;
  deadlineMs: number;
  /** Cleared by the first answer: the engine's, or ours when the deadline passes. */
  answer: ((outcome: RequestOutcome) => void) | undefined;
}

export class Admission {
  readonly memory: AssemblyMemory;
  readonly metrics: RequestMetrics;
  readonly #settings: ComponentSettings;
  readonly #next: RequestConsumer;
  readonly #inFlightBytesMax: number;
  readonly #sources: Readonly<Record<Signal, SpanSource>>;
  readonly #pending = new Set<PendingRequest>();
  readonly #idleWaiters: (() => void)[] = [];
  #openExchanges = 0;
  #inFlightBytes = 0;
  #isDraining = false;
  #sweepTimer: NodeJS.Timeout | undefined;

  constructor(settings: ComponentSettings, next: RequestConsumer, limits: AdmissionLimits) {
    this.#settings = settings;
    this.#next = next;
    this.#inFlightBytesMax = limits.inFlightBytesMax;
    this.memory = new AssemblyMemory(limits.assemblyBytesMax);
    this.metrics = new RequestMetrics(settings.meter, settings.id);
    this.#sources = spanSources(settings.id);
  }

  get signals(): RequestConsumer['signals'] {
    return this.#next.signals;
  }

  /** What to keep of clients. */
  get clientKeys(): ClientKeys | undefined {
    return this.#next.clientKeys;
  }

  /** True from the start of the shutdown: new requests are answered 503 / UNAVAILABLE. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Complete bodies that were handed on and not answered, in bytes. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** Requests between their header and their answer, on both protocols. */
  get openExchanges(): number {
    return this.#openExchanges;
  }

  /** Monotonic milliseconds. */
  nowMs(): number {
    return this.#settings.clock.monotonicMs();
  }

  /** Wall clock, for the `date` of answers. */
  unixMs(): number {
    return this.#settings.clock.unixMs();
  }

  exchangeOpened(): void {
    this.#openExchanges += 1;
  }

  exchangeClosed(): void {
    this.#openExchanges -= 1;
    if (this.#openExchanges === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  /**
   * Hands a complete request on.
   *
   * @param clientTimeoutMs what the client still waits, Infinity when it did not say.
   * @param answer called exactly once, at the latest when the deadline has passed. An answer of the engine that
   *   comes later is only counted: the data may have become durable, which the client sees as a duplicate.
   * @param traceParent of the request, for the span of what becomes of it.
   * @returns false when there is no room: `answer` is not called.
   */
  tryConsume(
    request: OtlpRequest,
    clientTimeoutMs: number,
    answer: (outcome: RequestOutcome) => void,
    traceParent = '',
  ): boolean {
    if (this.#inFlightBytes + request.sizeBytes > this.#inFlightBytesMax) return false;
    const nowMs = this.#settings.clock.monotonicMs();
    const pending: PendingRequest = {
      transport: request.transport,
      sizeBytes: request.sizeBytes,
      acceptedAtMs: nowMs,
      deadlineMs: nowMs + Math.min(clientTimeoutMs, ANSWER_DEADLINE_MS),
      answer,
    };
    // Added first, because the consumer may answer before it returns.
    this.#pending.add(pending);
    this.#inFlightBytes += request.sizeBytes;
    const { signal } = request;
    const span = this.#settings.tracer?.start(this.#sources[signal], traceParent);
    const isTaken = this.#next.tryConsume(request, (outcome) => {
      this.metrics.countOutcome(signal, pending.transport, outcome, REASON_OF_CODE[outcome.code]);
      if (span !== undefined) endSpan(span, request, outcome);
      this.#inFlightBytes -= pending.sizeBytes;
      this.#answerOnce(pending, outcome);
    });
    if (isTaken) {
      this.#sweepTimer ??= this.#startSweep();
      return true;
    }
    this.#pending.delete(pending);
    this.#inFlightBytes -= request.sizeBytes;
    if (span !== undefined) endSpan(span, request, unavailable('The engine has no room for the request.'));
    return false;
  }

  startDrain(): void {
    this.#isDraining = true;
  }

  /** Resolves when every open exchange is answered or gone, or at the deadline; never rejects. */
  async whenIdle(deadlineMs: number): Promise<void> {
    if (this.#openExchanges === 0) return;
    const waitMs = Math.max(0, deadlineMs - this.#settings.clock.monotonicMs());
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#idleWaiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Stops the sweep. Requests still pending get no answer of ours any more: their connections are gone. */
  close(): void {
    clearInterval(this.#sweepTimer);
    this.#sweepTimer = undefined;
  }

  #answerOnce(pending: PendingRequest, outcome: RequestOutcome): void {
    const { answer } = pending;
    if (answer === undefined) return;
    pending.answer = undefined;
    this.#pending.delete(pending);
    const latencyMs = this.#settings.clock.monotonicMs() - pending.acceptedAtMs;
    this.metrics.recordLatency(pending.transport, latencyMs * 1000);
    answer(outcome);
  }

  /** One timer for all requests: a timer per request with its own duration would cost more than the request. */
  #startSweep(): NodeJS.Timeout {
    const timer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
    timer.unref();
    return timer;
  }

  #sweep(): void {
    const nowMs = this.#settings.clock.monotonicMs();
    for (const pending of this.#pending) {
      if (pending.deadlineMs > nowMs) continue;
      this.metrics.countRefusedRequest(pending.transport, 'deadline');
      this.#answerOnce(pending, unavailable('The request was not made durable before its deadline.'));
    }
    if (this.#pending.size === 0) this.close();
  }
}

/** The Collector's names. */
function spanSources(id: string): Record<Signal, SpanSource> {
  const source = (operation: string): SpanSource => ({
    name: `receiver/${id}/${operation}`,
    kind: 'receiver',
    id,
  });
  return {
    traces: source('TraceDataReceived'),
    metrics: source('MetricsReceived'),
    logs: source('LogsReceived'),
  };
}

function endSpan(span: ActiveSpan, request: OtlpRequest, outcome: RequestOutcome): void {
  const { transport, encoding, signal } = request;
  const { code, itemCount, rejectedCount, message } = outcome;
  const items = ITEM_SUFFIX[signal];
  const isTaken = code === OUTCOME_OK;
  const isFailure = code === OUTCOME_INTERNAL;
  span.end(
    {
      transport,
      format: encoding === 'proto' ? 'protobuf' : 'json',
      [`accepted_${items}`]: isTaken ? itemCount - rejectedCount : 0,
      [`refused_${items}`]: isTaken ? rejectedCount : isFailure ? 0 : itemCount,
      [`failed_${items}`]: isFailure ? itemCount : 0,
    },
    isTaken ? undefined : message,
  );
}

/** A retryable refusal made by the receiver itself. */
export function unavailable(message: string): RequestOutcome {
  return { code: OUTCOME_UNAVAILABLE, itemCount: 0, rejectedCount: 0, message, retryAfterMs: RETRY_AFTER_MS };
}
