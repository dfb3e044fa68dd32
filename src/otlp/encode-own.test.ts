/** Requests made of plain data are read back by the official descriptors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestType } from '../testkit/otlp-root.ts';
import { encodeMetrics } from './encode-metrics.ts';
import { encodeSpans } from './encode-spans.ts';

const TIMES = { startUnixMs: 1_700_000_000_000, nowUnixMs: 1_700_000_001_500.25 };
const START = '1700000000000000000';
const NOW = '1700000001500250000';

function read(signal: 'metrics' | 'traces', bytes: Uint8Array) {
  const type = requestType(signal);
  return type.toObject(type.decode(bytes), { longs: String, enums: String });
}

test('metrics: every kind, integers past 2^32, and each scope once', () => {
  const named = { description: 'd', unit: 's' };
  const attributes = { a: 'x', port: 4317, on: true };
  const bytes = encodeMetrics(
    { 'service.name': 'm' },
    [
      {
        ...named,
        scope: 's1',
        name: 'sum',
        kind: 'sum',
        isDouble: false,
        points: [{ attributes, value: 2 ** 40 + 1 }],
      },
      {
        ...named,
        scope: 's2',
        name: 'gauge',
        kind: 'gauge',
        isDouble: true,
        points: [{ attributes: {}, value: 3 }],
      },
      {
        ...{ ...named, scope: 's1', name: 'histogram', kind: 'histogram' as const, bounds: [0.5, 1] },
        points: [{ attributes: {}, counts: Float64Array.of(1, 0, 2 ** 33), sum: 1.5 }],
      },
      {
        ...{ ...named, scope: 's2', name: 'summary', kind: 'summary' as const },
        points: [{ attributes: {}, count: 9, sum: 4, quantiles: [{ quantile: 0.99, value: 0.25 }] }],
      },
      {
        ...named,
        scope: 's2',
        name: 'negative',
        kind: 'gauge',
        isDouble: false,
        points: [{ attributes: {}, value: -5 }],
      },
    ],
    TIMES,
  );
  const [resource] = read('metrics', bytes).resource_metrics;
  assert.deepEqual(resource.resource.attributes, [{ key: 'service.name', value: { string_value: 'm' } }]);
  const [one, two] = resource.scope_metrics;
  assert.deepEqual([one.scope.name, two.scope.name], ['s1', 's2']);
  const times = { start_time_unix_nano: START, time_unix_nano: NOW };
  assert.deepEqual(one.metrics[0], {
    ...{ name: 'sum', ...named },
    sum: {
      aggregation_temporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE',
      is_monotonic: true,
      data_points: [
        {
          ...times,
          as_int: String(2 ** 40 + 1),
          attributes: [
            { key: 'a', value: { string_value: 'x' } },
            { key: 'port', value: { int_value: '4317' } },
            { key: 'on', value: { bool_value: true } },
          ],
        },
      ],
    },
  });
  assert.deepEqual(one.metrics[1].histogram.data_points, [
    {
      ...times,
      ...{ count: String(2 ** 33 + 1), sum: 1.5, bucket_counts: ['1', '0', String(2 ** 33)] },
      explicit_bounds: [0.5, 1],
    },
  ]);
  assert.deepEqual(two.metrics[0].gauge.data_points, [{ ...times, as_double: 3 }]);
  assert.deepEqual(two.metrics[1].summary.data_points, [
    { ...times, count: '9', sum: 4, quantile_values: [{ quantile: 0.99, value: 0.25 }] },
  ]);
  assert.equal(two.metrics[2].gauge.data_points[0].as_int, '-5');
});

test('differences say so and begin at the previous request', () => {
  const named = { scope: 's', description: '', unit: '1', isDelta: true };
  const metrics = [
    { ...named, name: 'sum', kind: 'sum' as const, isDouble: false, points: [{ attributes: {}, value: 1 }] },
    {
      ...{ ...named, name: 'histogram', kind: 'histogram' as const, bounds: [] },
      points: [{ attributes: {}, counts: [1], sum: 1 }],
    },
  ];
  const bytes = encodeMetrics({}, metrics, { ...TIMES, previousUnixMs: TIMES.nowUnixMs });
  const [sum, histogram] = read('metrics', bytes).resource_metrics[0].scope_metrics[0].metrics;
  for (const { aggregation_temporality: temporality, data_points: points } of [
    sum.sum,
    histogram.histogram,
  ]) {
    assert.equal(temporality, 'AGGREGATION_TEMPORALITY_DELTA');
    assert.equal(points[0].start_time_unix_nano, NOW);
  }
});

test('spans: ids, times, status and scopes', () => {
  const scope = { name: 'receiverhelper', attributes: { 'otelcol.component.id': 'otlp' } };
  const span = {
    ...{
      scope,
      name: 'receiver/otlp/TraceDataReceived',
      traceId: `${'0'.repeat(31)}f`,
      spanId: 'ab'.repeat(8),
    },
    ...{ parentSpanId: '', startUnixMs: TIMES.startUnixMs, endUnixMs: TIMES.nowUnixMs },
    ...{ attributes: { accepted_spans: 2 }, error: undefined },
  };
  const other = {
    ...span,
    scope: { ...scope, name: 'exporterhelper' },
    parentSpanId: 'cd'.repeat(8),
    error: 'no',
  };
  const [{ scope_spans: scopes }] = read('traces', encodeSpans({}, [span, other, span])).resource_spans;
  assert.deepEqual(
    scopes.map((each: { scope: { name: string }; spans: object[] }) => [each.scope.name, each.spans.length]),
    [
      ['receiverhelper', 2],
      ['exporterhelper', 1],
    ],
  );
  const [first] = scopes[0].spans;
  assert.equal(Buffer.from(first.trace_id).toString('hex'), span.traceId);
  assert.equal(Buffer.from(first.span_id).toString('hex'), span.spanId);
  assert.equal(first.parent_span_id, undefined);
  assert.deepEqual([first.start_time_unix_nano, first.end_time_unix_nano], [START, NOW]);
  assert.equal(first.kind, 'SPAN_KIND_INTERNAL');
  assert.equal(first.status, undefined);
  const [failed] = scopes[1].spans;
  assert.equal(Buffer.from(failed.parent_span_id).toString('hex'), other.parentSpanId);
  assert.deepEqual(failed.status, { message: 'no', code: 'STATUS_CODE_ERROR' });
});
