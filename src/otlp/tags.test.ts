import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { otlpRoot } from '../testkit/otlp-root.ts';
import * as tags from './tags.ts';

const MESSAGES: Record<string, readonly string[]> = {
  REQUEST: [
    'collector.trace.v1.ExportTraceServiceRequest',
    'collector.logs.v1.ExportLogsServiceRequest',
    'collector.metrics.v1.ExportMetricsServiceRequest',
  ],
  RESOURCE: ['resource.v1.Resource'],
  ENTITY_REF: ['common.v1.EntityRef'],
  SCOPE: ['common.v1.InstrumentationScope'],
  KEY_VALUE: ['common.v1.KeyValue'],
  ANY: ['common.v1.AnyValue'],
  ARRAY: ['common.v1.ArrayValue'],
  KVLIST: ['common.v1.KeyValueList'],
  RESOURCE_SPANS: ['trace.v1.ResourceSpans'],
  SCOPE_SPANS: ['trace.v1.ScopeSpans'],
  SPAN: ['trace.v1.Span'],
  EVENT: ['trace.v1.Span.Event'],
  LINK: ['trace.v1.Span.Link'],
  STATUS: ['trace.v1.Status'],
  RESOURCE_LOGS: ['logs.v1.ResourceLogs'],
  SCOPE_LOGS: ['logs.v1.ScopeLogs'],
  LOG: ['logs.v1.LogRecord'],
  RESOURCE_METRICS: ['metrics.v1.ResourceMetrics'],
  SCOPE_METRICS: ['metrics.v1.ScopeMetrics'],
  METRIC: ['metrics.v1.Metric'],
  GAUGE: ['metrics.v1.Gauge'],
  SUM: ['metrics.v1.Sum'],
  HISTOGRAM: ['metrics.v1.Histogram'],
  EXP_HISTOGRAM: ['metrics.v1.ExponentialHistogram'],
  SUMMARY: ['metrics.v1.Summary'],
  NUMBER_POINT: ['metrics.v1.NumberDataPoint'],
  HISTOGRAM_POINT: ['metrics.v1.HistogramDataPoint'],
  EXP_POINT: ['metrics.v1.ExponentialHistogramDataPoint'],
  BUCKETS: ['metrics.v1.ExponentialHistogramDataPoint.Buckets'],
  SUMMARY_POINT: ['metrics.v1.SummaryDataPoint'],
  QUANTILE: ['metrics.v1.SummaryDataPoint.ValueAtQuantile'],
  EXEMPLAR: ['metrics.v1.Exemplar'],
};

/** What the descriptors say, with protobufjs' own table of wire types. */
function expectedTags(): Record<string, number> {
  const root = otlpRoot().resolveAll();
  const expected: Record<string, number> = {};
  for (const [prefix, names] of Object.entries(MESSAGES)) {
    for (const name of names) {
      for (const field of root.lookupType(`opentelemetry.proto.${name}`).fieldsArray) {
        const isEnum = field.resolvedType instanceof protobuf.Enum;
        const scalar = isEnum ? 'int32' : field.type;
        const wireType = (field.repeated ? 2 : protobuf.types.basic[scalar as 'int32']) ?? 2;
        expected[`TAG_${prefix}_${field.name.toUpperCase()}`] = (field.id << 3) | wireType;
      }
    }
  }
  return expected;
}

test('every tag has the name, number and wire type of the official descriptors, and none is missing', () => {
  const expected = expectedTags();
  assert.ok(Object.keys(expected).length > 150);
  assert.deepEqual({ ...tags }, expected);
});
