import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CollectedMetric } from '../telemetry/collected.ts';
import { MetricDeltas } from './metric-deltas.ts';

function metrics(total: number): CollectedMetric[] {
  const named = { unit: '1', doc: '', scope: '' };
  const points = [{ labels: { a: 'x' }, value: total }];
  return [
    { ...named, name: 'sent', kind: 'counter', points },
    { ...named, name: 'otelcol_process_uptime', kind: 'counter', points },
    { ...named, name: 'fill', kind: 'gauge', points },
    {
      ...{ ...named, name: 'took', kind: 'histogram' as const, bounds: [1] },
      points: [{ labels: {}, counts: Float64Array.of(total, total * 2), sum: total * 10 }],
    },
  ];
}

const values = (list: readonly CollectedMetric[]) =>
  list.map((metric) => {
    if (metric.kind === 'summary') return [metric.name];
    const [point] = metric.points;
    return [metric.name, 'value' in point! ? point.value : [...point!.counts, point!.sum]];
  });

test('differences since the last request that arrived; gauges and totals stay', () => {
  const deltas = new MetricDeltas('delta');
  const first = deltas.take(metrics(5));
  assert.deepEqual(values(first.metrics), values(metrics(5)));
  first.arrived();
  // This one does not arrive, so the next one holds both.
  assert.deepEqual(values(deltas.take(metrics(7)).metrics)[0], ['sent', 2]);
  const third = deltas.take(metrics(8));
  assert.deepEqual(values(third.metrics), [
    ['sent', 3],
    ['otelcol_process_uptime', 3],
    ['fill', 8],
    ['took', [3, 6, 30]],
  ]);
  third.arrived();
  assert.deepEqual(values(deltas.take(metrics(8)).metrics)[3], ['took', [0, 0, 0]]);
});

test('lowmemory keeps the totals of what is observed, cumulative those of everything', () => {
  for (const [temporality, sent, uptime] of [
    ['lowmemory', 2, 7],
    ['cumulative', 7, 7],
  ] as const) {
    const deltas = new MetricDeltas(temporality);
    deltas.take(metrics(5)).arrived();
    const [one, two] = values(deltas.take(metrics(7)).metrics);
    assert.deepEqual([one![1], two![1]], [sent, uptime], temporality);
  }
});
