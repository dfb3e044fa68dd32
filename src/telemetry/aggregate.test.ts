import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Labels } from '../component/settings.ts';
import { MeterAggregate } from './aggregate.ts';
import { LatencySeries, LatencyWindow } from './latency.ts';
import { LATENCY_US_MAX } from './latency-counts.ts';
import {
  LABEL_SETS_MAX,
  type MeterSnapshot,
  OVERFLOW_LABELS,
  SERIES_MAX,
  seriesKey,
  ThreadMeter,
} from './registry.ts';

function fakeClock() {
  return { nowMs: 0, unixMs: () => 0, monotonicMs: () => clock.nowMs };
}
const clock = fakeClock();

/** What a message port does to a snapshot. */
const cross = (snapshot: MeterSnapshot) => structuredClone(snapshot);

function sums(series: readonly { name: string; labels: Labels; value: number }[]): Record<string, number> {
  return Object.fromEntries(series.map(({ name, labels, value }) => [seriesKey(name, labels), value]));
}

test('asking twice for a name with the same labels in any order is the same series', () => {
  const meter = new ThreadMeter();
  meter.counter('c', { a: '1', b: '2' }).add(1);
  meter.counter('c', { b: '2', a: '1' }).add(2);
  assert.deepEqual(meter.takeSnapshot().counters, [{ name: 'c', labels: { a: '1', b: '2' }, value: 3 }]);
});

test('different labels are different series, whatever characters their values hold', () => {
  const labels = fc.dictionary(
    fc.constantFrom('a', 'b', 'c'),
    fc.string({ unit: fc.constantFrom('a', 'b', '=', '|', '"', ',') }),
  );
  const normal = (value: Labels) => JSON.stringify(Object.entries(value).sort());
  fc.assert(
    fc.property(labels, labels, (one, other) => {
      assert.equal(seriesKey('m', one) === seriesKey('m', other), normal(one) === normal(other));
    }),
  );
});

test('label sets beyond the bound of a metric share one series, which tells how many look-ups ended there', () => {
  const meter = new ThreadMeter();
  for (let i = 0; i < LABEL_SETS_MAX; i++) meter.counter('c', { i: String(i) }).add(1);
  meter.counter('c', { i: '5' }).add(1);
  meter.counter('c', { i: 'one more' }).add(10);
  meter.counter('c', { i: 'another' }).add(20);
  meter.counter('other', { i: 'one more' }).add(1);
  const { counters } = meter.takeSnapshot();
  const of = (name: string) => counters.filter((series) => series.name === name);
  assert.equal(of('c').length, LABEL_SETS_MAX + 1);
  assert.deepEqual(of('c').at(-1), { name: 'c', labels: OVERFLOW_LABELS, value: 30 });
  assert.deepEqual(of('other'), [{ name: 'other', labels: { i: 'one more' }, value: 1 }]);
  assert.deepEqual(of('millrace_telemetry_overflowed_series'), [
    { name: 'millrace_telemetry_overflowed_series', labels: { metric: 'c' }, value: 2 },
  ]);
});

test('the series of a thread are bounded, whatever their names, and so are its latencies', () => {
  const meter = new ThreadMeter();
  for (let i = 0; i < 3 * SERIES_MAX; i++) meter.gauge(`g${i % 10}`, { i: String(i) }).set(1);
  for (let i = 0; i < 600; i++) meter.latency('ring_wait', { i: String(i) }).record(5);
  const { counters, gauges, latencies } = meter.takeSnapshot();
  // One series for the rest of each name.
  assert.ok(gauges.length >= SERIES_MAX && gauges.length <= SERIES_MAX + 10, String(gauges.length));
  assert.equal(latencies.length, 501);
  assert.equal(latencies.at(-1)?.counts[1], 100, 'the folded ones are not lost');
  assert.equal(
    counters.reduce((sum, { value }) => sum + value, 0),
    3 * SERIES_MAX - SERIES_MAX + 100,
  );
});

test('a thread that ends keeps its counters and takes its gauges with it; its successor adds up', () => {
  const aggregate = new MeterAggregate(clock);
  for (const incarnation of [1, 2, 3]) {
    const meter = new ThreadMeter();
    meter.counter('sent', { to: 'x' }).add(incarnation);
    meter.gauge('held').set(7);
    aggregate.update(`worker#${incarnation}`, cross(meter.takeSnapshot()));
    // A later snapshot of the same thread replaces the earlier one.
    meter.counter('sent', { to: 'x' }).add(10);
    aggregate.update(`worker#${incarnation}`, cross(meter.takeSnapshot()));
    if (incarnation < 3) aggregate.end(`worker#${incarnation}`);
  }
  assert.deepEqual(sums(aggregate.counters()), { [seriesKey('sent', { to: 'x' })]: 36 });
  assert.deepEqual(sums(aggregate.gauges()), { [seriesKey('held', {})]: 7 });
  aggregate.end('worker#3');
  assert.deepEqual(sums(aggregate.counters()), { [seriesKey('sent', { to: 'x' })]: 36 });
  assert.deepEqual(aggregate.gauges(), []);
});

test('the sum over threads never falls, in any order of snapshots and ends', () => {
  const step = fc.record({
    thread: fc.nat(3),
    kind: fc.constantFrom('add', 'snapshot', 'restart'),
    value: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const aggregate = new MeterAggregate(clock);
      const threads = [0, 1, 2, 3].map(() => ({
        incarnation: 1,
        meter: new ThreadMeter(),
        total: 0,
        seen: 0,
      }));
      let before = 0;
      for (const { thread, kind, value } of steps) {
        const own = threads[thread]!;
        const name = `t${thread}#${own.incarnation}`;
        if (kind === 'add') {
          own.meter.counter('c').add(value);
          own.total += value;
        } else if (kind === 'snapshot') {
          aggregate.update(name, cross(own.meter.takeSnapshot()));
          own.seen = own.total;
        } else {
          aggregate.end(name);
          // What was counted since the last snapshot is gone with the thread, and nothing else.
          own.total = own.seen;
          own.incarnation += 1;
          own.meter = new ThreadMeter();
        }
        const sum = aggregate.counters()[0]?.value ?? 0;
        assert.ok(sum >= before);
        before = sum;
        assert.equal(
          sum,
          threads.reduce((all, { seen }) => all + seen, 0),
        );
      }
    }),
  );
});

test('a latency series gives each recording once, and nothing when nothing was recorded', () => {
  const series = new LatencySeries('ring_wait', {});
  assert.equal(series.take(), undefined);
  series.record(0);
  series.record(-5);
  series.record(1234.6);
  series.record(Number.MAX_SAFE_INTEGER);
  const window = new LatencyWindow('ring_wait', {});
  window.add(series.take()!, 0);
  assert.equal(series.take(), undefined);
  const merged = window.merged(0);
  assert.equal(window.count, 4);
  const [lowest, third] = merged.quantiles([0.25, 0.75]) as [number, number];
  assert.equal(lowest, 1);
  assert.ok(Math.abs(merged.maxUs - LATENCY_US_MAX) / LATENCY_US_MAX < 0.001);
  assert.ok(Math.abs(third - 1235) < 2);
});

test('quantiles agree with the sorted values to three digits', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 10_000_000 }), { minLength: 1, maxLength: 300 }),
      (values) => {
        const threads = [new LatencySeries('s', {}), new LatencySeries('s', {})];
        for (const [i, value] of values.entries()) threads[i % 2]!.record(value);
        const window = new LatencyWindow('s', {});
        for (const thread of threads) {
          const taken = thread.take();
          if (taken !== undefined) window.add(taken, 0);
        }
        const merged = window.merged(0);
        const ordered = [...values].sort((a, b) => a - b);
        for (const quantile of [0.5, 0.9, 0.99, 1]) {
          const exact = ordered[Math.max(Math.ceil(quantile * ordered.length) - 1, 0)]!;
          const found = merged.quantiles([quantile])[0]!;
          assert.ok(
            Math.abs(found - exact) <= Math.max(exact * 0.002, 1),
            `p${quantile * 100}: ${found} for ${exact}`,
          );
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('the window slides over a minute; count and sum stay', () => {
  const series = new LatencySeries('s', {});
  const window = new LatencyWindow('s', {});
  const add = (value: number, atMs: number) => {
    series.record(value);
    window.add(series.take()!, atMs);
  };
  const base = 1_700_000_000_000.25;
  add(9000, base);
  for (let second = 10; second <= 120; second += 10) add(100, base + second * 1000);
  assert.ok(window.merged(base + 120_000).maxUs < 200, 'the slow one is more than a minute old');
  assert.equal(window.count, 13);
  assert.ok(Math.abs(window.sumUs - 10_200) < 100);
  assert.equal(window.merged(base + 200_000).total, 0);

  const young = new LatencyWindow('s', {});
  series.record(5000);
  young.add(series.take()!, base);
  assert.equal(young.merged(base + 54_000).total, 1, 'still inside the minute');
  assert.equal(young.merged(base + 66_000).total, 0);
});
