/** Prometheus text exposition format 0.0.4 of the engine's own series. */
import type { Labels } from '../component/settings.ts';
import type { MeterAggregate } from './aggregate.ts';
import { type CollectedMetric, collectMetrics, type HistogramPoint, type SummaryPoint } from './collected.ts';
import { QUANTILES } from './latency.ts';
import { LATENCY_STAGES, type MetricLevel } from './metrics.ts';
import { applyViews, type MetricView } from './views.ts';

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
  views: readonly MetricView[];
}

export const EXPOSITION_DEFAULT: ExpositionOptions = {
  level: 'normal',
  resource: {},
  constantLabels: [],
  hasTypeSuffix: false,
  hasUnitSuffix: false,
  views: [],
};

const UNIT_SUFFIX: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/** Name of a metric on the scrape. */
export function exposedName(
  { name, kind, unit }: Pick<CollectedMetric, 'name' | 'kind' | 'unit'>,
  { hasTypeSuffix, hasUnitSuffix }: Pick<ExpositionOptions, 'hasTypeSuffix' | 'hasUnitSuffix'>,
): string {
  const suffix = UNIT_SUFFIX[unit];
  const plain = name.replace(/[^a-zA-Z0-9_:]/g, '_');
  const withUnit = hasUnitSuffix && suffix !== undefined && !plain.includes(suffix) ? plain + suffix : plain;
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

  #labels(labels: Labels, last?: string): string {
    return formatLabels({ ...this.#constant, ...labels }, last);
  }

  metric(metric: CollectedMetric): void {
    const { doc, kind, unit } = metric;
    const name = exposedName(metric, this.#options);
    this.#lines.push(`# HELP ${name} ${doc} [${unit}]`, `# TYPE ${name} ${kind}`);
    if (kind === 'histogram') this.#histogram(name, metric.bounds, metric.points);
    else if (kind === 'summary') this.#summary(name, metric.points);
    else
      for (const { labels, value } of metric.points)
        this.#lines.push(`${name}${this.#labels(labels)} ${value}`);
  }

  #histogram(name: string, bounds: readonly number[], points: readonly HistogramPoint[]): void {
    for (const { labels, counts, sum } of points) {
      let count = 0;
      for (const [bucket, inBucket] of counts.entries()) {
        count += inBucket;
        const bound = bounds[bucket] ?? '+Inf';
        this.#lines.push(`${name}_bucket${this.#labels(labels, `le="${bound}"`)} ${count}`);
      }
      this.#lines.push(
        `${name}_sum${this.#labels(labels)} ${sum}`,
        `${name}_count${this.#labels(labels)} ${count}`,
      );
    }
  }

  #summary(name: string, points: readonly SummaryPoint[]): void {
    for (const { labels, quantiles, count, sum } of points) {
      for (const [index, value] of quantiles.entries()) {
        this.#lines.push(`${name}${this.#labels(labels, `quantile="${QUANTILES[index]!}"`)} ${value}`);
      }
      const own = this.#labels(labels);
      this.#lines.push(`${name}_sum${own} ${sum}`, `${name}_count${own} ${count}`);
    }
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
  const writer = new ExpositionWriter(options);
  const metrics = collectMetrics(aggregate, nowMs, options.level);
  for (const metric of applyViews(metrics, options.views)) writer.metric(metric);
  return writer.end();
}

/** HDR percentile distribution of one stage in milliseconds, one block per series; undefined for unknown stages. */
export async function formatPercentiles(
  aggregate: MeterAggregate,
  stage: string,
  nowMs: number,
): Promise<string | undefined> {
  if (!LATENCY_STAGES.has(stage)) return undefined;
  const { percentileTable } = await import('./percentile-table.ts');
  const blocks = aggregate.latenciesOf(stage).map((window) => {
    const title = `# ${stage}${formatLabels(window.labels)}, last minute, milliseconds`;
    return `${title}\n${percentileTable(window.merged(nowMs))}`;
  });
  return blocks.length === 0 ? `# ${stage}: nothing recorded yet\n` : `${blocks.join('\n')}\n`;
}
