/** Prometheus text exposition format 0.0.4 of the engine's own series. */
import type { Labels } from '../component/settings.ts';
import type { MeterAggregate } from './aggregate.ts';
import { type LatencyWindow, percentileTable, QUANTILES } from './latency.ts';
import { isShownAt, LATENCY_STAGES, METRICS, type MetricDefinition, type MetricLevel } from './metrics.ts';
import type { SeriesValue } from './registry.ts';

/** What the configuration decides about the text. */
export interface ExpositionOptions {
  level: MetricLevel;
  /** Attributes of the engine itself: the labels of `target_info`. */
  resource: Readonly<Record<string, string>>;
  /** Names of resource attributes that every series carries as labels. */
  constantLabels: readonly string[];
  /** `_total` behind counters, as Collectors from 0.119 to 0.151 print them. */
  hasTypeSuffix: boolean;
  /** `_seconds` and `_bytes` behind names that do not say so yet. */
  hasUnitSuffix: boolean;
}

export const EXPOSITION_DEFAULT: ExpositionOptions = {
  level: 'normal',
  resource: {},
  constantLabels: [],
  hasTypeSuffix: false,
  hasUnitSuffix: false,
};

const UNIT_SUFFIX: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/** Name of a metric on the scrape. */
export function exposedName(
  { name, kind, unit }: Pick<MetricDefinition, 'name' | 'kind' | 'unit'>,
  { hasTypeSuffix, hasUnitSuffix }: Pick<ExpositionOptions, 'hasTypeSuffix' | 'hasUnitSuffix'>,
): string {
  const suffix = UNIT_SUFFIX[unit];
  const withUnit = hasUnitSuffix && suffix !== undefined && !name.endsWith(suffix) ? name + suffix : name;
  return hasTypeSuffix && kind === 'counter' ? `${withUnit}_total` : withUnit;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

/** Resource attributes have dots, label names must not. */
function labelName(attribute: string): string {
  const name = attribute.replace(/[^a-zA-Z0-9_]/g, '_');
  return /^[0-9]/.test(name) ? `_${name}` : name;
}

function resourceLabels(resource: Readonly<Record<string, string>>, names: readonly string[]): Labels {
  return Object.fromEntries(
    names.flatMap((name) => (Object.hasOwn(resource, name) ? [[labelName(name), resource[name]!]] : [])),
  );
}

/** Labels are in the order of their names, as the Collector prints them. */
function formatLabels(labels: Labels, last?: string): string {
  const parts = Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  if (last !== undefined) parts.push(last);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

/** Writes the lines of one exposition. */
class ExpositionWriter {
  readonly #options: ExpositionOptions;
  readonly #constant: Labels;
  readonly #lines: string[] = [];

  constructor(options: ExpositionOptions) {
    this.#options = options;
    this.#constant = resourceLabels(options.resource, options.constantLabels);
  }

  #labels(labels: Labels, quantile?: number): string {
    const last = quantile === undefined ? undefined : `quantile="${quantile}"`;
    return formatLabels({ ...this.#constant, ...labels }, last);
  }

  metric(definition: MetricDefinition, series: readonly SeriesValue[]): void {
    if (series.length === 0) return;
    const name = exposedName(definition, this.#options);
    this.#lines.push(`# HELP ${name} ${definition.doc} [${definition.unit}]`);
    this.#lines.push(`# TYPE ${name} ${definition.kind}`);
    for (const { labels, value } of series) this.#lines.push(`${name}${this.#labels(labels)} ${value}`);
  }

  stage(stage: string, doc: string, windows: readonly LatencyWindow[], nowMs: number): void {
    if (windows.length === 0) return;
    const name = `millrace_${stage}_seconds`;
    this.#lines.push(`# HELP ${name} ${doc} HDR quantiles over the last minute.`, `# TYPE ${name} summary`);
    const maxima: string[] = [];
    for (const window of windows) {
      const merged = window.merged(nowMs);
      for (const [index, valueUs] of merged.quantiles(QUANTILES).entries())
        this.#lines.push(`${name}${this.#labels(window.labels, QUANTILES[index]!)} ${valueUs / 1e6}`);
      const labels = this.#labels(window.labels);
      this.#lines.push(
        `${name}_sum${labels} ${window.sumUs / 1e6}`,
        `${name}_count${labels} ${window.count}`,
      );
      maxima.push(`${name}_max${labels} ${merged.maxUs / 1e6}`);
    }
    this.#lines.push(`# HELP ${name}_max Slowest of the last minute.`, `# TYPE ${name}_max gauge`, ...maxima);
  }

  /** The attributes of the engine, then the whole text. */
  end(): string {
    const { resource } = this.#options;
    const labels = formatLabels(resourceLabels(resource, Object.keys(resource)));
    if (labels !== '') {
      this.#lines.push('# HELP target_info Target metadata', '# TYPE target_info gauge');
      this.#lines.push(`target_info${labels} 1`);
    }
    return `${this.#lines.join('\n')}\n`;
  }
}

/** @returns the whole exposition; metrics outside the table are a bug and throw. */
export function formatPrometheus(
  aggregate: MeterAggregate,
  nowMs: number,
  options: ExpositionOptions = EXPOSITION_DEFAULT,
): string {
  const byName = new Map<string, SeriesValue[]>();
  for (const series of [...aggregate.counters(), ...aggregate.gauges()]) {
    const list = byName.get(series.name);
    if (list === undefined) byName.set(series.name, [series]);
    else list.push(series);
  }
  const writer = new ExpositionWriter(options);
  for (const definition of METRICS) {
    if (isShownAt(options.level, definition.level))
      writer.metric(definition, byName.get(definition.name) ?? []);
    byName.delete(definition.name);
  }
  if (byName.size > 0) throw new Error(`metrics without a table entry: ${[...byName.keys()].join(', ')}`);
  if (isShownAt(options.level, 'normal')) {
    for (const [stage, doc] of LATENCY_STAGES) writer.stage(stage, doc, aggregate.latenciesOf(stage), nowMs);
  }
  return writer.end();
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
    return `${title}\n${percentileTable(window.merged(nowMs))}`;
  });
  return blocks.length === 0 ? `# ${stage}: nothing recorded yet\n` : `${blocks.join('\n')}\n`;
}
