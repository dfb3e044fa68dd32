import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { backoffMs } from './backoff.ts';
import { Prng } from './prng.ts';

const config = { initialIntervalMs: 5000, randomizationFactor: 0, multiplier: 1.5, maxIntervalMs: 30_000 };

test('the interval grows by the multiplier up to its maximum', () => {
  const waits = [0, 1, 2, 3, 4, 5, 1000, 1e9].map((retry) => backoffMs(config, retry, new Prng(1)));
  assert.deepEqual(waits, [5000, 7500, 11_250, 16_875, 25_312.5, 30_000, 30_000, 30_000]);
});

test('the wait is spread evenly around the interval by the randomization factor', () => {
  const prng = new Prng(3);
  const waits = Array.from({ length: 2000 }, () =>
    backoffMs({ ...config, randomizationFactor: 0.5 }, 0, prng),
  );
  assert.ok(Math.min(...waits) >= 2500 && Math.min(...waits) < 2600);
  assert.ok(Math.max(...waits) <= 7500 && Math.max(...waits) > 7400);
  const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
  assert.ok(Math.abs(mean - 5000) < 150, String(mean));
});

test('whatever the configuration and the retry, the wait is a finite number of milliseconds', () => {
  const any = fc.record({
    initialIntervalMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    randomizationFactor: fc.double({ min: 0, max: 1, noNaN: true }),
    multiplier: fc.double({ min: 0, max: 1e6, noNaN: true }),
    maxIntervalMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
  });
  fc.assert(
    fc.property(any, fc.nat(), fc.nat(), (drawn, retry, seed) => {
      const waitMs = backoffMs(drawn, retry, new Prng(seed));
      assert.ok(waitMs >= 0 && waitMs <= 2 * drawn.maxIntervalMs + 1e-6, String(waitMs));
    }),
  );
});
