import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WakePacer } from './wake-pacer.ts';

/** Lets requests come at the given times, and tells when the worker was woken and how long each of them had waited. */
function run(timesMs: readonly number[]): { wakes: number; waitsMs: number[] } {
  const pacer = new WakePacer();
  const waitsMs: number[] = [];
  let wakes = 0;
  let open: number[] = [];
  const wake = (nowMs: number) => {
    wakes += 1;
    for (const each of open) waitsMs.push(nowMs - each);
    open = [];
    pacer.woken();
  };
  for (const [index, timeMs] of timesMs.entries()) {
    open.push(timeMs);
    const waitMs = pacer.arrived(timeMs);
    const next = timesMs[index + 1] ?? Number.POSITIVE_INFINITY;
    if (waitMs === 0) wake(timeMs);
    else if (timeMs + waitMs < next) {
      pacer.expired();
      wake(timeMs + waitMs);
    }
  }
  return { wakes, waitsMs };
}

/** One client that sends again when it has its answer, which comes `workMs` after the worker was woken. */
function runClosedLoop(requests: number, workMs: number): number {
  const pacer = new WakePacer();
  let nowMs = 0;
  for (let i = 0; i < requests; i++) {
    const waitMs = pacer.arrived(nowMs);
    if (waitMs > 0) pacer.expired();
    pacer.woken();
    nowMs += waitMs + workMs;
  }
  return nowMs;
}

const evenly = (count: number, paceMs: number) => Array.from({ length: count }, (_, i) => i * paceMs);

test('requests at a pace are taken three at a time', () => {
  for (const paceMs of [2, 5, 10]) {
    const { wakes } = run(evenly(3000, paceMs));
    assert.ok(wakes > 990 && wakes < 1030, `${wakes} wake-ups at ${paceMs} ms`);
  }
});

test('a pace that is uneven is one, too', () => {
  for (const [paceMs, perWake] of [
    [5, 2.2],
    [10, 2.6],
  ] as const) {
    // Up to 6 ms early or late, in no pattern, most of them by little.
    const late = (i: number) => (((i * Math.SQRT2) % 1) + ((i * Math.PI) % 1) - 1) * 6;
    const timesMs = evenly(6000, paceMs).map((timeMs, i) => timeMs + late(i));
    const { wakes } = run(timesMs.sort((a, b) => a - b));
    assert.ok(6000 / wakes >= perWake, `${6000 / wakes} requests a wake-up at ${paceMs} ms`);
  }
});

test('no request waits longer than 25 ms, however they come', () => {
  let nowMs = 0;
  // Times that repeat in no pattern: multiples of an irrational number, from 0 to 40 ms apart.
  const timesMs = Array.from({ length: 20_000 }, (_, i) => {
    nowMs += ((i * Math.SQRT2) % 1) * ((i * Math.PI) % 40);
    return nowMs;
  });
  const { waitsMs } = run(timesMs);
  assert.equal(waitsMs.length, 20_000);
  assert.ok(Math.max(...waitsMs) <= 25);
});

test('a request whose next one is far away is taken at once, and so are those that come together', () => {
  assert.equal(Math.max(...run(evenly(200, 1000)).waitsMs), 0);
  assert.equal(Math.max(...run(evenly(200, 20)).waitsMs), 0);
  // Until the pace is known.
  assert.equal(Math.max(...run(evenly(2000, 0.3)).waitsMs.slice(100)), 0);
});

test('a client that waits for its answer is not slowed down for long', () => {
  for (const workMs of [1, 3, 8]) {
    const elapsedMs = runClosedLoop(10_000, workMs);
    assert.ok(elapsedMs < 10_000 * workMs * 1.05, `${elapsedMs} ms for 10,000 answers of ${workMs} ms`);
  }
});

test('a pace that comes after a pause is found again', () => {
  const closed = Array.from({ length: 40 }, (_, i) => i * 1000);
  const { wakes } = run([...closed, ...evenly(3000, 5).map((timeMs) => timeMs + 50_000)]);
  assert.ok(wakes < 40 + 1050, `${wakes}`);
});
