import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Bits56, HEX_DIGITS } from './bits56.ts';

const VALUES = 1n << 56n;
const numberOf = ({ hi, lo }: Bits56): bigint => (BigInt(hi) << 28n) | BigInt(lo);

function bitsOf(value: bigint): Bits56 {
  const bits = new Bits56();
  bits.hi = Number(value >> 28n);
  bits.lo = Number(value & 0xfffffffn);
  return bits;
}

/** The published algorithm on 64-bit integers: digits grow with the zeros or `f` at the beginning. */
function modelThreshold(probability: number, digits: number): bigint {
  if (probability === 1) return 0n;
  const binaryExponent = (value: number): number => {
    let exponent = 0;
    let mantissa = value;
    for (; mantissa < 0.5; exponent--) mantissa *= 2;
    for (; mantissa >= 1; exponent++) mantissa /= 2;
    return exponent;
  };
  const leading = (value: number): number => Math.trunc(-binaryExponent(value) / 4);
  const precision = Math.min(
    HEX_DIGITS,
    Math.max(digits + leading(probability), digits + leading(1 - probability)),
  );
  const threshold = VALUES - BigInt(Math.round(probability * 2 ** 56));
  const shift = BigInt(4 * (HEX_DIGITS - precision));
  return shift === 0n ? threshold : ((threshold + (1n << (shift - 1n))) >> shift) << shift;
}

const bits = fc.bigInt({ min: 0n, max: VALUES - 1n });
const share = fc.oneof(
  fc.double({ min: 2 ** -56, max: 1, noNaN: true }),
  fc.integer({ min: 0, max: 56 }).map((power) => 2 ** -power),
  fc.integer({ min: 1, max: 53 }).map((power) => 1 - 2 ** -power),
  fc.integer({ min: 1, max: 10_000 }).map((permyriad) => permyriad / 10_000),
);

test('thresholds of probabilities equal the model on big integers', () => {
  const property = fc.property(share, fc.integer({ min: 1, max: HEX_DIGITS }), (probability, digits) => {
    const threshold = new Bits56();
    assert.ok(threshold.setProbability(probability, digits));
    assert.equal(numberOf(threshold), modelThreshold(probability, digits));
  });
  fc.assert(property, { numRuns: 5000 });
});

test('probabilities of thresholds are rounded once', () => {
  const property = fc.property(bits, (value) => {
    assert.equal(bitsOf(value).probability(), Number(VALUES - value) / 2 ** 56);
  });
  fc.assert(property, { numRuns: 5000 });
  const never = new Bits56();
  never.setNever();
  assert.equal(never.probability(), 0);
});

test('order is that of the numbers', () => {
  const close = fc.tuple(bits, fc.integer({ min: -1, max: 1 }));
  const property = fc.property(fc.oneof(fc.tuple(bits, bits), close), ([a, other]) => {
    const b = typeof other === 'bigint' ? other : a + BigInt(other);
    if (b < 0n || b >= VALUES) return;
    assert.equal(bitsOf(a).isAbove(bitsOf(b)), a > b);
  });
  fc.assert(property, { numRuns: 2000 });
  const never = new Bits56();
  never.setNever();
  const highest = new Bits56();
  highest.setHighest();
  assert.equal(numberOf(highest), VALUES - 1n);
  assert.ok(never.isAbove(highest));
});

test('digits are read and written as they are in tracestate', () => {
  const target = new Uint8Array(HEX_DIGITS);
  const property = fc.property(bits, (value) => {
    const text = value.toString(16).padStart(HEX_DIGITS, '0');
    assert.equal(bitsOf(value).writeRandomness(target, 0), HEX_DIGITS);
    assert.equal(Buffer.from(target).toString(), text);
    const end = bitsOf(value).writeThreshold(target, 0);
    const short = Buffer.from(target.subarray(0, end)).toString();
    assert.equal(short, text.replace(/0+$/, '') || '0');
    const read = new Bits56();
    assert.ok(read.readHex(Buffer.from(short.toUpperCase()), 0, short.length));
    assert.equal(numberOf(read), value);
  });
  fc.assert(property, { numRuns: 2000 });
  for (const wrong of ['', '123456789abcdef', '12g', '0x1', '-1', '1_0']) {
    assert.equal(new Bits56().readHex(Buffer.from(wrong), 0, wrong.length), false, wrong);
  }
});

test('shares outside 2^-56 to 1 have no threshold', () => {
  for (const share of [0, -0.5, 1.000001, 2 ** -57, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.equal(new Bits56().setProbability(share, 4), false, String(share));
  }
});

test('the last seven bytes of a trace id are its randomness', () => {
  const id = Buffer.from('ffffffffffffffffff0123456789abcd', 'hex');
  const randomness = new Bits56();
  randomness.readTraceId(Buffer.concat([Buffer.of(7), id]), 1);
  assert.equal(numberOf(randomness), 0x0123456789abcdn);
});
