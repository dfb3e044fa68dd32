/** What two scrapes, some time apart, say about receivers, pipelines, exporters and the process. */
import { type Scrape, samplesOf, sumOf } from './exposition.ts';

/** Seconds; undefined where the scrape says nothing. */
export interface Quantiles {
  p50: number | undefined;
  p99: number | undefined;
  p999: number | undefined;
}

export interface ReceiverFigures extends Quantiles {
  receiver: string;
  transport: string;
  /** Items accepted in a second. */
  spans: number;
  points: number;
  logs: number;
  /** Items refused and failed in a second, and requests refused before their items were counted. */
  refused: number;
}

export interface PipelineFigures {
  pipeline: string;
  /** Items flushed to its logs in a second. */
  items: number;
  /** Items that its slowest exporter has not finished. */
  waiting: number;
  diskBytes: number;
  budgetBytes: number;
}

export interface ExporterFigures extends Quantiles {
  exporter: string;
  signal: string;
  /** Items a second. */
  sent: number;
  failed: number;
  /** Attempts a second that failed and are made again. */
  retries: number | undefined;
  /** Items; undefined where only the Collector's unit of its queue is known. */
  queue: number | undefined;
  ageSeconds: number | undefined;
}

export interface ProcessFigures {
  version: string | undefined;
  isReady: boolean | undefined;
  uptimeSeconds: number | undefined;
  /** 1 for one core in full use. */
  cpu: number | undefined;
  residentBytes: number | undefined;
  anonymousBytes: number | undefined;
  heapBytes: number | undefined;
  loopDelayP99: number | undefined;
  /** Shares of the fullest ring, 0 to 1. */
  ringUsed: number | undefined;
  ringPeak: number | undefined;
  /** Flushed group commits a second. */
  commits: number | undefined;
  restarts: number | undefined;
}

/** Of one `tail_sampling` processor, all its workers together. */
export interface SamplerFigures {
  processor: string;
  /** Traces that began, were kept and were dropped in a second. */
  traces: number;
  kept: number;
  dropped: number;
  /** Spans in a second that came after the decision about their trace. */
  late: number;
  /** Traces that wait for their decision. */
  pending: number;
  oldestSeconds: number | undefined;
  indexBytes: number | undefined;
}

export interface Figures {
  process: ProcessFigures;
  receivers: ReceiverFigures[];
  pipelines: PipelineFigures[];
  /** Empty where nothing is sampled at the tail. */
  samplers: SamplerFigures[];
  exporters: ExporterFigures[];
}

const ITEMS = ['spans', 'metric_points', 'log_records'] as const;
const SIGNAL_OF = { spans: 'traces', metric_points: 'metrics', log_records: 'logs' } as const;

/** Rates between two scrapes. */
class Pair {
  readonly now: Scrape;
  readonly #before: Scrape;
  readonly #seconds: number;

  constructor(before: Scrape, now: Scrape, seconds: number) {
    this.now = now;
    this.#before = before;
    this.#seconds = seconds;
  }

  /** A second; undefined when there is no such series. A counter that fell has begun anew. */
  rate(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const end = sumOf(this.now, name, labels);
    if (end === undefined) return undefined;
    const start = sumOf(this.#before, name, labels) ?? 0;
    return (end >= start ? end - start : end) / this.#seconds;
  }

  quantiles(stage: string, labels: Readonly<Record<string, string>>): Quantiles {
    const at = (quantile: string) => {
      const value = sumOf(this.now, `millrace_${stage}_seconds`, { ...labels, quantile });
      return Number.isFinite(value) ? value : undefined;
    };
    return { p50: at('0.5'), p99: at('0.99'), p999: at('0.999') };
  }
}

/** The different combinations of these labels in any of the metrics, in the order of their first appearance. */
function combinations(
  scrape: Scrape,
  names: readonly string[],
  labels: readonly string[],
): Record<string, string>[] {
  const found = new Map<string, Record<string, string>>();
  for (const name of names) {
    for (const sample of samplesOf(scrape, name)) {
      if (!labels.every((label) => sample.labels.has(label))) continue;
      const values = Object.fromEntries(labels.map((label) => [label, sample.labels.get(label)!]));
      found.set(JSON.stringify(values), values);
    }
  }
  return [...found.values()];
}

function receiverFigures(pair: Pair): ReceiverFigures[] {
  const names = ITEMS.flatMap((items) => [
    `otelcol_receiver_accepted_${items}`,
    `otelcol_receiver_refused_${items}`,
  ]);
  return combinations(pair.now, names, ['receiver', 'transport']).map((labels) => {
    const accepted = (items: string) => pair.rate(`otelcol_receiver_accepted_${items}`, labels) ?? 0;
    const refusals = [
      'millrace_receiver_refused_requests',
      ...ITEMS.flatMap((items) => [`otelcol_receiver_refused_${items}`, `otelcol_receiver_failed_${items}`]),
    ];
    return {
      receiver: labels.receiver!,
      transport: labels.transport!,
      spans: accepted('spans'),
      points: accepted('metric_points'),
      logs: accepted('log_records'),
      refused: refusals.reduce((sum, name) => sum + (pair.rate(name, labels) ?? 0), 0),
      ...pair.quantiles('request_to_ack', labels),
    };
  });
}

/** `traces.2fa@storage~3` is the log of the fourth worker for pipeline `traces/a`. */
export function pipelineOfLog(log: string): string {
  const name = log.replace(/~\d+$/, '').replace(/@.*$/, '');
  const bytes = (escapes: string) =>
    Uint8Array.from(escapes.split('.').slice(1), (hex) => Number.parseInt(hex, 16));
  return name.replace(/(?:\.[0-9a-f]{2})+/g, (escapes) => new TextDecoder().decode(bytes(escapes)));
}

function pipelineFigures(pair: Pair): PipelineFigures[] {
  const pipelines = new Map<string, PipelineFigures>();
  for (const { log } of combinations(pair.now, ['millrace_log_size_bytes'], ['log'])) {
    const pipeline = pipelineOfLog(log!);
    const sum = pipelines.get(pipeline) ?? { pipeline, items: 0, waiting: 0, diskBytes: 0, budgetBytes: 0 };
    const labels = { log: log! };
    sum.items += pair.rate('millrace_log_flushed_items', labels) ?? 0;
    sum.waiting += sumOf(pair.now, 'millrace_log_items', labels) ?? 0;
    sum.diskBytes += sumOf(pair.now, 'millrace_log_size_bytes', labels) ?? 0;
    sum.budgetBytes += sumOf(pair.now, 'millrace_log_budget_bytes', labels) ?? 0;
    pipelines.set(pipeline, sum);
  }
  return [...pipelines.values()];
}

const TAIL = 'otelcol_processor_tail_sampling_';

function samplerFigures(pair: Pair): SamplerFigures[] {
  return combinations(pair.now, [`${TAIL}new_trace_id_received`], ['processor']).map((labels) => {
    const decided = (sampled: string) =>
      pair.rate(`${TAIL}global_count_traces_sampled`, { ...labels, sampled }) ?? 0;
    return {
      processor: labels.processor!,
      traces: pair.rate(`${TAIL}new_trace_id_received`, labels) ?? 0,
      kept: decided('true'),
      dropped: decided('false'),
      late: pair.rate('millrace_sampling_late_spans', labels) ?? 0,
      pending: sumOf(pair.now, 'millrace_sampling_pending_traces', labels) ?? 0,
      oldestSeconds: sumOf(pair.now, 'millrace_sampling_oldest_pending_seconds', labels),
      indexBytes: sumOf(pair.now, 'millrace_sampling_index_bytes', labels),
    };
  });
}

function exporterFigures(pair: Pair): ExporterFigures[] {
  const found = combinations(
    pair.now,
    ['otelcol_exporter_queue_size', 'otelcol_exporter_in_flight_requests'],
    ['exporter', 'data_type'],
  );
  // An exporter without a queue shows only by what it has sent.
  for (const items of ITEMS) {
    const names = [`otelcol_exporter_sent_${items}`, `otelcol_exporter_send_failed_${items}`];
    for (const { exporter } of combinations(pair.now, names, ['exporter'])) {
      const data_type = SIGNAL_OF[items];
      const isKnown = found.some((each) => each.exporter === exporter && each.data_type === data_type);
      if (!isKnown) found.push({ exporter: exporter!, data_type });
    }
  }
  return found.map((labels) => {
    const { exporter, data_type } = labels as { exporter: string; data_type: string };
    const items = ITEMS.find((each) => SIGNAL_OF[each] === data_type) ?? data_type;
    return {
      exporter,
      signal: data_type,
      sent: pair.rate(`otelcol_exporter_sent_${items}`, { exporter }) ?? 0,
      failed: pair.rate(`otelcol_exporter_send_failed_${items}`, { exporter }) ?? 0,
      retries: pair.rate('millrace_exporter_retries', labels),
      queue: sumOf(pair.now, 'millrace_exporter_queue_items', labels),
      ageSeconds: sumOf(pair.now, 'millrace_exporter_queue_age', labels),
      ...pair.quantiles('export_call', labels),
    };
  });
}

function fullestRing(scrape: Scrape, name: string): number | undefined {
  const shares = samplesOf(scrape, name).map(({ labels, value }) => {
    const capacity = sumOf(scrape, 'millrace_ring_capacity_bytes', { ring: labels.get('ring') ?? '' });
    return capacity === undefined || capacity === 0 ? 0 : value / capacity;
  });
  return shares.length === 0 ? undefined : Math.max(...shares);
}

function processFigures(pair: Pair): ProcessFigures {
  const { now } = pair;
  const ready = sumOf(now, 'millrace_ready');
  return {
    version: samplesOf(now, 'target_info')[0]?.labels.get('service_version'),
    isReady: ready === undefined ? undefined : ready === 1,
    uptimeSeconds: sumOf(now, 'otelcol_process_uptime'),
    cpu: pair.rate('otelcol_process_cpu_seconds'),
    residentBytes: sumOf(now, 'otelcol_process_memory_rss'),
    anonymousBytes: sumOf(now, 'otelcol_process_runtime_total_sys_memory_bytes'),
    heapBytes: sumOf(now, 'otelcol_process_runtime_heap_alloc_bytes'),
    loopDelayP99: sumOf(now, 'millrace_event_loop_delay_p99'),
    ringUsed: fullestRing(now, 'millrace_ring_used_bytes'),
    ringPeak: fullestRing(now, 'millrace_ring_peak_bytes'),
    commits: pair.rate('millrace_log_commits'),
    restarts: sumOf(now, 'millrace_worker_restarts'),
  };
}

/** @param seconds between the two scrapes, above 0. */
export function figuresOf(before: Scrape, now: Scrape, seconds: number): Figures {
  const pair = new Pair(before, now, seconds);
  return {
    process: processFigures(pair),
    receivers: receiverFigures(pair),
    pipelines: pipelineFigures(pair),
    samplers: samplerFigures(pair),
    exporters: exporterFigures(pair),
  };
}
