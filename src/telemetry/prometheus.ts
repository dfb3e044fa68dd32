/** Prometheus text exposition format 0.0.4 of the engine's own series. */
import type { Labels } from '../component/settings.ts';
import type { MeterAggregate } from './aggregate.ts';
import { type LatencyWindow, QUANTILES } from './latency.ts';
import { LATENCY_STAGES, METRICS, type MetricDefinition } from './metrics.ts';
import type { SeriesValue } from './registry.ts';

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function formatLabels(labels: Labels, extra?: readonly [string, string]): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  if (extra !== undefined) parts.push(`${extra[0]}="${extra[1]}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function formatMetric(definition: MetricDefinition, series: readonly SeriesValue[], lines: string[]): void {
  if (series.length === 0) return;
  lines.push(`# HELP ${definition.name} ${definition.doc} [${definition.unit}]`);
  lines.push(`# TYPE ${definition.name} ${definition.kind}`);
  for (const { name, labels, value } of series) lines.push(`${name}${formatLabels(labels)} ${value}`);
}

function formatStage(
  stage: string,
  doc: string,
  windows: readonly LatencyWindow[],
  nowMs: number,
  lines: string[],
): void {
  if (windows.length === 0) return;
  const name = `millrace_${stage}_seconds`;
  lines.push(`# HELP ${name} ${doc} HDR quantiles over the last minute.`, `# TYPE ${name} summary`);
  const maxima: string[] = [];
  for (const window of windows) {
    const merged = window.merged(nowMs);
    const isEmpty = merged.totalCount === 0;
    for (const quantile of QUANTILES) {
      const seconds = isEmpty ? 'NaN' : merged.getValueAtPercentile(quantile * 100) / 1e6;
      lines.push(`${name}${formatLabels(window.labels, ['quantile', String(quantile)])} ${seconds}`);
    }
    lines.push(`${name}_sum${formatLabels(window.labels)} ${window.sumUs / 1e6}`);
    lines.push(`${name}_count${formatLabels(window.labels)} ${window.count}`);
    maxima.push(`${name}_max${formatLabels(window.labels)} ${isEmpty ? 'NaN' : merged.maxValue / 1e6}`);
  }
  lines.push(`# HELP ${name}_max Slowest of the last minute.`, `# TYPE ${name}_max gauge`, ...maxima);
}

/** @returns the whole exposition; metrics outside the table are a bug and throw. */
export function formatPrometheus(aggregate: MeterAggregate, nowMs: number): string {
  const byName = new Map<string, SeriesValue[]>();
  for (const series of [...aggregate.counters(), ...aggregate.gauges()]) {
    const list = byName.get(series.name);
    if (list === undefined) byName.set(series.name, [series]);
    else list.push(series);
  }
  const lines: string[] = [];
  for (const definition of METRICS) {
    formatMetric(definition, byName.get(definition.name) ?? [], lines);
    byName.delete(definition.name);
  }
  if (byName.size > 0) throw new Error(`metrics without a table entry: ${[...byName.keys()].join(', ')}`);
  for (const [stage, doc] of LATENCY_STAGES)
    formatStage(stage, doc, aggregate.latenciesOf(stage), nowMs, lines);
  return `${lines.join('\n')}\n`;
}

/** HDR percentile distribution of one stage in milliseconds, one block per series; undefined for unknown stages. */
export function formatPercentiles(
  aggregate: MeterAggregate,
  stage: string,
  nowMs: number,
): string | undefined {
  if (!LATENCY_STAGES.has(stage)) return undefined;
  const blocks = aggregate.latenciesOf(stage).map((window) => {
    const title = `# ${stage}${formatLabels(window.labels)}, last minute, milliseconds`;
    return `${title}\n${window.merged(nowMs).outputPercentileDistribution(5, 1000)}`;
  });
  return blocks.length === 0 ? `# ${stage}: nothing recorded yet\n` : `${blocks.join('\n')}\n`;
}
