import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { QueueAge } from './queue-age.ts';

test('the age is that of the oldest unfinished item, for each reader by its own position', () => {
  const age = new QueueAge();
  age.look(100, 0, 1_000);
  age.look(150, 0, 6_000);
  age.look(150, 0, 11_000);
  assert.equal(age.ageMs(0, 12_000), 11_000);
  assert.equal(age.ageMs(99, 12_000), 11_000);
  assert.equal(age.ageMs(100, 12_000), 6_000);
  assert.equal(age.ageMs(150, 12_000), 0);
  age.look(150, 120, 16_000);
  assert.equal(age.ageMs(120, 16_000), 10_000);
});

test('a log that stood empty counts from its new items on', () => {
  const age = new QueueAge();
  age.look(10, 0, 0);
  age.look(10, 10, 5_000);
  assert.equal(age.ageMs(10, 5_000), 0);
  age.look(11, 10, 60_000);
  assert.equal(age.ageMs(10, 61_000), 1_000);
});

test('an outage of a day is counted with few looks: never too low, at most half a percent of the outage too high', () => {
  const age = new QueueAge();
  const looks = 20_000;
  for (let i = 1; i <= looks; i++) age.look(i, 0, i * 5_000);
  const nowMs = looks * 5_000;
  assert.equal(age.ageMs(0, nowMs), nowMs - 5_000);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: looks - 1 }), (released) => {
      const exact = nowMs - (released + 1) * 5_000;
      const found = age.ageMs(released, nowMs);
      assert.ok(found >= exact && found <= exact + nowMs * 0.005, `${found} for ${exact}`);
    }),
  );
});
