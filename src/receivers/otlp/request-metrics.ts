/** Counters of one receiver, looked up once and added to once per request. */
import type { RequestOutcome, Transport } from '../../component/consumer.ts';
import { OUTCOME_INTERNAL, OUTCOME_OK, TRANSPORTS } from '../../component/consumer.ts';
import type { Counter, LatencyRecorder, Meter } from '../../component/settings.ts';
import { ITEM_SUFFIX, SIGNALS, type Signal } from '../../component/signal.ts';

/** Why a request was refused before its items could be counted. */
export const REFUSAL_REASONS = [
  'not_found',
  'method',
  'content_type',
  'encoding',
  'headers',
  'too_large',
  'malformed',
  'memory',
  'queue_full',
  'unavailable',
  'draining',
  'deadline',
  'aborted',
  'unauthenticated',
  'auth_limited',
  'internal',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** Why a connection was closed before its first request. */
export const CONNECTION_REASONS = ['address_limit', 'tls'] as const;
export type ConnectionReason = (typeof CONNECTION_REASONS)[number];

interface TransportSeries {
  accepted: Record<Signal, Counter>;
  refused: Record<Signal, Counter>;
  /** Refused for an error inside the engine, which is nobody's load and nobody's mistake. */
  failed: Record<Signal, Counter>;
  rejected: Record<Signal, Counter>;
  refusedRequests: Record<RefusalReason, Counter>;
  refusedConnections: Record<ConnectionReason, Counter>;
  latency: LatencyRecorder;
}

export class RequestMetrics {
  readonly #series: Record<Transport, TransportSeries>;

  constructor(meter: Meter, receiver: string) {
    const entries = TRANSPORTS.map(
      (transport) => [transport, openSeries(meter, receiver, transport)] as const,
    );
    this.#series = Object.fromEntries(entries) as Record<Transport, TransportSeries>;
  }

  /** Counts the items of an answered request, or the request itself when its items are unknown. */
  countOutcome(signal: Signal, transport: Transport, outcome: RequestOutcome, reason: RefusalReason): void {
    const series = this.#series[transport];
    if (outcome.code !== OUTCOME_OK) {
      const items = outcome.code === OUTCOME_INTERNAL ? series.failed : series.refused;
      if (outcome.itemCount > 0) items[signal].add(outcome.itemCount);
      else series.refusedRequests[reason].add(1);
      return;
    }
    series.accepted[signal].add(outcome.itemCount - outcome.rejectedCount);
    if (outcome.rejectedCount > 0) series.rejected[signal].add(outcome.rejectedCount);
  }

  countRefusedRequest(transport: Transport, reason: RefusalReason): void {
    this.#series[transport].refusedRequests[reason].add(1);
  }

  countRefusedConnection(transport: Transport, reason: ConnectionReason): void {
    this.#series[transport].refusedConnections[reason].add(1);
  }

  /** From the complete body to the answer. */
  recordLatency(transport: Transport, latencyUs: number): void {
    this.#series[transport].latency.record(latencyUs);
  }
}

function openSeries(meter: Meter, receiver: string, transport: Transport): TransportSeries {
  const labels = { receiver, transport };
  const bySignal = (prefix: string): Record<Signal, Counter> =>
    Object.fromEntries(
      SIGNALS.map((signal) => [signal, meter.counter(`${prefix}_${ITEM_SUFFIX[signal]}`, labels)]),
    ) as Record<Signal, Counter>;
  const byReason = <R extends string>(name: string, reasons: readonly R[]): Record<R, Counter> =>
    Object.fromEntries(
      reasons.map((reason) => [reason, meter.counter(name, { ...labels, reason })]),
    ) as Record<R, Counter>;
  return {
    accepted: bySignal('otelcol_receiver_accepted'),
    refused: bySignal('otelcol_receiver_refused'),
    failed: bySignal('otelcol_receiver_failed'),
    rejected: Object.fromEntries(
      SIGNALS.map((signal) => [
        signal,
        meter.counter('millrace_receiver_rejected_items', { ...labels, otel_signal: signal }),
      ]),
    ) as Record<Signal, Counter>,
    refusedRequests: byReason('millrace_receiver_refused_requests', REFUSAL_REASONS),
    refusedConnections: byReason('millrace_receiver_refused_connections', CONNECTION_REASONS),
    latency: meter.latency('request_to_ack', labels),
  };
}
