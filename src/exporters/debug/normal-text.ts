/** `verbosity: normal`: a line for each resource, scope, span, log record and data point. */
import type { Signal } from '../../component/signal.ts';
import type {
  DataPoint,
  KeyValue,
  LogRecord,
  Metric,
  ResourceHead,
  ScopeHead,
  Span,
} from './otlp-objects.ts';
import type { Part } from './request-parts.ts';
import { clean, fixedDouble, plainValue, shortDouble } from './text.ts';

const TITLES: Record<Signal, string> = { traces: 'Traces', metrics: 'Metrics', logs: 'Log' };

/** Lines without their ends. */
export function* normalLines(signal: Signal, part: Part): Generator<string> {
  const title = TITLES[signal];
  if (part.level === 'resource') yield `Resource${title} #${part.index}${resourceText(part.head)}`;
  else if (part.level === 'scope') yield `Scope${title} #${part.index}${scopeText(part.head)}`;
  else if (signal === 'traces') for (const item of part.items) yield spanLine(item as Span);
  else if (signal === 'logs') for (const item of part.items) yield logLine(item as LogRecord);
  else for (const item of part.items) yield* pointLines(item as Metric);
}

function resourceText({ schemaUrl, resource }: ResourceHead): string {
  return `${schemaUrl === undefined ? '' : ` [${clean(schemaUrl)}]`}${trailing(resource?.attributes)}`;
}

function scopeText({ scope, schemaUrl }: ScopeHead): string {
  const version = scope?.version === undefined ? '' : `@${scope.version}`;
  const name = `${scope?.name ?? ''}${version}`;
  const words = [name, schemaUrl === undefined ? '' : `[${schemaUrl}]`].filter((word) => word !== '');
  return `${words.map((word) => ` ${clean(word)}`).join('')}${trailing(scope?.attributes)}`;
}

function pairs(attributes: KeyValue[] = []): string[] {
  return attributes.map(({ key, value }) => `${clean(key)}=${plainValue(value)}`);
}

function trailing(attributes: KeyValue[] | undefined): string {
  return pairs(attributes)
    .map((pair) => ` ${pair}`)
    .join('');
}

function spanLine(span: Span): string {
  return `${clean(span.name)} ${span.traceId ?? ''} ${span.spanId ?? ''}${trailing(span.attributes)}`;
}

function logLine(record: LogRecord): string {
  return `${plainValue(record.body)} ${pairs(record.attributes).join(' ')}`;
}

function* pointLines(metric: Metric): Generator<string> {
  const { gauge, sum, histogram, exponentialHistogram, summary } = metric;
  const data = gauge ?? sum ?? histogram ?? exponentialHistogram ?? summary;
  const valueText = (gauge ?? sum) ? numberText : summary === undefined ? histogramText : summaryText;
  for (const point of data?.dataPoints ?? []) {
    yield `${clean(metric.name)}{${pairs(point.attributes).join(',')}} ${valueText(point)}`;
  }
}

function numberText(point: DataPoint): string {
  return point.asInt ?? (point.asDouble === undefined ? '' : shortDouble(point.asDouble));
}

/** Explicit buckets only: exponential ones are shown with `detailed`. */
function histogramText(point: DataPoint): string {
  const words = [`count=${point.count ?? '0'}`];
  if (point.sum !== undefined) words.push(`sum=${shortDouble(point.sum)}`);
  if (point.min !== undefined) words.push(`min=${shortDouble(point.min)}`);
  if (point.max !== undefined) words.push(`max=${shortDouble(point.max)}`);
  const bounds = point.explicitBounds ?? [];
  for (const [bucket, bucketCount] of (point.bucketCounts ?? []).entries()) {
    words.push(`${bucket < bounds.length ? `le${shortDouble(bounds[bucket]!)}=` : ''}${bucketCount}`);
  }
  return words.join(' ');
}

function summaryText(point: DataPoint): string {
  const words = [`count=${point.count ?? '0'}`, `sum=${fixedDouble(point.sum)}`];
  for (const { quantile = 0, value = 0 } of point.quantileValues ?? []) {
    words.push(`q${shortDouble(quantile)}=${shortDouble(value)}`);
  }
  return words.join(' ');
}
