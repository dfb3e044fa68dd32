/** Figures as lines: a table of 80 columns for a terminal, `key=value` lines for everything else. */
import type {
  ExporterFigures,
  Figures,
  PipelineFigures,
  ReceiverFigures,
  SamplerFigures,
} from './figures.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatSeconds,
  left,
  printable,
  right,
} from './format.ts';

/** What rows are sorted by, most first; names ascending. */
export const SORT_KEYS = ['rate', 'refused', 'queue', 'latency', 'name'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

interface Column<R> {
  title: string;
  width: number;
  /** At the left edge; numbers stand at the right one. */
  isName?: boolean;
  text(row: R): string;
}

const BOLD = '\u001b[1m';
const PLAIN = '\u001b[0m';
const NAME_WIDTH = 19;

const QUANTILE_COLUMNS: Column<{
  p50: number | undefined;
  p99: number | undefined;
  p999: number | undefined;
}>[] = [
  { title: 'P50', width: 7, text: ({ p50 }) => formatSeconds(p50) },
  { title: 'P99', width: 7, text: ({ p99 }) => formatSeconds(p99) },
  { title: 'P99.9', width: 7, text: ({ p999 }) => formatSeconds(p999) },
];

const RECEIVER_COLUMNS: Column<ReceiverFigures>[] = [
  { title: 'RECEIVER', width: NAME_WIDTH, isName: true, text: ({ receiver }) => receiver },
  { title: 'BY', width: 5, isName: true, text: ({ transport }) => transport },
  { title: 'SPANS/s', width: 9, text: ({ spans }) => formatCount(spans) },
  { title: 'POINTS/s', width: 9, text: ({ points }) => formatCount(points) },
  { title: 'LOGS/s', width: 8, text: ({ logs }) => formatCount(logs) },
  { title: 'REFUSED', width: 9, text: ({ refused }) => formatCount(refused) },
  ...QUANTILE_COLUMNS,
];

const PIPELINE_COLUMNS: Column<PipelineFigures>[] = [
  { title: 'PIPELINE', width: NAME_WIDTH + 5, isName: true, text: ({ pipeline }) => pipeline },
  { title: 'ITEMS/s', width: 9, text: ({ items }) => formatCount(items) },
  { title: 'WAITING', width: 9, text: ({ waiting }) => formatCount(waiting) },
  { title: 'ON DISK', width: 11, text: ({ diskBytes }) => formatBytes(diskBytes) },
  {
    title: 'OF BUDGET',
    width: 11,
    text: ({ diskBytes, budgetBytes }) =>
      formatPercent(budgetBytes > 0 ? diskBytes / budgetBytes : undefined),
  },
];

const SAMPLER_COLUMNS: Column<SamplerFigures>[] = [
  { title: 'SAMPLER', width: NAME_WIDTH, isName: true, text: ({ processor }) => processor },
  { title: 'TRACES/s', width: 9, text: ({ traces }) => formatCount(traces) },
  { title: 'KEPT/s', width: 8, text: ({ kept }) => formatCount(kept) },
  { title: 'DROPPED', width: 8, text: ({ dropped }) => formatCount(dropped) },
  { title: 'LATE', width: 7, text: ({ late }) => formatCount(late) },
  { title: 'WAITING', width: 9, text: ({ pending }) => formatCount(pending) },
  { title: 'OLDEST', width: 8, text: ({ oldestSeconds }) => formatDuration(oldestSeconds) },
  { title: 'INDEX', width: 9, text: ({ indexBytes }) => formatBytes(indexBytes) },
];

const EXPORTER_COLUMNS: Column<ExporterFigures>[] = [
  { title: 'EXPORTER', width: 16, isName: true, text: ({ exporter }) => exporter },
  { title: 'OF', width: 8, isName: true, text: ({ signal }) => signal },
  { title: 'SENT/s', width: 7, text: ({ sent }) => formatCount(sent) },
  { title: 'FAILED', width: 7, text: ({ failed }) => formatCount(failed) },
  { title: 'RETRY', width: 6, text: ({ retries }) => formatCount(retries) },
  { title: 'QUEUE', width: 7, text: ({ queue }) => formatCount(queue) },
  { title: 'AGE', width: 7, text: ({ ageSeconds }) => formatDuration(ageSeconds) },
  ...QUANTILE_COLUMNS,
];

interface Ranks {
  name: string;
  rate: number;
  refused: number;
  queue: number;
  latency: number;
}

function receiverRanks({ receiver, transport, spans, points, logs, refused, p99 }: ReceiverFigures): Ranks {
  const rate = spans + points + logs;
  return { name: `${receiver} ${transport}`, rate, refused, queue: 0, latency: p99 ?? 0 };
}

function pipelineRanks({ pipeline, items, waiting }: PipelineFigures): Ranks {
  return { name: pipeline, rate: items, refused: 0, queue: waiting, latency: 0 };
}

function samplerRanks({ processor, traces, late, pending, oldestSeconds = 0 }: SamplerFigures): Ranks {
  return { name: processor, rate: traces, refused: late, queue: pending, latency: oldestSeconds };
}

function exporterRanks({ exporter, signal, sent, failed, retries, queue, p99 }: ExporterFigures): Ranks {
  const refused = failed + (retries ?? 0);
  return { name: `${exporter} ${signal}`, rate: sent, refused, queue: queue ?? 0, latency: p99 ?? 0 };
}

/** Equal rows are in the order of their names, so that they do not change places. */
export function sortRows<R>(rows: readonly R[], ranksOf: (row: R) => Ranks, key: SortKey): R[] {
  return rows
    .map((row) => ({ row, ranks: ranksOf(row) }))
    .sort(({ ranks: a }, { ranks: b }) => {
      const byKey = key === 'name' ? 0 : b[key] - a[key];
      return byKey !== 0 ? byKey : a.name < b.name ? -1 : 1;
    })
    .map(({ row }) => row);
}

function tableLines<R>(columns: readonly Column<R>[], rows: readonly R[]): string[] {
  const cell = (column: Column<R>, text: string) =>
    // A name keeps a blank between itself and the next column.
    column.isName ? `${left(text, column.width - 1)} ` : right(text, column.width);
  const titles = columns.map((column) => cell(column, column.title)).join('');
  return [titles, ...rows.map((row) => columns.map((column) => cell(column, column.text(row))).join(''))];
}

function processLines({ process }: Figures): string[] {
  const { cpu, residentBytes, anonymousBytes, heapBytes, loopDelayP99, ringUsed, ringPeak } = process;
  const rings = `rings ${formatPercent(ringUsed)} full, peak ${formatPercent(ringPeak)}`;
  return [
    `cpu ${formatPercent(cpu)}  memory ${formatBytes(residentBytes)}, own ${formatBytes(anonymousBytes)}, heap ${formatBytes(heapBytes)}`,
    `${rings}  flushes ${formatCount(process.commits)}/s  loop p99 ${formatSeconds(loopDelayP99)}  restarts ${process.restarts ?? 0}`,
  ];
}

export interface ScreenOptions {
  /** Shown in the first line. */
  endpoint: string;
  sort: SortKey;
  columns: number;
  rows: number;
  /** Why the newest scrape is missing; the figures are older then. */
  trouble?: string | undefined;
}

/** Lines of one screen, no wider and no more than it has room for; titles are bold. */
export function screenLines(figures: Figures | undefined, options: ScreenOptions): string[] {
  const { endpoint, sort, columns, rows, trouble } = options;
  const up = figures === undefined ? '' : `  up ${formatDuration(figures.process.uptimeSeconds)}`;
  const state = figures?.process.isReady === false ? '  NOT READY' : '';
  const lines = [`millrace ${figures?.process.version ?? ''} ${endpoint}${up}${state}`];
  if (trouble !== undefined) lines.push(`! ${trouble}`);
  const titles = new Set<number>([0]);
  const add = (table: string[]) => {
    titles.add(lines.push('', ...table) - table.length);
  };
  if (figures !== undefined) {
    lines.push(...processLines(figures));
    add(tableLines(RECEIVER_COLUMNS, sortRows(figures.receivers, receiverRanks, sort)));
    if (figures.pipelines.length > 0)
      add(tableLines(PIPELINE_COLUMNS, sortRows(figures.pipelines, pipelineRanks, sort)));
    if (figures.samplers.length > 0)
      add(tableLines(SAMPLER_COLUMNS, sortRows(figures.samplers, samplerRanks, sort)));
    add(tableLines(EXPORTER_COLUMNS, sortRows(figures.exporters, exporterRanks, sort)));
  }
  const help = `q quit  s sort (${sort})  r rate  f refused  w queue  l latency  n name`;
  const shown = lines.slice(0, Math.max(rows - 2, 1));
  const cut = shown.map((line) => printable(line).slice(0, columns));
  const styled = cut.map((line, index) => (titles.has(index) ? `${BOLD}${line}${PLAIN}` : line));
  return [...styled, '', help.slice(0, columns)].slice(0, rows);
}

/** Strings with blanks or quotes are quoted; what is not known is left out. */
function fields(values: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(values)
    .flatMap(([key, value]) => {
      if (value === undefined || Number.isNaN(value)) return [];
      const text = typeof value === 'number' ? String(Number(value.toPrecision(6))) : printable(value);
      return [`${key}=${/[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text}`];
    })
    .join(' ');
}

const quantileFields = ({ p50, p99, p999 }: ReceiverFigures | ExporterFigures) => ({
  p50_s: p50,
  p99_s: p99,
  p999_s: p999,
});

const samplerLine = (row: SamplerFigures) =>
  `sampler ${fields({
    id: row.processor,
    traces_per_s: row.traces,
    kept_per_s: row.kept,
    dropped_per_s: row.dropped,
    late_spans_per_s: row.late,
    pending: row.pending,
    oldest_s: row.oldestSeconds,
    index_bytes: row.indexBytes,
  })}`;

/** One line for the process and one for each receiver, pipeline, sampler and exporter. */
export function plainLines(figures: Figures): string[] {
  const { process, receivers, pipelines, exporters } = figures;
  return [
    `process ${fields({
      uptime_s: process.uptimeSeconds,
      cpu_cores: process.cpu,
      resident_bytes: process.residentBytes,
      anonymous_bytes: process.anonymousBytes,
      heap_bytes: process.heapBytes,
      loop_delay_p99_s: process.loopDelayP99,
      ring_used: process.ringUsed,
      ring_peak: process.ringPeak,
      flushes_per_s: process.commits,
      restarts: process.restarts,
      ready: process.isReady === undefined ? undefined : String(process.isReady),
    })}`,
    ...receivers.map(
      (row) =>
        `receiver ${fields({
          id: row.receiver,
          transport: row.transport,
          spans_per_s: row.spans,
          points_per_s: row.points,
          logs_per_s: row.logs,
          refused_per_s: row.refused,
          ...quantileFields(row),
        })}`,
    ),
    ...pipelines.map(
      (row) =>
        `pipeline ${fields({
          id: row.pipeline,
          items_per_s: row.items,
          waiting: row.waiting,
          disk_bytes: row.diskBytes,
          budget_bytes: row.budgetBytes,
        })}`,
    ),
    ...figures.samplers.map(samplerLine),
    ...exporters.map(
      (row) =>
        `exporter ${fields({
          id: row.exporter,
          signal: row.signal,
          sent_per_s: row.sent,
          failed_per_s: row.failed,
          retries_per_s: row.retries,
          queue: row.queue,
          age_s: row.ageSeconds,
          ...quantileFields(row),
        })}`,
    ),
  ];
}
