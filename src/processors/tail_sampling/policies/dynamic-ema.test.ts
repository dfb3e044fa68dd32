import assert from 'node:assert/strict';
import test from 'node:test';
import { readSource } from '../../../testkit/source-tree.ts';
import { EmaRates, type EmaSettings } from './dynamic-ema.ts';

const INTERVAL_MS = 15_000;
const SETTINGS: EmaSettings = {
  goalSampleRate: 10,
  adjustmentIntervalMs: INTERVAL_MS,
  weight: 0.5,
  ageOutValue: 0.5,
  burstMultiple: 2,
  burstDetectionDelay: 3,
  maxKeys: 500,
};

interface Run {
  goalSampleRate: number;
  weight: number;
  ageOutValue: number;
  maxKeys: number;
  steps: { counts: Record<string, number>; rates: Record<string, number> }[];
}

test('rates equal those of dynsampler-go, the library in Refinery, interval by interval', () => {
  const runs = JSON.parse(
    readSource('src/processors/tail_sampling/policies/testdata/ema-rates.json'),
  ) as Run[];
  let compared = 0;
  for (const { steps, ...settings } of runs) {
    const maxKeys = settings.maxKeys === 0 ? 500 : settings.maxKeys;
    const ema = new EmaRates({ ...SETTINGS, ...settings, maxKeys, burstMultiple: -1 });
    let nowMs = 0;
    assert.equal(ema.isDue(nowMs), false);
    for (const { counts, rates } of steps) {
      for (const [key, count] of Object.entries(counts)) ema.rateOf(Number(key), count);
      nowMs += INTERVAL_MS;
      assert.equal(ema.isDue(nowMs), true);
      ema.adjust(nowMs);
      const actual = ema.highest(1000).map(([key, rate]) => [String(key).padStart(3, '0'), rate] as const);
      assert.deepEqual(Object.fromEntries(actual.sort()), rates);
      compared += actual.length;
    }
  }
  assert.ok(compared > 400, `only ${compared} rates`);
});

test('before the first interval the goal is the rate, and a new key is kept whole after it', () => {
  const ema = new EmaRates(SETTINGS);
  ema.isDue(0);
  assert.equal(ema.rateOf(1, 5), 10);
  ema.adjust(INTERVAL_MS);
  assert.equal(ema.rateOf(2, 5), 1);
});

test('an interval without traffic changes no rate', () => {
  const ema = new EmaRates(SETTINGS);
  ema.isDue(0);
  ema.rateOf(1, 1000);
  ema.rateOf(2, 10);
  ema.adjust(INTERVAL_MS);
  const before = ema.highest(2);
  for (let at = 2; at < 50; at++) ema.adjust(at * INTERVAL_MS);
  assert.deepEqual(ema.highest(2), before);
});

test('keys beyond the bound are kept whole and counted', () => {
  const ema = new EmaRates({ ...SETTINGS, maxKeys: 2 });
  ema.isDue(0);
  for (const key of [1, 2, 3, 3, 1]) ema.rateOf(key, 100);
  assert.equal(ema.overflowedTraces, 2);
  ema.adjust(INTERVAL_MS);
  assert.equal(ema.keyCount, 2);
  assert.equal(ema.rateOf(3, 100), 1);
});

test('averages stay bounded when nothing ages out', () => {
  const ema = new EmaRates({ ...SETTINGS, maxKeys: 10, ageOutValue: 1e-300 });
  ema.isDue(0);
  for (let at = 1; at <= 100; at++) {
    for (let key = 0; key < 10; key++) ema.rateOf(at * 10 + key, 5);
    ema.adjust(at * INTERVAL_MS);
    assert.ok(ema.keyCount <= 80);
  }
  assert.equal(ema.keyCount, 80);
});

test('a burst adjusts early, after the delay only, and begins another interval', () => {
  const ema = new EmaRates(SETTINGS);
  ema.isDue(0);
  for (let at = 1; at <= 2; at++) {
    ema.rateOf(1, 100);
    ema.adjust(at * INTERVAL_MS);
  }
  ema.rateOf(1, 10_000);
  assert.equal(ema.isDue(2.1 * INTERVAL_MS), false, 'two intervals are not enough');
  ema.adjust(3 * INTERVAL_MS);
  ema.rateOf(1, 9000);
  assert.equal(ema.isDue(3.5 * INTERVAL_MS), false, 'below twice the average');
  ema.rateOf(1, 9000);
  assert.equal(ema.isDue(3.5 * INTERVAL_MS), true);
  ema.adjust(3.5 * INTERVAL_MS);
  assert.equal(ema.isDue(4.4 * INTERVAL_MS), false);
  assert.equal(ema.isDue(4.5 * INTERVAL_MS), true);
});

test('the goal is met over all keys, and rare keys keep more than frequent ones', () => {
  const ema = new EmaRates({ ...SETTINGS, goalSampleRate: 20 });
  ema.isDue(0);
  const traffic = [10_000, 1000, 100, 10, 1];
  let kept = 0;
  for (let at = 1; at <= 20; at++) {
    kept = traffic.reduce((sum, spans, key) => sum + spans / ema.rateOf(key, spans), 0);
    ema.adjust(at * INTERVAL_MS);
  }
  const total = traffic.reduce((sum, spans) => sum + spans, 0);
  assert.ok(Math.abs(kept / (total / 20) - 1) < 0.15, `kept ${kept}`);
  const rates = traffic.map((_, key) => ema.rateOf(key, 0));
  assert.deepEqual(
    rates.toSorted((a, b) => b - a),
    rates,
  );
});
