import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { findCharset } from './charset.ts';
import { utf16Text } from './utf-16.ts';

function decoded(name: string, bytes: readonly number[]): string {
  const charset = findCharset(name);
  assert.ok(typeof charset === 'function');
  const text = charset(Uint8Array.from(bytes));
  return Array.from(text, (char) => char.codePointAt(0)!.toString(16)).join(' ');
}

test('what is no text becomes as many replacements as in the Collector', () => {
  for (const [bytes, wanted] of [
    [[0x00, 0xd8], 'fffd'],
    [[0x00, 0xd8, 0x41], 'fffd fffd'],
    [[0x41], 'fffd'],
    [[0x00, 0xdc, 0x00, 0xdc], 'fffd'],
    [[0x00, 0xdc, 0x41, 0x00], 'fffd 41'],
    [[0x00, 0xd8, 0x00, 0xd8, 0x00, 0xdc], 'fffd 10000'],
    [[0xff, 0xfe, 0x41, 0x00, 0x42], 'feff 41 fffd'],
  ] satisfies [number[], string][]) {
    assert.equal(decoded('utf-16', bytes), wanted);
    const swapped = bytes.map((_, at) =>
      at + 1 === bytes.length && at % 2 === 0 ? bytes[at]! : bytes[at ^ 1]!,
    );
    assert.equal(decoded('utf-16be', swapped), wanted);
  }
});

test('text is read as it was written', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(utf16Text(Buffer.from(text, 'utf16le'), true), text);
      assert.equal(utf16Text(Buffer.from(text, 'utf16le').swap16(), false), text);
    }),
  );
});
