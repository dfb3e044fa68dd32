/** `verbosity: detailed` for metrics: descriptor and data points of all kinds. */
import { attributeLines } from './attribute-lines.ts';
import type { DataPoint, Exemplar, Metric, MetricData } from './otlp-objects.ts';
import { clean, fixedDouble, timeText } from './text.ts';

const TEMPORALITIES = ['Unspecified', 'Delta', 'Cumulative'];

/** Lines without their ends. */
export function* metricLines(metric: Metric, index: number): Generator<string> {
  const { gauge, sum, histogram, exponentialHistogram, summary } = metric;
  yield `Metric #${index}`;
  yield 'Descriptor:';
  yield `     -> Name: ${clean(metric.name)}`;
  yield `     -> Description: ${clean(metric.description)}`;
  yield `     -> Unit: ${clean(metric.unit)}`;
  yield `     -> DataType: ${typeName(metric)}`;
  yield* attributeLines('Metadata', metric.metadata, '     -> ');
  if (sum !== undefined) yield `     -> IsMonotonic: ${sum.isMonotonic ?? false}`;
  const aggregated = sum ?? histogram ?? exponentialHistogram;
  if (aggregated !== undefined) {
    yield `     -> AggregationTemporality: ${TEMPORALITIES[aggregated.aggregationTemporality ?? 0] ?? ''}`;
  }
  yield* pointsLines('NumberDataPoints', gauge ?? sum, numberLines);
  yield* pointsLines('HistogramDataPoints', histogram, histogramLines);
  yield* pointsLines('ExponentialHistogramDataPoints', exponentialHistogram, exponentialLines);
  yield* pointsLines('SummaryDataPoints', summary, summaryLines);
}

function typeName(metric: Metric): string {
  if (metric.gauge !== undefined) return 'Gauge';
  if (metric.sum !== undefined) return 'Sum';
  if (metric.histogram !== undefined) return 'Histogram';
  if (metric.exponentialHistogram !== undefined) return 'ExponentialHistogram';
  return metric.summary === undefined ? 'Empty' : 'Summary';
}

function* pointsLines(
  title: string,
  data: MetricData | undefined,
  valueLines: (point: DataPoint) => Generator<string>,
): Generator<string> {
  for (const [index, point] of (data?.dataPoints ?? []).entries()) {
    yield `${title} #${index}`;
    yield* attributeLines('Data point attributes', point.attributes);
    yield `StartTimestamp: ${timeText(point.startTimeUnixNano)}`;
    yield `Timestamp: ${timeText(point.timeUnixNano)}`;
    yield* valueLines(point);
    yield* exemplarLines(point.exemplars);
  }
}

function* numberLines(point: DataPoint): Generator<string> {
  if (point.asInt !== undefined) yield `Value: ${point.asInt}`;
  else if (point.asDouble !== undefined) yield `Value: ${fixedDouble(point.asDouble)}`;
}

function* statisticsLines(point: DataPoint): Generator<string> {
  yield `Count: ${point.count ?? '0'}`;
  if (point.sum !== undefined) yield `Sum: ${fixedDouble(point.sum)}`;
  if (point.min !== undefined) yield `Min: ${fixedDouble(point.min)}`;
  if (point.max !== undefined) yield `Max: ${fixedDouble(point.max)}`;
}

function* histogramLines(point: DataPoint): Generator<string> {
  yield* statisticsLines(point);
  for (const [index, bound] of (point.explicitBounds ?? []).entries()) {
    yield `ExplicitBounds #${index}: ${fixedDouble(bound)}`;
  }
  for (const [index, bucketCount] of (point.bucketCounts ?? []).entries()) {
    yield `Buckets #${index}, Count: ${bucketCount}`;
  }
}

/** Bucket i of scale s covers (base^i, base^(i+1)] with base 2^(2^-s); negative ones mirror that. */
function* exponentialLines(point: DataPoint): Generator<string> {
  yield* statisticsLines(point);
  const factor = Math.LN2 * 2 ** -(point.scale ?? 0);
  const bound = (index: number) => Math.exp(index * factor);
  const { offset: negativeOffset = 0, bucketCounts: negative = [] } = point.negative ?? {};
  for (let at = negative.length - 1; at >= 0; at--) {
    const index = negativeOffset + at;
    yield `Bucket [${fixedDouble(-bound(index + 1))}, ${fixedDouble(-bound(index))}), Count: ${negative[at]}`;
  }
  if (point.zeroCount !== undefined) yield `Bucket [0, 0], Count: ${point.zeroCount}`;
  const { offset: positiveOffset = 0, bucketCounts: positive = [] } = point.positive ?? {};
  for (const [at, bucketCount] of positive.entries()) {
    const index = positiveOffset + at;
    yield `Bucket (${fixedDouble(bound(index))}, ${fixedDouble(bound(index + 1))}], Count: ${bucketCount}`;
  }
}

function* summaryLines(point: DataPoint): Generator<string> {
  yield `Count: ${point.count ?? '0'}`;
  yield `Sum: ${fixedDouble(point.sum)}`;
  for (const [index, { quantile, value }] of (point.quantileValues ?? []).entries()) {
    yield `QuantileValue #${index}: Quantile ${fixedDouble(quantile)}, Value ${fixedDouble(value)}`;
  }
}

function* exemplarLines(exemplars: Exemplar[] = []): Generator<string> {
  if (exemplars.length > 0) yield 'Exemplars:';
  for (const [index, exemplar] of exemplars.entries()) {
    yield `Exemplar #${index}`;
    yield `     -> Trace ID: ${exemplar.traceId ?? ''}`;
    yield `     -> Span ID: ${exemplar.spanId ?? ''}`;
    yield `     -> Timestamp: ${timeText(exemplar.timeUnixNano)}`;
    if (exemplar.asInt !== undefined) yield `     -> Value: ${exemplar.asInt}`;
    else if (exemplar.asDouble !== undefined) yield `     -> Value: ${fixedDouble(exemplar.asDouble)}`;
    yield* attributeLines('FilteredAttributes', exemplar.filteredAttributes, '     -> ');
  }
}
