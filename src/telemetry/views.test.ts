import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CollectedMetric } from './collected.ts';
import { applyViews, type MetricView } from './views.ts';

const counter: CollectedMetric = {
  ...{ name: 'otelcol_exporter_sent_spans', unit: '{span}', doc: 'Sent.', scope: 'exporterhelper' },
  kind: 'counter',
  points: [
    { labels: { exporter: 'a', server_address: 'x' }, value: 2 },
    { labels: { exporter: 'a', server_address: 'y' }, value: 3 },
    { labels: { exporter: 'b', server_address: 'y' }, value: 5 },
  ],
};
const histogram: CollectedMetric = {
  ...{ name: 'http.server.request.duration', unit: 's', doc: 'Took.', scope: 'otelhttp' },
  kind: 'histogram',
  bounds: [1],
  points: [
    { labels: { http_response_status_code: '200' }, counts: Float64Array.of(1, 2), sum: 5 },
    { labels: { http_response_status_code: '500' }, counts: Float64Array.of(3, 4), sum: 7 },
  ],
};

function view(selector: Partial<MetricView['selector']>, stream: Partial<MetricView['stream']>): MetricView {
  const any = { instrumentName: undefined, instrumentType: undefined, unit: undefined, meterName: undefined };
  const same = { name: undefined, description: undefined, attributeKeys: undefined, isDropped: false };
  return { selector: { ...any, ...selector }, stream: { ...same, ...stream } };
}

const names = (views: MetricView[]) => applyViews([counter, histogram], views).map(({ name }) => name);

test('selectors: names with wildcards, kinds, units and scopes', () => {
  const dropped = { isDropped: true };
  const both = [counter.name, histogram.name];
  assert.deepEqual(names([]), both);
  for (const pattern of ['http.*', '*duration', 'http.server.*.duration', '????.*', '*.*.*.*'])
    assert.deepEqual(names([view({ instrumentName: pattern }, dropped)]), [counter.name], pattern);
  for (const pattern of ['http', '*.durations', 'http_server_*', '?http.*', ''])
    assert.deepEqual(names([view({ instrumentName: pattern }, dropped)]), both, pattern);
  assert.deepEqual(names([view({ instrumentType: 'histogram' }, dropped)]), [counter.name]);
  assert.deepEqual(names([view({ instrumentType: 'gauge' }, dropped)]), both);
  assert.deepEqual(names([view({ unit: 's' }, dropped)]), [counter.name]);
  assert.deepEqual(names([view({ meterName: 'otelhttp' }, dropped)]), [counter.name]);
  assert.deepEqual(names([view({ meterName: 'otelhttp', unit: 'By' }, dropped)]), both);
  assert.deepEqual(names([view({ instrumentName: '*' }, dropped)]), []);
});

test('attributes that go make series one: counts add up', () => {
  const keys = { attributeKeys: { included: ['exporter'], excluded: [] } };
  const [sum] = applyViews([counter], [view({ instrumentName: '*' }, keys)]);
  assert.deepEqual(sum!.points, [
    { labels: { exporter: 'a' }, value: 5 },
    { labels: { exporter: 'b' }, value: 5 },
  ]);
  // By the name that OpenTelemetry has for the label.
  const excluded = { attributeKeys: { included: undefined, excluded: ['http.response.status_code'] } };
  const [merged] = applyViews([histogram], [view({ instrumentName: '*' }, excluded)]);
  assert.deepEqual(merged!.points, [{ labels: {}, counts: Float64Array.of(4, 6), sum: 12 }]);
  assert.equal(histogram.points[0]!.counts[0], 1, 'the series themselves are untouched');
});

test('each view that selects a metric makes a stream of it', () => {
  const views = [
    view({ instrumentName: counter.name }, { name: 'sent', description: 'D' }),
    view({ instrumentName: counter.name }, { isDropped: true }),
    view({ unit: '{span}' }, { attributeKeys: { included: [], excluded: [] } }),
  ];
  const streams = applyViews([counter], views);
  assert.deepEqual(
    streams.map(({ name, doc, points }) => [name, doc, points.length]),
    [
      ['sent', 'D', 3],
      [counter.name, 'Sent.', 1],
    ],
  );
});
