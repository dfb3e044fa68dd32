/**
 * The OTLP messages that generated requests use, as one table that both encoders walk: protobuf and OTLP/JSON
 * come from the same model, and neither shares a line with the decoders they are used to test.
 * Field numbers: opentelemetry/proto/{common,resource,trace,logs,metrics}/v1.
 */

/**
 * What a field holds. `id` is bytes written as hex in JSON; `int64` is a varint and `fixed64` eight bytes, both
 * decimal strings in JSON; `double[]`, `fixed64[]` and `uint64[]` are packed; a capital letter names a message.
 */
export interface FieldSpec {
  readonly number: number;
  readonly name: string;
  readonly type: string;
  readonly isRepeated: boolean;
}

const MESSAGES: Readonly<Record<string, string>> = {
  TracesData: '1 resourceSpans ResourceSpans*',
  ResourceSpans: '1 resource Resource, 2 scopeSpans ScopeSpans*, 3 schemaUrl string',
  ScopeSpans: '1 scope InstrumentationScope, 2 spans Span*, 3 schemaUrl string',
  Resource: '1 attributes KeyValue*',
  InstrumentationScope: '1 name string, 2 version string',
  KeyValue: '1 key string, 2 value AnyValue',
  AnyValue:
    '1 stringValue string, 2 boolValue bool, 3 intValue int64, 4 doubleValue double, 5 arrayValue ArrayValue',
  ArrayValue: '1 values AnyValue*',
  Span:
    '1 traceId id, 2 spanId id, 3 traceState string, 4 parentSpanId id, 5 name string, 6 kind int, ' +
    '7 startTimeUnixNano fixed64, 8 endTimeUnixNano fixed64, 9 attributes KeyValue*, 11 events Event*, ' +
    '13 links Link*, 15 status Status, 16 flags fixed32',
  Event: '1 timeUnixNano fixed64, 2 name string, 3 attributes KeyValue*',
  Link: '1 traceId id, 2 spanId id, 4 attributes KeyValue*, 6 flags fixed32',
  Status: '2 message string, 3 code int',
  LogsData: '1 resourceLogs ResourceLogs*',
  ResourceLogs: '1 resource Resource, 2 scopeLogs ScopeLogs*, 3 schemaUrl string',
  ScopeLogs: '1 scope InstrumentationScope, 2 logRecords LogRecord*, 3 schemaUrl string',
  LogRecord:
    '1 timeUnixNano fixed64, 2 severityNumber int, 3 severityText string, 5 body AnyValue, ' +
    '6 attributes KeyValue*, 8 flags fixed32, 9 traceId id, 10 spanId id, 11 observedTimeUnixNano fixed64, ' +
    '12 eventName string',
  MetricsData: '1 resourceMetrics ResourceMetrics*',
  ResourceMetrics: '1 resource Resource, 2 scopeMetrics ScopeMetrics*, 3 schemaUrl string',
  ScopeMetrics: '1 scope InstrumentationScope, 2 metrics Metric*, 3 schemaUrl string',
  Metric:
    '1 name string, 2 description string, 3 unit string, 5 gauge Gauge, 7 sum Sum, 9 histogram Histogram, ' +
    '10 exponentialHistogram ExponentialHistogram, 11 summary Summary',
  Gauge: '1 dataPoints NumberDataPoint*',
  Sum: '1 dataPoints NumberDataPoint*, 2 aggregationTemporality int, 3 isMonotonic bool',
  Histogram: '1 dataPoints HistogramDataPoint*, 2 aggregationTemporality int',
  ExponentialHistogram: '1 dataPoints ExponentialHistogramDataPoint*, 2 aggregationTemporality int',
  Summary: '1 dataPoints SummaryDataPoint*',
  NumberDataPoint:
    '2 startTimeUnixNano fixed64, 3 timeUnixNano fixed64, 4 asDouble double, 5 exemplars Exemplar*, ' +
    '6 asInt fixed64, 7 attributes KeyValue*',
  HistogramDataPoint:
    '2 startTimeUnixNano fixed64, 3 timeUnixNano fixed64, 4 count fixed64, 5 sum double, ' +
    '6 bucketCounts fixed64[], 7 explicitBounds double[], 8 exemplars Exemplar*, 9 attributes KeyValue*, ' +
    '11 min double, 12 max double',
  ExponentialHistogramDataPoint:
    '1 attributes KeyValue*, 2 startTimeUnixNano fixed64, 3 timeUnixNano fixed64, 4 count fixed64, 5 sum double, ' +
    '6 scale sint, 7 zeroCount fixed64, 8 positive Buckets, 9 negative Buckets, 12 min double, 13 max double',
  Buckets: '1 offset sint, 2 bucketCounts uint64[]',
  SummaryDataPoint:
    '2 startTimeUnixNano fixed64, 3 timeUnixNano fixed64, 4 count fixed64, 5 sum double, ' +
    '6 quantileValues ValueAtQuantile*, 7 attributes KeyValue*',
  ValueAtQuantile: '1 quantile double, 2 value double',
  Exemplar: '2 timeUnixNano fixed64, 3 asDouble double, 4 spanId id, 5 traceId id',
};

function parseFields(text: string): FieldSpec[] {
  return text.split(', ').map((entry) => {
    const [number = '', name = '', type = ''] = entry.split(' ');
    const isRepeated = type.endsWith('*');
    return { number: Number(number), name, type: isRepeated ? type.slice(0, -1) : type, isRepeated };
  });
}

const FIELDS = new Map(Object.entries(MESSAGES).map(([name, text]) => [name, parseFields(text)]));

/** Fields of a message in the order of their numbers; undefined for a scalar type. */
export function fieldsOf(type: string): readonly FieldSpec[] | undefined {
  return FIELDS.get(type);
}

/** What is written anew into each request. `digits` are eight decimal digits inside a text. */
export type PatchKind =
  | 'traceId'
  | 'spanId'
  | 'time'
  | 'userDigits'
  | 'itemDigits'
  | 'seqDigits'
  | 'double'
  | 'counter';

/** A place in a request that changes from request to request. */
export interface Patch {
  readonly kind: PatchKind;
  /** Number of the trace or item inside the request that it belongs to; for `time` nanoseconds before the request. */
  readonly index: number;
  /** Constant text around digits. */
  readonly before?: string;
  readonly after?: string;
}

export type FieldValue =
  | string
  | number
  | boolean
  | Patch
  | readonly number[]
  | MessageModel
  | readonly MessageModel[]
  | undefined;

/** One message by its JSON field names; absent fields are undefined or left out. */
export interface MessageModel {
  readonly [field: string]: FieldValue;
}

export function isPatch(value: FieldValue): value is Patch {
  return typeof value === 'object' && !Array.isArray(value) && 'kind' in value && 'index' in value;
}
