import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from './prng.ts';

test('a seed repeats its sequence, and another seed has another one', () => {
  const draw = (seed: number) => {
    const prng = new Prng(seed);
    return Array.from({ length: 20 }, () => prng.nextUint32());
  };
  assert.deepEqual(draw(42), draw(42));
  assert.notDeepEqual(draw(42), draw(43));
  // The reference implementation of mulberry32 gives these for seed 1.
  assert.deepEqual(draw(1).slice(0, 3), [2693262067, 11749833, 2265367787]);
});

test('integers and floats are in range and spread evenly', () => {
  const prng = new Prng(7);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 20_000; i++) {
    const float = prng.nextFloat();
    assert.ok(float >= 0 && float < 1);
    const drawn = prng.nextInt(10);
    assert.ok(Number.isInteger(drawn) && drawn >= 0 && drawn < 10);
    counts[drawn]! += 1;
  }
  for (const count of counts) assert.ok(count > 1800 && count < 2200, String(counts));
});
