import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LoadResult } from './load.ts';
import { projectRoot } from './machine.ts';
import { DEFAULT_LOAD, loadFromFlags } from './options.ts';
import { judgeBar, medianOf } from './scenario.ts';
import { type Bar, evaluateMetric, parseBound, parseScenario, readScenarios } from './scenario-file.ts';
import { loadMetrics } from './scenario-run.ts';

const SCENARIOS = join(projectRoot(), 'loadtest/scenarios');

const RESULT: LoadResult = {
  options: DEFAULT_LOAD,
  counts: { sentRequests: 1, ackedRequests: 1, refusedRequests: 0, failedRequests: 0, unsentRequests: 0 },
  ackedItems: 512,
  elapsedSeconds: 1,
  itemsPerSecond: 512,
  reasons: {},
  latency: { p50Ms: 1, p90Ms: 2, p99Ms: 3, p999Ms: 4, p9999Ms: 5, maxMs: 6 },
  sendLagMsMax: 0,
  clientCpuUsPerItem: 0.1,
  serversCpuUsPerItem: 0.4,
  engine: {
    items: 512,
    cpuUsPerItem: 2,
    cores: 0.5,
    anonymousBytesMax: 1,
    anonymousBytesAverage: 1,
    processes: [],
  },
};

/** What the kinds measure beside their loads. */
const KIND_METRICS: Readonly<Record<string, readonly string[]>> = {
  steady: [],
  delivery: [
    'reload.taken',
    'store.lost',
    'store.duplicated',
    'store.unacked',
    'store.bytesPerItem',
    'store.lagSeconds',
    'store.lagGrowthSeconds',
  ],
  outage: [
    'outage.backlogMiB',
    'outage.backoffSeconds',
    'outage.drainSeconds',
    'outage.drainRatio',
    'outage.returnSeconds',
  ],
  isolation: ['alive.deliveryP99Ms', 'dead.deliveryP99Ms'],
  sampling: ['sampling.turnMaxMs', 'sampling.bytesPerTrace', 'sampling.lateMaxMs'],
  pending: ['pending.readySeconds', 'pending.decideSeconds', 'pending.undecidedSpans', 'pending.sentShare'],
  consume: ['consume.cpuUs', 'consume.itemsPerSecond', 'consume.repeatedItems'],
  replay: ['replay.itemsPerSecond', 'replay.cpuUs'],
  index: ['index.rss', 'index.bytesPerTrace', 'index.overdueSeconds', 'index.stepMsMax'],
};

test('every scenario names a configuration that exists, loads that parse and metrics that are measured', () => {
  const scenarios = readScenarios(SCENARIOS, 'all');
  assert.ok(scenarios.length >= 14);
  for (const scenario of scenarios) {
    for (const config of [scenario.config, scenario.fillConfig].filter((name) => name !== ''))
      assert.ok(existsSync(join(SCENARIOS, 'configs', config)), config);
    const metrics: Record<string, number> = Object.fromEntries(
      (KIND_METRICS[scenario.kind] ?? []).map((name) => [name, 1]),
    );
    for (const load of scenario.loads) {
      loadFromFlags(load.flags);
      Object.assign(metrics, loadMetrics(load.name, RESULT));
      if (scenario.servers.length > 0) metrics[`${load.name}.behindSeconds`] = 1;
    }
    for (const bar of scenario.bars)
      assert.ok(Number.isFinite(evaluateMetric(bar.metric, metrics)), bar.metric);
  }
});

test('scenarios are found by their names, and an unknown one is refused with the names there are', () => {
  const found = (wanted: string) => readScenarios(SCENARIOS, wanted).map((scenario) => scenario.name);
  assert.deepEqual(found('06-json'), ['06-json']);
  assert.deepEqual(found('06-json, 01-http'), ['01-http', '06-json']);
  assert.throws(() => found('nonsense'), /no scenario nonsense; .*06-json/);
  assert.throws(() => found('01-http,nonsense,'), /no scenario nonsense, ; /);
});

test('misspelt keys and flags are refused', () => {
  const good =
    'title: t\nconfig: c\nloads: { a: { rate: 1 } }\nbars: [{ name: b, metric: a.p99Ms, must: "<= 1" }]';
  assert.equal(parseScenario('x', good).runs, 3);
  assert.throws(() => parseScenario('x', `${good}\nrun: 1`), /unknown keys run/);
  assert.throws(() => parseScenario('x', good.replace('rate', 'rates')), /no flag rates/);
  assert.throws(() => parseScenario('x', `${good}\nservers: [kafak]`), /no server kafak/);
  assert.throws(() => parseScenario('x', good.replace('<= 1', '< 1')), /bound/);
});

const BAR: Bar = {
  name: 'b',
  metric: 'a.x / b.x',
  unit: '',
  must: parseBound('<= 1.2'),
  goal: parseBound('<= 1'),
};

test('the median of the runs is judged, not the best one', () => {
  const run = (a: number): Record<string, number> => ({ 'a.x': a, 'b.x': 10 });
  assert.equal(medianOf([3, 1, 2]), 2);
  assert.equal(medianOf([4, 1]), 2.5);
  assert.equal(judgeBar('s', BAR, [run(9), run(11), run(30)]).verdict, 'must');
  assert.equal(judgeBar('s', BAR, [run(9), run(10), run(30)]).verdict, 'goal');
  assert.equal(judgeBar('s', BAR, [run(9), run(13), run(30)]).verdict, 'MISS');
});

test('a bar without a measured number is an error, never a pass', () => {
  assert.throws(() => judgeBar('s', BAR, [{ 'a.x': 1 }]), /b.x was not measured/);
  assert.throws(() => judgeBar('s', BAR, [{ 'a.x': Number.NaN, 'b.x': 1 }]), /a.x was not measured/);
  assert.equal(judgeBar('s', BAR, []).verdict, 'MISS');
});
