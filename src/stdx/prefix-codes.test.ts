import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignCodes, chooseLengths } from './prefix-codes.ts';
import { Prng } from './prng.ts';

function lengthsOf(frequencies: readonly number[], lengthMax: number): number[] {
  const lengths = new Uint8Array(frequencies.length);
  chooseLengths(Uint32Array.from(frequencies), lengthMax, lengths);
  return [...lengths];
}

/** 1 when every sequence of bits means something, and nothing means two things. */
function kraftSum(lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + (length === 0 ? 0 : 2 ** -length), 0);
}

/** Bits of the best code of all, by joining the two rarest again and again. */
function leastBits(frequencies: readonly number[]): number {
  const weights = frequencies.filter((frequency) => frequency > 0);
  let bits = 0;
  while (weights.length > 1) {
    weights.sort((a, b) => a - b);
    const joined = weights.shift()! + weights.shift()!;
    bits += joined;
    weights.push(joined);
  }
  return bits;
}

test('lengths are complete, and the best there are unless that would be too long', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const prng = new Prng(seed);
    const frequencies = Array.from({ length: prng.nextInt(285) + 2 }, () =>
      prng.nextInt(3) === 0 ? 0 : prng.nextInt(seed % 2 === 0 ? 9 : 9_000),
    );
    frequencies[0] = 1;
    frequencies[1] = 5;
    const lengths = lengthsOf(frequencies, 28);
    const bits = lengths.reduce((sum, length, symbol) => sum + length * frequencies[symbol]!, 0);
    assert.equal(kraftSum(lengths), 1, `seed ${seed}`);
    assert.equal(bits, leastBits(frequencies), `seed ${seed}`);
    for (const [symbol, length] of lengths.entries())
      assert.equal(length > 0, frequencies[symbol]! > 0, `seed ${seed}, symbol ${symbol}`);
  }
});

test('lengths that would be too long are cut, and the code stays complete', () => {
  const frequencies = Array.from({ length: 22 }, (_, index) => 2 ** index);
  const lengths = lengthsOf(frequencies, 7);
  assert.equal(kraftSum(lengths), 1);
  assert.equal(Math.max(...lengths), 7);
});

test('one symbol, or none, still makes a code of two', () => {
  assert.deepEqual(lengthsOf([0, 0, 4, 0], 15), [1, 0, 1, 0]);
  assert.deepEqual(lengthsOf([4, 0], 15), [1, 1]);
  assert.deepEqual(lengthsOf([0, 0, 0], 15), [1, 1, 0]);
});

test('codes are those of the example in RFC 1951, their bits turned round', () => {
  const codes = new Uint16Array(8);
  assignCodes(Uint8Array.of(3, 3, 3, 3, 3, 2, 4, 4), codes);
  const expected = ['010', '011', '100', '101', '110', '00', '1110', '1111'];
  const turned = expected.map((code) => Number.parseInt([...code].reverse().join(''), 2));
  assert.deepEqual([...codes], turned);
});
