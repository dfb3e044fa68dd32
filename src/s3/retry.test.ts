import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../stdx/prng.ts';
import { boundedRetries } from './retry.ts';

/** Waits before the repeated requests of one operation that always fails. */
async function waits(
  attemptsMax: number,
  backoffMaxMs: number,
  errorType: string,
  most = 20,
): Promise<number[]> {
  const strategy = boundedRetries(attemptsMax, backoffMaxMs, new Prng(1));
  const delays: number[] = [];
  let token = await strategy.acquireInitialRetryToken('');
  try {
    while (delays.length < most) {
      token = await strategy.refreshRetryTokenForRetry(token, { errorType });
      delays.push(token.getRetryDelay());
    }
  } catch {
    return delays;
  }
  return delays;
}

test('as many requests as are allowed, and 0 means no limit', async () => {
  for (const errorType of ['TRANSIENT', 'THROTTLING']) {
    assert.equal((await waits(3, 20_000, errorType)).length, 2);
    assert.equal((await waits(1, 20_000, errorType)).length, 0);
    assert.equal((await waits(0, 20_000, errorType)).length, 20);
  }
});

test('a request that is one too many is left to who sends it, if he wants it', async () => {
  const strategy = boundedRetries(3, 20_000, new Prng(1), true);
  const token = await strategy.acquireInitialRetryToken('');
  await assert.rejects(strategy.refreshRetryTokenForRetry(token, { errorType: 'THROTTLING' }));
  assert.equal(
    (await strategy.refreshRetryTokenForRetry(token, { errorType: 'TRANSIENT' })).getRetryCount(),
    1,
  );
});

test('what asking again does not change is not asked again', async () => {
  assert.deepEqual(await waits(3, 20_000, 'CLIENT_ERROR'), []);
});

test('waits grow from a second on and have a bound', async () => {
  const delays = await waits(0, 5000, 'TRANSIENT');
  assert.ok(delays[0]! <= 1000 && delays[1]! <= 2000);
  assert.ok(delays.every((delay) => delay >= 0 && delay <= 5000));
  assert.ok(delays.some((delay) => delay > 2000));
});
