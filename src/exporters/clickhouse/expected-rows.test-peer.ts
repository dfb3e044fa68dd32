/** What a request should look like in the tables, from protobufjs' decode of it: shares no code with the encoders. */
import type { Signal } from '../../component/signal.ts';
import type { Message } from '../../testkit/otlp-arbitraries.ts';
import { type FlatItem, flattenRequest } from '../../testkit/otlp-flatten.ts';

export interface ExpectedRow {
  table: string;
  row: Record<string, unknown>;
}

const KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const STATUSES = ['Unset', 'Ok', 'Error'];

/** Rows of one request by table, in the order of the wire. */
export function expectedRows(signal: Signal, request: Uint8Array): ExpectedRow[] {
  return flattenRequest(signal, request).map((flat) => {
    if (signal === 'traces') return { table: 'traces', row: spanRow(flat) };
    if (signal === 'logs') return { table: 'logs', row: logRow(flat) };
    return pointRow(flat);
  });
}

const text = (value: unknown): string => (value === undefined ? '' : (value as string));
const count = (value: unknown): number => (value as number | undefined) ?? 0;
const hex = (value: unknown): string =>
  Buffer.from((value as string | undefined) ?? '', 'base64').toString('hex');
const uint64 = (value: unknown): string =>
  BigInt.asUintN(64, BigInt((value as string | undefined) ?? 0)).toString();
const nanos = (value: unknown): string =>
  BigInt.asIntN(64, BigInt((value as string | undefined) ?? 0)).toString();
const items = (value: unknown): Message[] => (value as Message[] | undefined) ?? [];

/** As JSON shows a Float64: not-a-number and the infinities in words. */
function float(value: unknown): number | string {
  const number = (value as number | undefined) ?? 0;
  if (Number.isNaN(number)) return 'nan';
  if (Number.isFinite(number)) return number;
  return number > 0 ? 'inf' : '-inf';
}

function doubleText(value: number): string {
  if (Object.is(value, -0)) return '-0';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
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
    const members = items((value.kvlist_value as Message).values);
    return `{${members.map((member) => `${JSON.stringify(text(member.key))}:${valueJson(member.value as Message)}`).join(',')}}`;
  }
  if ('double_value' in value) {
    const number = value.double_value as number;
    return Number.isFinite(number) ? doubleText(number) : `"${doubleText(number)}"`;
  }
  if ('string_value' in value || 'bytes_value' in value) {
    return JSON.stringify(text(value.string_value ?? value.bytes_value));
  }
  const [scalar] = Object.values(value);
  return scalar === undefined ? 'null' : String(scalar);
}

function pairs(attributes: unknown): [string, string][] {
  return items(attributes).map((pair) => [text(pair.key), valueText(pair.value as Message | undefined)]);
}

function serviceName(resource: Message | undefined): string {
  return pairs(resource?.attributes).find(([key]) => key === 'service.name')?.[1] ?? '';
}

function originRow(flat: FlatItem): Record<string, unknown> {
  const resource = flat.resource as Message | undefined;
  const scope = flat.scope as Message | undefined;
  return {
    ServiceName: serviceName(resource),
    ResourceAttributes: pairs(resource?.attributes),
    ScopeName: text(scope?.name),
    ScopeVersion: text(scope?.version),
  };
}

function wideOriginRow(flat: FlatItem): Record<string, unknown> {
  return {
    ...originRow(flat),
    ResourceSchemaUrl: text(flat.resourceSchemaUrl),
    ScopeSchemaUrl: text(flat.scopeSchemaUrl),
    ScopeAttributes: pairs((flat.scope as Message | undefined)?.attributes),
  };
}

function spanRow(flat: FlatItem): Record<string, unknown> {
  const span = flat.item;
  const start = BigInt((span.start_time_unix_nano as string | undefined) ?? 0);
  const end = BigInt((span.end_time_unix_nano as string | undefined) ?? 0);
  const status = span.status as Message | undefined;
  const events = items(span.events);
  const links = items(span.links);
  return {
    ...originRow(flat),
    Timestamp: nanos(span.start_time_unix_nano),
    TraceId: hex(span.trace_id),
    SpanId: hex(span.span_id),
    ParentSpanId: hex(span.parent_span_id),
    TraceState: text(span.trace_state),
    SpanName: text(span.name),
    SpanKind: KINDS[count(span.kind)],
    SpanAttributes: pairs(span.attributes),
    Duration: (end > start ? end - start : 0n).toString(),
    StatusCode: STATUSES[count(status?.code)],
    StatusMessage: text(status?.message),
    'Events.Timestamp': events.map((event) => nanos(event.time_unix_nano)),
    'Events.Name': events.map((event) => text(event.name)),
    'Events.Attributes': events.map((event) => pairs(event.attributes)),
    'Links.TraceId': links.map((link) => hex(link.trace_id)),
    'Links.SpanId': links.map((link) => hex(link.span_id)),
    'Links.TraceState': links.map((link) => text(link.trace_state)),
    'Links.Attributes': links.map((link) => pairs(link.attributes)),
  };
}

function logRow(flat: FlatItem): Record<string, unknown> {
  const record = flat.item;
  const time = nanos(record.time_unix_nano);
  return {
    ...wideOriginRow(flat),
    Timestamp: time === '0' ? nanos(record.observed_time_unix_nano) : time,
    TraceId: hex(record.trace_id),
    SpanId: hex(record.span_id),
    TraceFlags: count(record.flags) & 255,
    SeverityText: text(record.severity_text),
    SeverityNumber: count(record.severity_number),
    Body: valueText(record.body as Message | undefined),
    LogAttributes: pairs(record.attributes),
    EventName: text(record.event_name),
  };
}

function pointRow(flat: FlatItem): ExpectedRow {
  const metric = flat.metric as Message;
  const point = flat.item;
  const table =
    ['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary'].find((key) => key in metric) ?? '';
  const data = metric[table] as Message;
  const exemplars = items(point.exemplars);
  const row: Record<string, unknown> = {
    ...wideOriginRow(flat),
    ScopeDroppedAttrCount: count((flat.scope as Message | undefined)?.dropped_attributes_count),
    MetricName: text(metric.name),
    MetricDescription: text(metric.description),
    MetricUnit: text(metric.unit),
    Attributes: pairs(point.attributes),
    StartTimeUnix: nanos(point.start_time_unix_nano),
    TimeUnix: nanos(point.time_unix_nano),
    Flags: count(point.flags),
    ...pointValues(table, point),
  };
  if (table !== 'summary') {
    row['Exemplars.FilteredAttributes'] = exemplars.map((exemplar) => pairs(exemplar.filtered_attributes));
    row['Exemplars.TimeUnix'] = exemplars.map((exemplar) => nanos(exemplar.time_unix_nano));
    row['Exemplars.Value'] = exemplars.map(numberOf);
    row['Exemplars.SpanId'] = exemplars.map((exemplar) => hex(exemplar.span_id));
    row['Exemplars.TraceId'] = exemplars.map((exemplar) => hex(exemplar.trace_id));
  }
  if (table !== 'summary' && table !== 'gauge')
    row.AggregationTemporality = count(data.aggregation_temporality);
  if (table === 'sum') row.IsMonotonic = data.is_monotonic ?? false;
  return { table, row };
}

function numberOf(point: Message): number | string {
  return float(point.as_int === undefined ? point.as_double : Number(point.as_int));
}

function pointValues(table: string, point: Message): Record<string, unknown> {
  if (table === 'gauge' || table === 'sum') return { Value: numberOf(point) };
  const row: Record<string, unknown> = { Count: uint64(point.count), Sum: float(point.sum) };
  if (table === 'summary') {
    const quantiles = items(point.quantile_values);
    row['ValueAtQuantiles.Quantile'] = quantiles.map((each) => float(each.quantile));
    row['ValueAtQuantiles.Value'] = quantiles.map((each) => float(each.value));
    return row;
  }
  row.Min = float(point.min);
  row.Max = float(point.max);
  if (table === 'histogram') {
    row.BucketCounts = ((point.bucket_counts as string[] | undefined) ?? []).map(uint64);
    row.ExplicitBounds = ((point.explicit_bounds as number[] | undefined) ?? []).map(float);
    return row;
  }
  const positive = point.positive as Message | undefined;
  const negative = point.negative as Message | undefined;
  row.Scale = count(point.scale);
  row.ZeroCount = uint64(point.zero_count);
  row.PositiveOffset = count(positive?.offset);
  row.PositiveBucketCounts = ((positive?.bucket_counts as string[] | undefined) ?? []).map(uint64);
  row.NegativeOffset = count(negative?.offset);
  row.NegativeBucketCounts = ((negative?.bucket_counts as string[] | undefined) ?? []).map(uint64);
  return row;
}
