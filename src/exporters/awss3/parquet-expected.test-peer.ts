/** What a data point should look like in a Parquet object, from protobufjs' decode of it: shares no code with the rows. */
import type { Message } from '../../testkit/otlp-arbitraries.ts';
import { type FlatItem, METRIC_DATA } from '../../testkit/otlp-flatten.ts';

const text = (value: unknown): string => (value as string | undefined) ?? '';
const count = (value: unknown): number => (value as number | undefined) ?? 0;
const items = (value: unknown): Message[] => (value as Message[] | undefined) ?? [];
const hex = (value: unknown): string => Buffer.from(text(value), 'base64').toString('hex');
const uint64 = (value: unknown): string =>
  BigInt.asUintN(64, BigInt((value as string | undefined) ?? 0)).toString();

/** DuckDB's microseconds of a time in nanoseconds: rounded towards zero, as its integers are divided. */
function micros(value: unknown): string {
  return (BigInt.asIntN(64, BigInt((value as string | undefined) ?? 0)) / 1000n).toString();
}

/** As DuckDB's client shows a double. */
function double(value: unknown): number | string {
  const number = (value as number | undefined) ?? 0;
  return Number.isFinite(number) ? number : String(number);
}

function doubleText(number: number): string {
  if (Number.isNaN(number)) return 'json: unsupported value: NaN';
  if (!Number.isFinite(number)) return `json: unsupported value: ${number > 0 ? '+' : '-'}Inf`;
  return Object.is(number, -0) ? '-0' : String(number);
}

function valueText(value: Message | undefined): string {
  if (value === undefined) return '';
  if ('array_value' in value || 'kvlist_value' in value) return valueJson(value);
  if ('double_value' in value) return doubleText(value.double_value as number);
  const [scalar] = Object.values(value);
  return scalar === undefined ? '' : String(scalar);
}

function valueJson(value: Message | undefined): string {
  if (value === undefined) return 'null';
  if ('array_value' in value) {
    return `[${items((value.array_value as Message).values)
      .map(valueJson)
      .join(',')}]`;
  }
  if ('kvlist_value' in value) {
    const members = new Map<string, string>();
    for (const { key, value: member } of items((value.kvlist_value as Message).values))
      members.set(text(key), valueJson(member as Message | undefined));
    // In the order of their UTF-8.
    const sorted = [...members].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return `{${sorted.map(([key, json]) => `${quote(key)}:${json}`).join(',')}}`;
  }
  if ('double_value' in value) {
    const number = value.double_value as number;
    return Number.isFinite(number) ? doubleText(number) : 'null';
  }
  if ('string_value' in value) return quote(value.string_value as string);
  if ('bytes_value' in value) return value.bytes_value === '' ? 'null' : `"${String(value.bytes_value)}"`;
  const [scalar] = Object.values(value);
  return scalar === undefined ? 'null' : String(scalar);
}

function quote(value: string): string {
  return JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

/** Of attributes with one key the first. */
function map(attributes: unknown): Message[] {
  const entries = new Map<string, string>();
  for (const { key, value } of items(attributes)) {
    if (!entries.has(text(key))) entries.set(text(key), valueText(value as Message | undefined));
  }
  return Array.from(entries, ([key, value]) => ({ key, value }));
}

const numberOf = (point: Message) =>
  double(point.as_int === undefined ? point.as_double : Number(point.as_int));

/** One row with all columns of its kind, as objects of the client's JSON. */
export function expectedPoint(flat: FlatItem): Message {
  const metric = flat.metric as Message;
  const point = flat.item;
  const resource = flat.resource as Message | undefined;
  const scope = flat.scope as Message | undefined;
  const kind = METRIC_DATA.find((name) => name in metric)!;
  const resourceAttributes = map(resource?.attributes);
  return {
    ResourceAttributes: resourceAttributes,
    ResourceSchemaUrl: text(flat.resourceSchemaUrl),
    ScopeName: text(scope?.name),
    ScopeVersion: text(scope?.version),
    ScopeAttributes: map(scope?.attributes),
    ScopeDroppedAttrCount: count(scope?.dropped_attributes_count),
    ScopeSchemaUrl: text(flat.scopeSchemaUrl),
    ServiceName: text(resourceAttributes.find(({ key }) => key === 'service.name')?.value),
    MetricName: text(metric.name),
    MetricDescription: text(metric.description),
    MetricUnit: text(metric.unit),
    Attributes: map(point.attributes),
    StartTimeUnix: micros(point.start_time_unix_nano),
    TimeUnix: micros(point.time_unix_nano),
    Flags: count(point.flags),
    ...valuesOf(kind, point),
    ...(kind === 'summary' ? {} : { Exemplars: items(point.exemplars).map(exemplarOf) }),
    ...(kind === 'summary' || kind === 'gauge'
      ? {}
      : { AggregationTemporality: count((metric[kind] as Message).aggregation_temporality) }),
    ...(kind === 'sum' ? { IsMonotonic: (metric.sum as Message).is_monotonic ?? false } : {}),
  };
}

function exemplarOf(exemplar: Message): Message {
  return {
    FilteredAttributes: map(exemplar.filtered_attributes),
    TimeUnix: micros(exemplar.time_unix_nano),
    Value: numberOf(exemplar),
    SpanId: hex(exemplar.span_id),
    TraceId: hex(exemplar.trace_id),
  };
}

function valuesOf(kind: (typeof METRIC_DATA)[number], point: Message): Message {
  if (kind === 'gauge' || kind === 'sum') return { Value: numberOf(point) };
  const row: Message = { Count: uint64(point.count), Sum: double(point.sum) };
  if (kind === 'summary') {
    row.ValueAtQuantiles = items(point.quantile_values).map((each) => ({
      Quantile: double(each.quantile),
      Value: double(each.value),
    }));
    return row;
  }
  row.Min = double(point.min);
  row.Max = double(point.max);
  if (kind === 'histogram') {
    row.BucketCounts = ((point.bucket_counts as string[] | undefined) ?? []).map(uint64);
    row.ExplicitBounds = ((point.explicit_bounds as number[] | undefined) ?? []).map(double);
    return row;
  }
  row.Scale = count(point.scale);
  row.ZeroCount = uint64(point.zero_count);
  for (const side of ['Positive', 'Negative'] as const) {
    const buckets = point[side.toLowerCase()] as Message | undefined;
    row[`${side}Offset`] = count(buckets?.offset);
    row[`${side}BucketCounts`] = ((buckets?.bucket_counts as string[] | undefined) ?? []).map(uint64);
  }
  return row;
}
