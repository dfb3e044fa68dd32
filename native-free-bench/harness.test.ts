import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeGate, runSuite, type Suite } from './harness.ts';

function spin(rounds: number): number {
  let sum = 0;
  for (let i = 0; i < rounds; i += 1) sum = (sum * 31 + i) | 0;
  return sum;
}

test('a variant that does twenty times the work is measured as several times slower', () => {
  const suite: Suite = {
    name: 'spin',
    item: 'round',
    itemsPerOp: 1_000,
    bytesPerOp: 0,
    variants: { short: () => spin(20_000), long: () => spin(400_000) },
    gates: [
      { fast: 'short', slow: 'long', atLeast: 5 },
      { fast: 'long', slow: 'short', atLeast: 1 },
    ],
  };
  const result = runSuite(suite, { timeMs: 30, rounds: 2 });
  assert.deepEqual(
    result.gates.map((gate) => gate.isMet),
    [true, false],
  );
});

test('a gate on a variant that does not exist is an error, not a pass', () => {
  const gate = { fast: 'a', slow: 'b', atLeast: 1 };
  assert.throws(() => judgeGate(gate, { a: 1 }), /unknown variant/);
  assert.equal(judgeGate(gate, { a: 2, b: 2 }).isMet, true);
  assert.equal(judgeGate(gate, { a: 2, b: 1.9 }).isMet, false);
});

test('a native add-on cannot be loaded once the guard is in place', async (t) => {
  const dlopen = process.dlopen;
  t.after(() => {
    process.dlopen = dlopen;
  });
  await import('./no-native.ts');
  assert.throws(
    () => process.dlopen({ exports: {} }, '/nowhere/addon.node'),
    /native add-on in a native-free bench/,
  );
});
