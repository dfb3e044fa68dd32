import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteSink } from './byte-sink.ts';
import { appendDoubleText, appendInt64Text } from './number-text.ts';

function textOf(write: (sink: ByteSink) => void): string {
  const sink = new ByteSink();
  write(sink);
  return Buffer.from(sink.content()).toString('latin1');
}

const int64Text = (value: bigint) =>
  textOf((sink) =>
    appendInt64Text(sink, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))),
  );
const doubleText = (value: number) => textOf((sink) => appendDoubleText(sink, value));

test('integers of 64 bits have the text that BigInt gives them', () => {
  const edges = [
    0n,
    -1n,
    9n,
    10n,
    2n ** 53n,
    2n ** 53n + 1n,
    -(2n ** 53n) - 1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ];
  for (const value of edges) assert.equal(int64Text(value), value.toString());
  for (let power = 0n; power < 63n; power++) {
    for (const value of [2n ** power - 1n, 10n ** (power % 19n), -(2n ** power)])
      assert.equal(int64Text(value), value.toString());
  }
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (value) => {
      assert.equal(int64Text(value), value.toString());
    }),
    { numRuns: 500 },
  );
});

test('doubles have the shortest text that reads back as the same number', () => {
  const check = (value: number) =>
    assert.equal(doubleText(value), Object.is(value, -0) ? '-0' : String(value));
  for (const value of [0, -0, 0.1, 0.5, 1.25, 1e-6, 9.99e-7, 123456.789, 1e15, 1e20, 1e21, 5e-324, 2 ** 53]) {
    check(value);
    check(-value);
  }
  check(Number.MAX_VALUE);
  check(0.1 + 0.2);
  check(999_999_999_999_999.9);
  fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), check), { numRuns: 500 });
  // Decimals as people write them: the exact path, which plain random doubles hardly meet.
  const decimal = fc.tuple(fc.integer(), fc.nat(8)).map(([digits, places]) => digits / 10 ** places);
  fc.assert(fc.property(decimal, check), { numRuns: 2000 });
});

test('what is no number has the names that Go gives it', () => {
  assert.deepEqual([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(doubleText), [
    'NaN',
    '+Inf',
    '-Inf',
  ]);
});
