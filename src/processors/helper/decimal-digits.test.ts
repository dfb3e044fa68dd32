import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { DECIMAL_BYTES_MAX, writeDecimal } from './decimal-digits.ts';

test('digits are those of the number', () => {
  const target = new Uint8Array(DECIMAL_BYTES_MAX);
  const edges = fc.constantFrom(0, 9, 10, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER);
  const property = fc.property(fc.oneof(edges, fc.maxSafeInteger()), (number) => {
    assert.equal(Buffer.from(target.subarray(writeDecimal(target, number))).toString(), String(number));
  });
  fc.assert(property, { numRuns: 2000 });
});
