/**
 * The one table of the engine's own metrics: Collector names where the Collector has them, `millrace_` otherwise.
 * `<s>` of the Collector's names is spelled out, so that a search for a full name finds it here.
 */
import { AWSS3_EXPORTER_METRICS } from './awss3-exporter-metrics.ts';
import { AWSS3_RECEIVER_METRICS } from './awss3-receiver-metrics.ts';
import { KAFKA_BROKER_METRICS } from './kafka-broker-metrics.ts';
import { KAFKA_EXPORTER_METRICS } from './kafka-exporter-metrics.ts';
import { KAFKA_RECEIVER_METRICS } from './kafka-receiver-metrics.ts';
import { SAMPLING_METRICS } from './sampling-metrics.ts';

export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** Levels of `service::telemetry::metrics::level` that show anything, the later ones all of the earlier. */
export const METRIC_LEVELS = ['basic', 'normal', 'detailed'] as const;
export type MetricLevel = (typeof METRIC_LEVELS)[number];

export interface MetricDefinition {
  name: string;
  kind: MetricKind;
  /** UCUM unit. */
  unit: string;
  doc: string;
  /** Lowest level that shows it. */
  level: MetricLevel;
  /** Upper bounds of a histogram's buckets, ascending; one more bucket takes what is above the last. */
  bounds?: readonly number[];
  /** Labels that only level `detailed` shows: below it, series that differ in nothing else are one. */
  detailedLabels?: readonly string[];
  /** How a gauge of several threads is one figure: their sum unless this says that the largest counts, as of ages. */
  combine?: 'max';
}

/** Whether a level shows what is defined for `lowest`. */
export function isShownAt(level: MetricLevel, lowest: MetricLevel): boolean {
  return METRIC_LEVELS.indexOf(lowest) <= METRIC_LEVELS.indexOf(level);
}

const perSignal = (prefix: string, doc: string): MetricDefinition[] =>
  [
    ['spans', '{span}'],
    ['metric_points', '{datapoint}'],
    ['log_records', '{record}'],
  ].map(([suffix, unit]) => counter(`${prefix}_${suffix}`, unit!, doc, 'basic'));

const define =
  (kind: MetricKind) =>
  (name: string, unit: string, doc: string, level: MetricLevel = 'normal'): MetricDefinition => ({
    name,
    kind,
    unit,
    doc,
    level,
  });
const counter = define('counter');
const gauge = define('gauge');
const histogram = (
  name: string,
  unit: string,
  doc: string,
  bounds: readonly number[],
  level: MetricLevel = 'detailed',
): MetricDefinition => ({ name, kind: 'histogram', unit, doc, level, bounds });

/** All buckets are those of the Collector, so that quantiles over both agree. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const BODY_BYTES = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000];
/** Bounds of instruments that name none. */
const LATENCY_MS = BODY_BYTES;
const BATCH_ITEMS = [
  ...[10, 25, 50, 75, 100, 250, 500, 750],
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 50, 100].map((thousands) => thousands * 1000),
];
const BATCH_BYTES = Array.from({ length: 18 }, (_, power) => 128 * 2 ** power);

const HISTOGRAMS: readonly MetricDefinition[] = [
  histogram('http_client_request_body_size', 'By', 'Size of HTTP request bodies of exporters.', BODY_BYTES),
  histogram('http_client_request_duration', 's', 'Duration of HTTP requests of exporters.', SECONDS),
  histogram('http_server_request_body_size', 'By', 'Size of HTTP request bodies at receivers.', BODY_BYTES),
  histogram('http_server_request_duration', 's', 'From the head of a request to its answer.', SECONDS),
  histogram('http_server_response_body_size', 'By', 'Size of HTTP answers of receivers.', BODY_BYTES),
  histogram(
    'otelcol_loadbalancer_backend_latency',
    'ms',
    'How long backends of loadbalancing took for their shares of batches.',
    LATENCY_MS,
  ),
  histogram('otelcol_exporter_queue_batch_send_size', '{unit}', 'Items of a batch.', BATCH_ITEMS),
  histogram('otelcol_exporter_queue_batch_send_size_bytes', 'By', 'OTLP bytes of a batch.', BATCH_BYTES),
  histogram(
    'otelcol_processor_batch_batch_send_size',
    '{unit}',
    'Items of a batch that was cut as a batch processor says, once for each exporter.',
    BATCH_ITEMS,
    'normal',
  ),
  histogram(
    'otelcol_processor_batch_batch_send_size_bytes',
    'By',
    'OTLP bytes of a batch that was cut as a batch processor says, once for each exporter.',
    BATCH_BYTES,
  ),
  histogram('rpc_client_call_duration', 's', 'Duration of gRPC calls of exporters.', SECONDS),
  histogram('rpc_server_call_duration', 's', 'From the head of a gRPC call to its answer.', SECONDS),
];

export const METRICS: readonly MetricDefinition[] = [
  ...perSignal('otelcol_receiver_accepted', 'Items that were made durable and answered with success.'),
  ...perSignal(
    'otelcol_receiver_refused',
    'Items that could not be taken; the client was told to retry or to drop.',
  ),
  ...perSignal('otelcol_receiver_failed', 'Items that an error inside the engine kept from being taken.'),
  counter('otelcol_processor_incoming_items', '{item}', 'Items that were handed to a processor.', 'basic'),
  counter(
    'otelcol_processor_batch_batch_size_trigger_send',
    '{batch}',
    'Batches that were cut because they had their size, once for each exporter.',
  ),
  gauge(
    'otelcol_processor_batch_metadata_cardinality',
    '{combination}',
    'Combinations of `metadata_keys` that were seen, summed over the pipeline workers.',
  ),
  counter(
    'otelcol_processor_batch_timeout_trigger_send',
    '{batch}',
    'Batches that were cut because they had waited long enough, once for each exporter.',
  ),
  counter('otelcol_processor_outgoing_items', '{item}', 'Items that a processor handed on.', 'basic'),
  counter('otelcol_processor_filter_spans_filtered', '1', 'Spans that a filter dropped.', 'basic'),
  counter('otelcol_processor_filter_datapoints_filtered', '1', 'Data points that a filter dropped.', 'basic'),
  counter('otelcol_processor_filter_logs_filtered', '1', 'Log records that a filter dropped.', 'basic'),
  counter(
    'otelcol_processor_probabilistic_sampler_count_traces_sampled',
    '1',
    'Spans by where their randomness came from and whether they were kept.',
  ),
  counter(
    'otelcol_processor_probabilistic_sampler_count_logs_sampled',
    '1',
    'Log records by where their randomness came from and whether they were kept.',
  ),
  ...SAMPLING_METRICS,
  ...KAFKA_BROKER_METRICS,
  ...KAFKA_EXPORTER_METRICS,
  ...AWSS3_EXPORTER_METRICS,
  ...AWSS3_RECEIVER_METRICS,
  ...KAFKA_RECEIVER_METRICS,
  gauge('millrace_dynamic_sampler_keys', '{key}', 'Keys that have a sample rate, of the policy `dynamic`.'),
  counter(
    'millrace_dynamic_sampler_overflowed_traces',
    '{trace}',
    'Traces kept without a rate because `max_keys` other keys were there already.',
  ),
  ...perSignal('otelcol_processor_accepted', 'Items that the memory limiter let pass.'),
  ...perSignal('otelcol_processor_refused', 'Items that the memory limiter refused.'),
  ...perSignal('otelcol_processor_memory_limiter_accepted', 'Items that the memory limiter let pass.'),
  ...perSignal('otelcol_processor_memory_limiter_refused', 'Items that the memory limiter refused.'),
  ...perSignal('otelcol_exporter_sent', 'Items that the backend has confirmed.'),
  ...perSignal('otelcol_exporter_send_failed', 'Items dropped after the last attempt.').map((definition) => ({
    ...definition,
    detailedLabels: ['error_permanent', 'error_type'],
  })),
  ...perSignal('otelcol_exporter_enqueue_failed', 'Items that the log refused for this exporter.'),
  gauge(
    'otelcol_exporter_queue_size',
    '{unit}',
    'What waits for this exporter, in the unit of its capacity.',
    'basic',
  ),
  gauge(
    'otelcol_exporter_queue_capacity',
    '{unit}',
    'Items where queue_size bounds items, else bytes that the log of this exporter may take on disk.',
    'basic',
  ),
  gauge(
    'otelcol_exporter_in_flight_requests',
    '{request}',
    'Batches being sent, back-off included.',
    'basic',
  ),
  counter('otelcol_process_uptime', 's', 'Uptime of the process.', 'basic'),
  counter('otelcol_process_cpu_seconds', 's', 'CPU time of the process, user and system.', 'basic'),
  gauge('otelcol_process_memory_rss', 'By', 'Resident set size, mapped log pages included.', 'basic'),
  gauge(
    'otelcol_process_runtime_heap_alloc_bytes',
    'By',
    'JavaScript heap in use on the main thread.',
    'basic',
  ),
  gauge('otelcol_process_runtime_total_sys_memory_bytes', 'By', 'Anonymous memory of the process.', 'basic'),
  counter(
    'millrace_receiver_refused_requests',
    '{request}',
    'Requests refused before their items were counted.',
    'basic',
  ),
  counter(
    'millrace_receiver_rejected_items',
    '{item}',
    'Items refused by themselves (partial success).',
    'basic',
  ),
  counter(
    'millrace_receiver_refused_connections',
    '{connections}',
    'Connections closed before their first request, by reason.',
    'basic',
  ),
  counter('millrace_pipeline_requests', '{request}', 'Requests taken from rings, by outcome.'),
  counter('millrace_pipeline_decoded_bytes', 'By', 'Bytes of requests after decompression.'),
  gauge('millrace_ring_used_bytes', 'By', 'Bytes waiting in a ring at the time of the scrape.'),
  counter(
    'otelcol_loadbalancer_backend_outcome',
    '{outcomes}',
    'Shares of batches that backends of loadbalancing took, or did not.',
  ),
  gauge('otelcol_loadbalancer_num_backends', '{backends}', 'Backends that loadbalancing knows.'),
  counter(
    'otelcol_loadbalancer_num_backend_updates',
    '{updates}',
    'How often the backends of loadbalancing became other ones.',
  ),
  counter(
    'otelcol_loadbalancer_num_resolutions',
    '{resolutions}',
    'How often loadbalancing has looked for its backends.',
  ),
  gauge('millrace_ring_peak_bytes', 'By', 'Highest fill of a ring since the previous scrape.'),
  gauge('millrace_ring_capacity_bytes', 'By', 'Size of a ring.'),
  gauge('millrace_log_size_bytes', 'By', 'Bytes of a log on disk.', 'basic'),
  gauge(
    'millrace_log_budget_bytes',
    'By',
    'Bytes on disk that a log may take, if the others of the engine leave it so much of their common budget.',
    'basic',
  ),
  gauge(
    'millrace_log_retained_bytes',
    'By',
    'Bytes on disk of segments that every exporter has delivered, kept as `retain` says.',
    'basic',
  ),
  gauge('millrace_log_oldest_time', 's', 'When the oldest item arrived that a log holds, Unix time.'),
  gauge('millrace_log_items', '{item}', 'Items in a log that its slowest exporter has not finished.'),
  counter('millrace_log_flushed_items', '{item}', 'Items that a log has taken and flushed since the start.'),
  counter('millrace_log_commits', '{commits}', 'Group commits that were flushed.'),
  counter('millrace_log_committed_bytes', 'By', 'Payload bytes in group commits.'),
  counter('millrace_log_dropped_items', '{item}', 'Items lost in damaged records, by reason.', 'basic'),
  gauge('millrace_log_segments_quarantined', '{segments}', 'Segments set aside at start.', 'basic'),
  gauge('millrace_exporter_queue_items', '{item}', 'Items in the log that this exporter has not finished.'),
  gauge(
    'millrace_exporter_queue_age',
    's',
    'How long the oldest item has waited that this exporter has not finished, counted from the start at most.',
  ),
  counter('millrace_exporter_batches', '{batch}', 'Batches finished, by outcome.'),
  counter('millrace_exporter_sent_bytes', 'By', 'OTLP bytes of batches that the backend has confirmed.'),
  counter('millrace_exporter_retries', '{attempts}', 'Attempts that failed retryably.'),
  {
    ...gauge(
      'millrace_exporter_failing',
      '1',
      '1 while the newest attempt has failed and is made again: the backend is away, or takes no more.',
    ),
    combine: 'max',
  },
  counter(
    'millrace_exporter_throttled_attempts',
    '{attempts}',
    'Attempts that the backend refused because they were too many, or too much.',
  ),
  gauge(
    'millrace_exporter_request_limit',
    '{requests}/s',
    'Requests a second that an exporter begins at most because its backend has refused some; 0: no limit.',
  ),
  counter(
    'millrace_exporter_abandoned_attempts',
    '{attempts}',
    'Attempts that the exporter did not end when their time was up; they were left behind.',
  ),
  counter(
    'millrace_deadletter_items',
    '{item}',
    'Items that the backend refused for good and that were written to the dead-letter files.',
    'basic',
  ),
  counter(
    'millrace_deadletter_dropped_items',
    '{item}',
    'Dead letters deleted because their files had reached their limit.',
    'basic',
  ),
  counter('millrace_worker_restarts', '{restarts}', 'Worker threads that were replaced, by kind.', 'basic'),
  gauge(
    'millrace_ready',
    '1',
    '1 while every listener is bound, every worker runs and every log takes data.',
  ),
  counter('millrace_config_reloads', '{reloads}', 'Configurations that were read again, by outcome.'),
  gauge(
    'millrace_config_last_reload_successful',
    '1',
    '0 while an older configuration runs than the newest one.',
  ),
  gauge('millrace_orphaned_log_bytes', 'By', 'Bytes on disk for exporters or pipelines that were removed.'),
  gauge(
    'millrace_orphaned_log_items',
    '{item}',
    'Items that wait for exporters or pipelines that were removed.',
  ),
  gauge('millrace_memory_budget_bytes', 'By', 'Upper bound of all bounded buffers together, by part.'),
  gauge('millrace_event_loop_delay_p99', 's', 'p99 delay of the main event loop since the previous scrape.'),
  counter(
    'millrace_telemetry_overflowed_series',
    '{lookups}',
    'Look-ups of own series that ended at the one for all label sets beyond the 2000th of a metric.',
    'basic',
  ),
  counter('millrace_telemetry_exports', '{request}', 'Requests with own metrics or spans, by outcome.'),
  counter('millrace_telemetry_lost_spans', '{span}', 'Own spans that were not sent, by reason.', 'basic'),
  ...HISTOGRAMS,
];

/** Stages with HDR latency: exposed as `millrace_<stage>_seconds{quantile=...}` over a sliding minute. */
export const LATENCY_STAGES: ReadonlyMap<string, string> = new Map([
  ['request_to_ack', 'From the complete request body to the answer.'],
  ['ring_wait', 'From the complete request body to its read by a pipeline worker.'],
  ['group_commit', 'From the first append of a group to its flush.'],
  ['export_call', 'One attempt to send a batch.'],
  ['delivery_age', 'From the complete request body to delivery of its batch.'],
  ['pipeline_turn', 'From one turn of a busy pipeline worker to its next: nothing else is served meanwhile.'],
  ['sampling_lateness', 'From the time at which traces were due to their decision.'],
  ['sampling_step', 'One step of a sampler: decisions, journal, copy.'],
]);

/** Gauges of which the largest counts. */
export const MAX_GAUGES: ReadonlySet<string> = new Set(
  METRICS.filter(({ combine }) => combine === 'max').map(({ name }) => name),
);

const BOUNDS: ReadonlyMap<string, readonly number[]> = new Map(
  METRICS.flatMap(({ name, bounds }) => (bounds === undefined ? [] : [[name, bounds] as const])),
);

/** @throws Error for a name that is no histogram of the table: a bug. */
export function histogramBounds(name: string): readonly number[] {
  const bounds = BOUNDS.get(name);
  if (bounds === undefined) throw new Error(`no histogram without a table entry: ${name}`);
  return bounds;
}
