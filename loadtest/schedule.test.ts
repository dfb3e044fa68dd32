import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpenLoopSchedule } from './schedule.ts';

const SETTINGS = { startMs: 1_000, durationMs: 10_000, itemsPerSecond: 100_000, itemsPerRequest: 500 };

test('requests are due at fixed distances from the start, whatever was sent before', () => {
  const schedule = new OpenLoopSchedule(SETTINGS);
  assert.equal(schedule.intervalMs, 5);
  assert.equal(schedule.requestCount, 2_000);
  assert.equal(schedule.intendedMs(0), 1_000);
  assert.equal(schedule.intendedMs(1_999), 10_995);
  // Nobody asked for six seconds: all that fell due meanwhile is due now, with its own old time.
  assert.equal(schedule.dueCount(7_000), 1_201);
  assert.equal(schedule.intendedMs(1_200), 7_000);
});

test('nothing is due before the start, and nothing more after the end', () => {
  const schedule = new OpenLoopSchedule(SETTINGS);
  assert.equal(schedule.dueCount(999.9), 0);
  assert.equal(schedule.dueCount(1_000), 1);
  assert.equal(schedule.dueCount(1_004.9), 1);
  assert.equal(schedule.dueCount(1_005), 2);
  assert.equal(schedule.dueCount(1e9), 2_000);
});

test('intervals that are no whole milliseconds do not drift', () => {
  const schedule = new OpenLoopSchedule({
    startMs: 0,
    durationMs: 60_000,
    itemsPerSecond: 1_000_000,
    itemsPerRequest: 512,
  });
  assert.equal(schedule.requestCount, 117_188);
  assert.ok(Math.abs(schedule.intendedMs(117_187) - 59_999.744) < 1e-6);
});

test('a rate of zero has no schedule', () => {
  assert.throws(() => new OpenLoopSchedule({ ...SETTINGS, itemsPerSecond: 0 }), RangeError);
});
