import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { safePrefix } from './key-text.ts';

test('ordinary values stay as they are', () => {
  for (const value of ['checkout', 'team-a/checkout', 'env=prod/zone=1', 'a.b_c-D9'])
    assert.equal(safePrefix(value), value);
  assert.equal(safePrefix(''), undefined);
  assert.equal(safePrefix('///'), undefined);
});

test('hostile values become one harmless prefix, and different ones stay different', () => {
  const hostile = [
    ...['..', '.', '../', '../../etc', '/absolute', 'a/../../b', 'a//b', 'trailing/', 'nul\0', 'line\nfeed'],
    ...[
      '%2e%2e%2f',
      '..%2f',
      'сheckout',
      'check\u202eout',
      'x'.repeat(10_240),
      '…',
      '\ud800',
      ' ',
      's3://other/b',
    ],
  ];
  const prefixes = hostile.map((value) => safePrefix(value)!);
  for (const prefix of prefixes) assertHarmless(prefix);
  assert.equal(new Set(prefixes).size, hostile.length);
  // The letters are Cyrillic and Latin: they must not share a folder.
  assert.notEqual(safePrefix('сheckout'), safePrefix('checkout'));
});

test('no value leaves the prefix', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.stringMatching(/^[./%a\0\\]{0,40}$/)),
      (value) => {
        const prefix = safePrefix(value);
        if (prefix !== undefined) assertHarmless(prefix);
      },
    ),
  );
});

function assertHarmless(prefix: string): void {
  assert.ok(Buffer.byteLength(prefix) <= 128, prefix);
  assert.match(prefix, /^[A-Za-z0-9_.=-]+(\/[A-Za-z0-9_.=-]+)*$/);
  for (const folder of prefix.split('/')) assert.ok(folder !== '.' && folder !== '..', prefix);
}
