/** Series of the sampler itself; those of policies are counted by the policies. */
import type { Counter, Gauge, Histogram, LatencyRecorder, Meter } from '../../component/settings.ts';

const PREFIX = 'otelcol_processor_tail_sampling_';

export class SamplerMetrics {
  newTraces = 0;
  lateSpans = 0;
  droppedTooEarly = 0;
  /** Spans that followed a remembered decision, by what it was. */
  releasedSampled = 0;
  releasedOthers = 0;
  /** From the time at which an epoch was due to the decision of its last trace. */
  readonly lateness: LatencyRecorder;
  readonly #newTraceIds: Counter;
  readonly #lateSpans: Counter;
  readonly #droppedTooEarly: Counter;
  readonly #releasedSampled: Counter;
  readonly #releasedOthers: Counter;
  /** In whole seconds, once for the spans of a trace in a request. */
  readonly lateSpanAge: Histogram;
  /** In whole seconds, once for each decided trace whose decision is remembered. */
  readonly removalAge: Histogram;
  /** Milliseconds that a round of decisions took. */
  readonly timerLatency: Histogram;
  readonly #onMemory: Gauge;
  readonly #pendingTraces: Gauge;
  readonly #oldestPending: Gauge;
  readonly #tableBytes: Gauge;

  /** @param processor id of the component. */
  constructor(meter: Meter, processor: string) {
    const labels = { processor };
    this.lateness = meter.latency('sampling_lateness');
    this.#newTraceIds = meter.counter(`${PREFIX}new_trace_id_received`, labels);
    this.#lateSpans = meter.counter('millrace_sampling_late_spans', labels);
    this.#droppedTooEarly = meter.counter(`${PREFIX}sampling_trace_dropped_too_early`, labels);
    const released = `${PREFIX}early_releases_from_cache_decision`;
    this.#releasedSampled = meter.counter(released, { ...labels, sampled: 'true' });
    this.#releasedOthers = meter.counter(released, { ...labels, sampled: 'false' });
    this.lateSpanAge = meter.histogram(`${PREFIX}sampling_late_span_age`, labels);
    this.removalAge = meter.histogram(`${PREFIX}sampling_trace_removal_age`, labels);
    this.timerLatency = meter.histogram(`${PREFIX}sampling_decision_timer_latency`, labels);
    this.#onMemory = meter.gauge(`${PREFIX}sampling_traces_on_memory`, labels);
    this.#pendingTraces = meter.gauge('millrace_sampling_pending_traces', labels);
    this.#oldestPending = meter.gauge('millrace_sampling_oldest_pending_seconds', labels);
    this.#tableBytes = meter.gauge('millrace_sampling_index_bytes', labels);
  }

  /** Once a step. */
  report(onMemory: number, pending: number, oldestPendingMs: number, indexBytes: number): void {
    this.#newTraceIds.add(this.newTraces);
    this.#lateSpans.add(this.lateSpans);
    this.#droppedTooEarly.add(this.droppedTooEarly);
    this.#releasedSampled.add(this.releasedSampled);
    this.#releasedOthers.add(this.releasedOthers);
    this.newTraces = 0;
    this.lateSpans = 0;
    this.droppedTooEarly = 0;
    this.releasedSampled = 0;
    this.releasedOthers = 0;
    this.#onMemory.set(onMemory);
    this.#pendingTraces.set(pending);
    this.#oldestPending.set(oldestPendingMs / 1000);
    this.#tableBytes.set(indexBytes);
  }
}
