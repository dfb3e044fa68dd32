import assert from 'node:assert/strict';
import test from 'node:test';
import { Prng } from '../../stdx/prng.ts';
import { Fnv1a64 } from './fnv1a-64.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

test('the values of the specification', () => {
  const cases: [string, string][] = [
    ['', 'cbf29ce484222325'],
    ['a', 'af63dc4c8601ec8c'],
    ['foobar', '85944171f73967e8'],
  ];
  for (const [text, expected] of cases) {
    const hash = new Fnv1a64();
    hash.add(bytesOf(text), 0, text.length);
    assert.equal(hash.hex(), expected);
  }
});

test('the same as with bigints, also where another one goes on', () => {
  const prng = new Prng(7);
  const [first, second] = [new Fnv1a64(), new Fnv1a64()];
  let expected = 0xcbf29ce484222325n;
  for (let step = 0; step < 2000; step++) {
    const byte = prng.nextInt(256);
    expected = ((expected ^ BigInt(byte)) * 0x100000001b3n) & 0xffff_ffff_ffff_ffffn;
    first.addByte(byte);
    second.follow(first);
    assert.equal(second.hex(), expected.toString(16));
  }
  second.reset();
  assert.equal(second.hex(), 'cbf29ce484222325');
});
