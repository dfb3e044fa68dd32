/** OTLP/JSON as `protoToJson` writes it: zero values are left out, 64-bit integers are texts, enums numbers. */

export interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string;
  /** A text for what JSON has no number for: NaN, Infinity, -Infinity. */
  doubleValue?: number | string;
  arrayValue?: { values?: AnyValue[] };
  kvlistValue?: { values?: KeyValue[] };
  /** Base64. */
  bytesValue?: string;
}

export interface KeyValue {
  key?: string;
  value?: AnyValue;
}

export interface ResourceHead {
  resource?: { attributes?: KeyValue[] };
  schemaUrl?: string;
}

export interface ScopeHead {
  scope?: { name?: string; version?: string; attributes?: KeyValue[] };
  schemaUrl?: string;
}

export interface Span {
  traceId?: string;
  spanId?: string;
  traceState?: string;
  parentSpanId?: string;
  name?: string;
  kind?: number;
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
  events?: SpanEvent[];
  droppedEventsCount?: number;
  links?: SpanLink[];
  droppedLinksCount?: number;
  status?: { message?: string; code?: number };
}

export interface SpanEvent {
  timeUnixNano?: string;
  name?: string;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
}

export interface SpanLink {
  traceId?: string;
  spanId?: string;
  traceState?: string;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
}

export interface LogRecord {
  timeUnixNano?: string;
  observedTimeUnixNano?: string;
  severityNumber?: number;
  severityText?: string;
  body?: AnyValue;
  attributes?: KeyValue[];
  flags?: number;
  traceId?: string;
  spanId?: string;
  eventName?: string;
}

/** Doubles that JSON has no number for are texts. */
export type Double = number | string;

export interface Exemplar {
  filteredAttributes?: KeyValue[];
  timeUnixNano?: string;
  asDouble?: Double;
  asInt?: string;
  traceId?: string;
  spanId?: string;
}

export interface Buckets {
  offset?: number;
  bucketCounts?: string[];
}

/** The fields of all five kinds of data points. */
export interface DataPoint {
  attributes?: KeyValue[];
  startTimeUnixNano?: string;
  timeUnixNano?: string;
  asDouble?: Double;
  asInt?: string;
  count?: string;
  sum?: Double;
  min?: Double;
  max?: Double;
  bucketCounts?: string[];
  explicitBounds?: Double[];
  scale?: number;
  zeroCount?: string;
  positive?: Buckets;
  negative?: Buckets;
  quantileValues?: { quantile?: Double; value?: Double }[];
  exemplars?: Exemplar[];
}

export interface MetricData {
  dataPoints?: DataPoint[];
  aggregationTemporality?: number;
  isMonotonic?: boolean;
}

export interface Metric {
  name?: string;
  description?: string;
  unit?: string;
  gauge?: MetricData;
  sum?: MetricData;
  histogram?: MetricData;
  exponentialHistogram?: MetricData;
  summary?: MetricData;
  metadata?: KeyValue[];
}

/** What a scope holds: all spans, all log records or all metrics. */
export type Item = Span | LogRecord | Metric;
