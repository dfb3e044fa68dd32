/** Metrics of tail sampling, as part of the table in metrics.ts. */
import type { MetricDefinition, MetricKind } from './metrics.ts';

const PREFIX = 'otelcol_processor_tail_sampling_';

function of(kind: MetricKind, name: string, unit: string, doc: string): MetricDefinition {
  return { name, kind, unit, doc, level: 'normal' };
}

const MILLISECONDS = [
  ...[1, 2, 5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750],
  ...[1, 2, 3, 4, 5, 10, 20, 30, 50].map((seconds) => seconds * 1000),
];
const SECONDS = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000];

/** Buckets are those of the Collector. */
function histogram(name: string, unit: string, doc: string, bounds: readonly number[]): MetricDefinition {
  return { ...of('histogram', `${PREFIX}${name}`, unit, doc), bounds };
}

export const SAMPLING_METRICS: readonly MetricDefinition[] = [
  of('counter', `${PREFIX}count_traces_sampled`, '{trace}', 'Votes of each policy, by what they were.'),
  of('counter', `${PREFIX}count_spans_sampled`, '{span}', 'Spans of the traces that each policy voted on.'),
  of('counter', `${PREFIX}count_bytes_sampled`, 'By', 'Bytes of the traces that each policy voted on.'),
  of('counter', `${PREFIX}global_count_traces_sampled`, '{trace}', 'Decided traces, by the decision.'),
  of('counter', `${PREFIX}new_trace_id_received`, '{trace}', 'Traces whose first span came.'),
  of(
    'counter',
    `${PREFIX}early_releases_from_cache_decision`,
    '{span}',
    'Spans that followed a remembered decision.',
  ),
  of(
    'counter',
    `${PREFIX}sampling_policy_evaluation_error`,
    '{error}',
    'Policies that failed on a trace and had no say.',
  ),
  of(
    'counter',
    `${PREFIX}sampling_policy_execution_count`,
    '{execution}',
    'Traces that a policy was asked about.',
  ),
  of(
    'counter',
    `${PREFIX}sampling_policy_execution_time_sum`,
    'us',
    'Time that a policy took for its answers.',
  ),
  of(
    'counter',
    `${PREFIX}sampling_trace_dropped_too_early`,
    '{trace}',
    'Traces decided before their time, because `num_traces` others came; none of their spans is lost.',
  ),
  of('counter', `${PREFIX}traces_dropped_too_large`, '{trace}', 'Traces over `maximum_trace_size_bytes`.'),
  histogram('sampling_decision_timer_latency', 'ms', 'How long a round of decisions took.', MILLISECONDS),
  histogram(
    'sampling_late_span_age',
    's',
    'From a decision to spans that came behind it, where no decision is remembered.',
    SECONDS,
  ),
  histogram(
    'sampling_trace_removal_age',
    's',
    'From the first span of a trace to the decision behind which only its id is remembered.',
    SECONDS,
  ),
  of('gauge', `${PREFIX}sampling_traces_on_memory`, '{trace}', 'Traces in the index, decided or not.'),
  of(
    'counter',
    'millrace_sampling_late_spans',
    '{span}',
    'Spans that came after the decision about their trace.',
  ),
  of('counter', 'millrace_sampling_lost_items', '{item}', 'Pending items that were damaged on disk.'),
  of('counter', 'millrace_sampling_sent_items', '{item}', 'Items that were kept and went on.'),
  of('gauge', 'millrace_sampling_pending_traces', '{trace}', 'Traces that wait for their decision.'),
  {
    ...of(
      'gauge',
      'millrace_sampling_oldest_pending_seconds',
      's',
      'How long the oldest of them has waited.',
    ),
    combine: 'max',
  },
  of('gauge', 'millrace_sampling_index_bytes', 'By', 'Memory of the index of traces.'),
  of('gauge', 'millrace_sampling_pending_bytes', 'By', 'Pending items on disk.'),
];
