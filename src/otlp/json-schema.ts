/*
 * The messages of OTLP as the JSON codec sees them (opentelemetry/proto/{trace,metrics,logs,common,resource}/v1 and
 * the export requests of opentelemetry/proto/collector). A test compares every line with the official descriptors.
 *
 * One field is `name number type`, in the order of the .proto file, which is also the order in which JSON is written:
 *   id      bytes that JSON writes as hex text (trace and span ids)
 *   name*   repeated; numbers are packed on the wire
 *   name?   explicit presence (`optional`): written even when it is zero
 *   name|   member of the message's oneof: written even when it is zero, the last one set wins
 *   name!   a message that JSON always shows, as `{}` when it is absent; the Collector writes these so
 * Types with a capital are messages of this table or enums of ENUM_SCHEMA.
 *
 * The fields that only profiles use (key_strindex, string_value_strindex) belong to no signal carried here, and the
 * Collector's JSON reader does not know them either: in JSON they count as unknown.
 */

/** What surrounds a data point of each kind: times, and attributes where all of them have number 7. */
const POINT_TIMES = 'start_time_unix_nano 2 fixed64, time_unix_nano 3 fixed64';

export const MESSAGE_SCHEMA: Readonly<Record<string, string>> = {
  ExportTraceServiceRequest: 'resource_spans* 1 ResourceSpans',
  ExportMetricsServiceRequest: 'resource_metrics* 1 ResourceMetrics',
  ExportLogsServiceRequest: 'resource_logs* 1 ResourceLogs',

  Resource: 'attributes* 1 KeyValue, dropped_attributes_count 2 uint32, entity_refs* 3 EntityRef',
  EntityRef: 'schema_url 1 string, type 2 string, id_keys* 3 string, description_keys* 4 string',
  InstrumentationScope:
    'name 1 string, version 2 string, attributes* 3 KeyValue, dropped_attributes_count 4 uint32',
  KeyValue: 'key 1 string, value! 2 AnyValue',
  AnyValue: `string_value| 1 string, bool_value| 2 bool, int_value| 3 int64, double_value| 4 double,
    array_value| 5 ArrayValue, kvlist_value| 6 KeyValueList, bytes_value| 7 bytes`,
  ArrayValue: 'values* 1 AnyValue',
  KeyValueList: 'values* 1 KeyValue',

  ResourceSpans: 'resource! 1 Resource, scope_spans* 2 ScopeSpans, schema_url 3 string',
  ScopeSpans: 'scope! 1 InstrumentationScope, spans* 2 Span, schema_url 3 string',
  Span: `trace_id 1 id, span_id 2 id, trace_state 3 string, parent_span_id 4 id, flags 16 fixed32, name 5 string,
    kind 6 SpanKind, start_time_unix_nano 7 fixed64, end_time_unix_nano 8 fixed64, attributes* 9 KeyValue,
    dropped_attributes_count 10 uint32, events* 11 Event, dropped_events_count 12 uint32, links* 13 Link,
    dropped_links_count 14 uint32, status! 15 Status`,
  Event: `time_unix_nano 1 fixed64, name 2 string, attributes* 3 KeyValue, dropped_attributes_count 4 uint32`,
  Link: `trace_id 1 id, span_id 2 id, trace_state 3 string, attributes* 4 KeyValue,
    dropped_attributes_count 5 uint32, flags 6 fixed32`,
  Status: 'message 2 string, code 3 StatusCode',

  ResourceLogs: 'resource! 1 Resource, scope_logs* 2 ScopeLogs, schema_url 3 string',
  ScopeLogs: 'scope! 1 InstrumentationScope, log_records* 2 LogRecord, schema_url 3 string',
  LogRecord: `time_unix_nano 1 fixed64, observed_time_unix_nano 11 fixed64, severity_number 2 SeverityNumber,
    severity_text 3 string, body! 5 AnyValue, attributes* 6 KeyValue, dropped_attributes_count 7 uint32,
    flags 8 fixed32, trace_id 9 id, span_id 10 id, event_name 12 string`,

  ResourceMetrics: 'resource! 1 Resource, scope_metrics* 2 ScopeMetrics, schema_url 3 string',
  ScopeMetrics: 'scope! 1 InstrumentationScope, metrics* 2 Metric, schema_url 3 string',
  Metric: `name 1 string, description 2 string, unit 3 string, gauge| 5 Gauge, sum| 7 Sum, histogram| 9 Histogram,
    exponential_histogram| 10 ExponentialHistogram, summary| 11 Summary, metadata* 12 KeyValue`,
  Gauge: 'data_points* 1 NumberDataPoint',
  Sum: 'data_points* 1 NumberDataPoint, aggregation_temporality 2 AggregationTemporality, is_monotonic 3 bool',
  Histogram: 'data_points* 1 HistogramDataPoint, aggregation_temporality 2 AggregationTemporality',
  ExponentialHistogram:
    'data_points* 1 ExponentialHistogramDataPoint, aggregation_temporality 2 AggregationTemporality',
  Summary: 'data_points* 1 SummaryDataPoint',
  NumberDataPoint: `attributes* 7 KeyValue, ${POINT_TIMES}, as_double| 4 double, as_int| 6 sfixed64,
    exemplars* 5 Exemplar, flags 8 uint32`,
  HistogramDataPoint: `attributes* 9 KeyValue, ${POINT_TIMES}, count 4 fixed64, sum? 5 double,
    bucket_counts* 6 fixed64, explicit_bounds* 7 double, exemplars* 8 Exemplar, flags 10 uint32, min? 11 double,
    max? 12 double`,
  ExponentialHistogramDataPoint: `attributes* 1 KeyValue, ${POINT_TIMES}, count 4 fixed64, sum? 5 double,
    scale 6 sint32, zero_count 7 fixed64, positive! 8 Buckets, negative! 9 Buckets, flags 10 uint32,
    exemplars* 11 Exemplar, min? 12 double, max? 13 double, zero_threshold 14 double`,
  Buckets: 'offset 1 sint32, bucket_counts* 2 uint64',
  SummaryDataPoint: `attributes* 7 KeyValue, ${POINT_TIMES}, count 4 fixed64, sum 5 double,
    quantile_values* 6 ValueAtQuantile, flags 8 uint32`,
  ValueAtQuantile: 'quantile 1 double, value 2 double',
  Exemplar: `filtered_attributes* 7 KeyValue, time_unix_nano 2 fixed64, as_double| 3 double, as_int| 6 sfixed64,
    span_id 4 id, trace_id 5 id`,
};

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

/** Value names of the enums, by number; JSON may use them in place of the number. */
export const ENUM_SCHEMA: Readonly<Record<string, readonly string[]>> = {
  SpanKind: ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'].map(
    (n) => `SPAN_KIND_${n}`,
  ),
  StatusCode: ['UNSET', 'OK', 'ERROR'].map((name) => `STATUS_CODE_${name}`),
  SeverityNumber: [
    'UNSPECIFIED',
    ...LEVELS.flatMap((level) => [level, `${level}2`, `${level}3`, `${level}4`]),
  ].map((name) => `SEVERITY_NUMBER_${name}`),
  AggregationTemporality: ['UNSPECIFIED', 'DELTA', 'CUMULATIVE'].map((n) => `AGGREGATION_TEMPORALITY_${n}`),
};
