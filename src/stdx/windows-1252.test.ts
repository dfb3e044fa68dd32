import assert from 'node:assert/strict';
import { test } from 'node:test';
import { windows1252Text } from './windows-1252.ts';

test('every byte of Windows-1252 is the letter of the Encoding Standard', () => {
  const high = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i);
  assert.equal(
    windows1252Text(high),
    '\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f' +
      '\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178',
  );
  for (let byte = 0; byte < 256; byte++) {
    if (byte >= 0x80 && byte < 0xa0) continue;
    assert.equal(windows1252Text(Uint8Array.of(byte)), String.fromCharCode(byte));
  }
  assert.equal(windows1252Text(new Uint8Array(4).subarray(2, 2)), '');
});
