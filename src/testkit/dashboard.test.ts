/** The Grafana dashboard without a Prometheus: it names metrics that exist, and its panels do not overlap. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LATENCY_STAGES, METRICS } from '../telemetry/metrics.ts';
import { dashboardPanels, dashboardQueries } from './services/dashboard.ts';

const NAMES = [
  ...METRICS.map(({ name }) => name),
  ...[...LATENCY_STAGES.keys()].map((stage) => `millrace_${stage}_seconds`),
];

test('every query names metrics of the engine', () => {
  const queries = dashboardQueries('1m');
  assert.ok(queries.length > 30);
  for (const { place, expr } of queries) {
    const patterns = [...expr.matchAll(/__name__=~"([^"]+)"/g)].map(([, pattern]) => pattern!);
    for (const pattern of patterns)
      for (const part of pattern.split('|'))
        assert.ok(
          NAMES.some((name) => new RegExp(`^(?:${part})$`).test(name)),
          `${place}: ${part}`,
        );
    const plain = expr.replace(/__name__=~"[^"]+"/g, '').match(/\b(?:otelcol|millrace)_\w+/g) ?? [];
    for (const name of plain) assert.ok(NAMES.includes(name), `${place}: ${name}`);
    assert.ok(patterns.length + plain.length > 0, place);
    assert.doesNotMatch(expr, /\$/, `${place}: a variable that nobody fills in`);
  }
});

test('what receivers refuse, exporters lose and logs drop is on the dashboard', () => {
  const all = dashboardQueries('1m').map(({ expr }) => expr);
  const isShown = (name: string) =>
    all.some((expr) => {
      const patterns = [...expr.matchAll(/__name__=~"([^"]+)"/g)].map(([, pattern]) => pattern!);
      return (
        expr.includes(`${name}{`) || patterns.some((pattern) => new RegExp(`^(?:${pattern})$`).test(name))
      );
    });
  const losses = METRICS.map(({ name }) => name).filter((name) =>
    /^(?:otelcol_(?:receiver|exporter)|millrace_log)_.*(?:refused|failed|dropped)/.test(name),
  );
  assert.ok(losses.length >= 12);
  assert.deepEqual(
    losses.filter((name) => !isShown(name)),
    [],
  );
});

test('panels have ids of their own and stand beside each other', () => {
  const panels = dashboardPanels();
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  for (const [i, { title, gridPos: a }] of panels.entries()) {
    assert.ok(a.x >= 0 && a.x + a.w <= 24, title);
    for (const { title: other, gridPos: b } of panels.slice(i + 1)) {
      const overlap = a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
      assert.ok(!overlap, `${title} and ${other}`);
    }
  }
});
