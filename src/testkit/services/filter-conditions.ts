/** Conditions for the generated items of condition-requests.ts: each operator, path and converter at least once. */
import type { Signal } from '../../component/signal.ts';

export interface FilterCase {
  /** For a message of the test. */
  name: string;
  config: Record<string, unknown>;
}

/** Half of all texts, whichever they are: the digest of a wrong one is on the wrong side as often as not. */
const half = (text: string) => `SHA256(${text}) < "8"`;
const VALUES = ['attributes["x"]', 'attributes["code"]'];
const OPERATORS = ['==', '!=', '<', '<=', '>', '>='];
const LITERALS = ['503', '5.0', '"a"', '"503"', 'true', 'nil', '0x0102', '[1, 2]', '{"k": 1}', '-1'];

const comparisons = OPERATORS.flatMap((operator) =>
  LITERALS.map((literal) => `attributes["x"] ${operator} ${literal}`),
);

const COMMON = [
  ...comparisons,
  ...OPERATORS.map((operator) => `attributes["x"] ${operator} attributes["y"]`),
  '503 <= attributes["code"]',
  'not (attributes["x"] == nil or attributes["y"] == nil)',
  'attributes["x"] == nil and attributes["y"] != nil or attributes["code"] == 503',
  'attributes["int"] * 2 - 1 > 100 / 3 + 7',
  'attributes["int"] / 7 == 3',
  'attributes["int"] / attributes["code"] < 1',
  'attributes["x"] + attributes["code"] > 1',
  '-attributes["x"] < 1.5',
  'attributes["x"]["k"] == nil',
  'attributes["x"]["k"] == "a"',
  'attributes["x"][0] != nil',
  'attributes["list"][attributes["int"] - attributes["int"]] > 3',
  'attributes[attributes["x"]] == nil',
  ...['IsString', 'IsInt', 'IsDouble', 'IsBool', 'IsMap', 'IsList', 'IsEmpty'].map(
    (name) => `${name}(attributes["x"])`,
  ),
  ...VALUES.flatMap((value) => [
    `IsMatch(${value}, "^[a-z]")`,
    `IsMatch(${value}, "[05]")`,
    half(`String(${value})`),
    `Int(${value}) > 3`,
    `Int(${value}) == nil`,
    `Double(${value}) > 3.5`,
    `Bool(${value}) == true`,
    `Hex(${value}) > "4"`,
    `Len(${value}) >= 2`,
    // Go prints maps and lists with the addresses of their memory.
    `not IsMap(${value}) and not IsList(${value}) and ${half(`Format("%v|%s|%d|%5.1f|%q|%x", [${value}, "t", 5, 2.25, "q", "x"])`)}`,
    half(`Concat([${value}, attributes["y"], "z"], "-")`),
    `Coalesce([attributes["none"], ${value}, 5]) == 5`,
    `ContainsValue(attributes["list"], ${value})`,
    `Index(attributes["list"], ${value}) >= 0`,
  ]),
  'IsMatch(attributes["x"], attributes["text"])',
  ...['MD5', 'SHA1', 'SHA256', 'SHA512'].map((name) => `${name}(attributes["text"]) < "8"`),
  'FNV(attributes["text"]) > 0',
  'Murmur3Hash(attributes["text"]) < "8" or Murmur3Hash128(attributes["text"]) < "4"',
  half('Murmur3Hash(attributes["text"])'),
  half('Murmur3Hash128(attributes["text"])'),
  half('CommunityID(attributes["text"], 80, "10.1.2.3", 53, "UDP")'),
  half('CommunityID("2001:db8::9", 80, attributes["text"], 53, seed=7)'),
  'ParseSeverity(attributes["code"], {"error": [{"range": "5xx"}, {"equals": ["a", "GET"]}]}) == "error"',
  'ParseSeverity(attributes["code"], {"low": [{"range": {"min": -1, "max": 404}}]}) == "low"',
  ...['ToLowerCase', 'ToUpperCase', 'ToSnakeCase', 'ToCamelCase', 'Trim', 'Base64Encode'].map((name) =>
    half(`${name}(attributes["text"])`),
  ),
  half('ConvertCase(attributes["text"], "snake")'),
  half('Trim(attributes["text"], "a1/ ")'),
  half('TrimPrefix(attributes["text"], "/api")'),
  half('TrimSuffix(attributes["text"], "T")'),
  'HasPrefix(attributes["text"], "/") or HasSuffix(attributes["text"], "}")',
  'HasPrefix(Substring(attributes["text"], 1, 3), "a")',
  half('Substring(attributes["text"], 3, 4, true)'),
  half('Split(attributes["text"], " ")[0]'),
  'Len(Split(attributes["text"], "")) > 5',
  'Decode(attributes["text"], "base64") == "hello"',
  'Decode(attributes["text"], "base64-raw") == "hello"',
  'ParseInt(attributes["text"], 10) > 0',
  'ParseInt(attributes["text"], 0) == 31',
  'ParseJSON(attributes["text"])["a"] == 1',
  'IsList(ParseJSON(attributes["text"]))',
  'ParseKeyValue(attributes["text"])["a"] == "1"',
  'ParseKeyValue(attributes["text"])["k"] == "v w"',
  'ParseCSV(attributes["text"], "a,b,c")["b"] == "y,z"',
  'ParseCSV(attributes["text"], "a", mode="lazyQuotes")["a"] > "a"',
  'ExtractPatterns(attributes["text"], "(?P<n>[0-9]+)")["n"] > "2"',
  'URL(attributes["text"])["url.password"] == "p" and URL(attributes["text"])["url.extension"] == "gz"',
  half('URL(attributes["text"])["url.path"]'),
  'URL(attributes["text"])["url.domain"] == ""',
  'IsInCIDR(attributes["text"], ["10.0.0.0/8", "2001:db8::/32"])',
  'IsValidLuhn(attributes["text"])',
  'Duration(attributes["text"]) > Duration("1s")',
  'Minutes(Duration(attributes["text"])) == 90.0 or Milliseconds(Duration(attributes["text"])) == 1',
  'Log(attributes["x"]) > 1.0',
  'Keys(attributes)[0] == "x"',
  'Len(Values(attributes)) > 4 and Len(Keys(resource.attributes)) > 2',
  'Sort(attributes["list"])[0] == 1 or Sort(attributes["list"], "desc")[0] == 8',
  'Sort(attributes["x"])[0] != nil',
  'SliceToMap(attributes["list"])["0"] == 3',
  half('ToKeyValueString(attributes["x"])'),
  half('ToKeyValueString(attributes["x"], ":", ",", true)'),
  'resource.attributes["zone"] == attributes["x"]',
  'resource.schema_url == "https://x/1" and resource.dropped_attributes_count > 0',
  'instrumentation_scope.name == "lib" and instrumentation_scope.version != ""',
  'instrumentation_scope.attributes["x"] != nil',
];

const SPANS = [
  ...[
    'kind == SPAN_KIND_SERVER',
    'kind.string == "Client"',
    'kind.deprecated_string == "SPAN_KIND_PRODUCER"',
  ],
  'kind > 2 and status.code != STATUS_CODE_ERROR',
  'status.message == "failed"',
  'IsMatch(name, "^/api/v[0-9]+/(pay|cart)")',
  'name > "a"',
  'end_time_unix_nano - start_time_unix_nano > 1000000000',
  'end_time - start_time <= Duration("1s")',
  'start_time < Unix(1701000000)',
  'UnixMilli(start_time) > 1701000000000',
  'start_time + Duration("1h") > end_time',
  ...['IsRootSpan()', 'not IsRootSpan()', 'parent_span_id == SpanID(0x0000000000000000)'],
  'parent_span_id.string == "" or parent_span_id.string == "0000000000000000"',
  'trace_id.string < "8" and span_id.string > "4"',
  'trace_id != TraceID(0x0102030405060708090a0b0c0d0e0f10)',
  'trace_id == span_id',
  'trace_state["a"] == "1"',
  'trace_state["vendor@x"] == "ok"',
  'trace_state["none"] == nil',
  'trace_state > "a"',
  'Len(events) > 1 or Len(links) == 0',
  'dropped_events_count + flags > 2',
  'IsList(events)',
  'FormatTime(start_time, "%H") < "12"',
  'Hour(start_time) < 12 and Minute(end_time) > 20 and Weekday(start_time) != 0',
  'Year(start_time) == 2023 or Day(start_time) > 15 or Month(start_time) == 12',
  half('FormatTime(start_time, "%A %e %B %y %l:%M:%S.%L %p %z %j")'),
  half('FormatTime(end_time, "%D %T %h %e %I %P")'),
  half('FormatTime(Time(attributes["text"], "%Y-%m-%dT%H:%M:%S%z"), "%c")'),
  'Time(attributes["text"], "%Y-%m-%d %H:%M:%S.%L", "America/New_York") == Unix(1688472550, 123000000)',
  'Time(attributes["text"], "%F %T.%L") < Unix(1688458151)',
  half('FormatTime(start_time, "%Y-%m-%dT%H:%M:%S.%f")'),
  'TruncateTime(start_time, Duration("1h")) == start_time',
];

const RECORDS = [
  'severity_number >= SEVERITY_NUMBER_WARN and severity_text != ""',
  'body == "a"',
  'body == 5',
  'IsMatch(body, "[0-9]{3}")',
  'body["k"] == nil',
  'body[0] == 1',
  half('body.string'),
  half('String(body)'),
  'observed_time_unix_nano == 0',
  'time > observed_time',
  'trace_id == TraceID(0x00000000000000000000000000000000)',
  'span_id.string == "0000000000000000" or flags == 1',
  'event_name == "login"',
];

const POINTS = [
  'metric.name == "latency" and metric.unit == "ms"',
  'metric.type == METRIC_DATA_TYPE_SUM or metric.type == METRIC_DATA_TYPE_SUMMARY',
  'metric.aggregation_temporality == AGGREGATION_TEMPORALITY_DELTA',
  'metric.is_monotonic == true',
  'metric.is_monotonic == nil',
  ...['value_int > 5', 'value_double < 1.5', 'value_double == nil', 'value_int == 0 and value_double == 0.0'],
  ...[
    'count >= 50',
    'sum > 12.5',
    'count == nil',
    'scale < 0',
    'zero_count == 2',
    'flags == FLAG_NO_RECORDED_VALUE',
  ],
  ...[
    'Len(explicit_bounds) == 2',
    'ContainsValue(explicit_bounds, 0.5)',
    'Index(bucket_counts, 3) >= 0',
    'IsList(explicit_bounds)',
  ],
  ...[
    'positive.offset > 0',
    'Len(negative.bucket_counts) > 1',
    'Len(quantile_values) > 1',
    'Len(exemplars) == 1',
  ],
  'Len(metric.data_points) == 3',
  'time_unix_nano > start_time_unix_nano',
];

const METRICS = [
  'name == "b.c" or description == "d"',
  'HasAttrKeyOnDatapoint("y")',
  'HasAttrOnDatapoint("x", "a")',
  'HasAttrOnDatapoint("x", "")',
  'Len(data_points) > 1 and type != METRIC_DATA_TYPE_GAUGE',
];

const block = (signal: Signal, context: string, conditions: readonly string[]): FilterCase[] =>
  conditions.map((condition) => ({ name: condition, config: { [signal]: { [context]: [condition] } } }));

const mixed = (name: string, config: Record<string, unknown>): FilterCase => ({ name, config });

export const FILTER_CASES: Readonly<Record<Signal, readonly FilterCase[]>> = {
  traces: [
    ...block('traces', 'span', [...COMMON, ...SPANS]),
    ...block('traces', 'resource', [
      'attributes["zone"] == nil',
      'attributes["x"] == 503',
      'schema_url == ""',
    ]),
    ...block('traces', 'spanevent', [
      'name == "exception" and attributes["x"] != nil',
      'span.attributes["x"] == attributes["x"]',
    ]),
    mixed('blocks together', {
      traces: {
        resource: ['IsString(attributes["zone"])'],
        span: ['attributes["int"] > 200', 'attributes["x"] + 1 == 2', 'name == ""'],
        spanevent: ['attributes["y"] == nil'],
      },
    }),
    mixed('conditions that tell their context', {
      trace_conditions: [
        'span.attributes["int"] < 0',
        'resource.attributes["zone"] == nil',
        'scope.name == "net"',
        'spanevent.name == ""',
      ],
    }),
    mixed('groups', {
      error_mode: 'silent',
      trace_conditions: [
        { context: 'spanevent', conditions: ['attributes["x"] == nil'], error_mode: 'ignore' },
        { context: 'span', conditions: ['Len(events) == 0'] },
        { conditions: ['span.kind == SPAN_KIND_CLIENT', 'scope.version == ""'] },
      ],
    }),
  ],
  logs: [
    ...block('logs', 'log_record', [...COMMON, ...RECORDS]),
    ...block('logs', 'resource', ['IsMap(attributes["x"]) or IsMatch(attributes["zone"], "a")']),
    mixed('conditions that tell their context', {
      log_conditions: [
        'log.body == nil',
        'log.severity_number < SEVERITY_NUMBER_DEBUG',
        'resource.attributes["x"] == true',
      ],
    }),
  ],
  metrics: [
    ...block('metrics', 'datapoint', [...POINTS, ...COMMON.slice(0, 66)]),
    ...block('metrics', 'metric', METRICS),
    ...block('metrics', 'resource', ['attributes["service.name"] == "cart"']),
    mixed('blocks together', {
      metrics: {
        resource: ['IsInt(attributes["x"])'],
        metric: ['type == METRIC_DATA_TYPE_GAUGE'],
        datapoint: ['attributes["x"] == nil'],
      },
    }),
    mixed('conditions that tell their context', {
      metric_conditions: [
        'metric.name == "a"',
        'datapoint.value_int > 10',
        'HasAttrKeyOnDatapoint("y") and metric.unit == "ms"',
      ],
    }),
  ],
};
