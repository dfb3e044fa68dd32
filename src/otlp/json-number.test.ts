import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PipelineError } from '../component/errors.ts';
import { JsonNumber } from './json-number.ts';
import { JsonSource } from './json-source.ts';

const number = new JsonNumber();

function sourceOf(text: string): JsonSource {
  const source = new JsonSource();
  source.reset(new TextEncoder().encode(text));
  return source;
}

/** What a read leaves, or undefined when it refuses; the whole text must have been consumed. */
function read<T>(text: string, run: (source: JsonSource) => T): T | undefined {
  const source = sourceOf(text);
  try {
    const value = run(source);
    assert.equal(source.remainingBytes, 0, text);
    return value;
  } catch (error) {
    assert.ok(error instanceof PipelineError, String(error));
    return undefined;
  }
}

const unsigned = (): bigint => (BigInt(number.hi >>> 0) << 32n) | BigInt(number.lo >>> 0);

function readUint64(source: JsonSource): bigint {
  number.readUint64(source);
  return unsigned();
}

function readInt64(source: JsonSource): bigint {
  number.readInt64(source);
  return BigInt.asIntN(64, unsigned());
}

/** Sign, digits, digits behind the point and exponent: any JSON number. */
const DECIMALS = fc.record({
  minus: fc.boolean(),
  whole: fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 70n }),
    fc.nat(20).map((n) => 10n ** BigInt(n)),
    fc.nat(9).map(BigInt),
  ),
  fraction: fc.option(fc.stringMatching(/^[0-9]{1,6}0{0,18}$/), { nil: '' }),
  exponent: fc.option(fc.integer({ min: -24, max: 24 }), { nil: 0 }),
});

/** The exact value, or undefined when it is no integer. */
function exactInteger(minus: boolean, whole: bigint, fraction: string, exponent: number): bigint | undefined {
  const digits = BigInt(`${whole}${fraction}`);
  const power = exponent - fraction.length;
  const scale = 10n ** BigInt(Math.abs(power));
  if (power < 0 && digits % scale !== 0n) return undefined;
  const value = power < 0 ? digits / scale : digits * scale;
  return minus ? -value : value;
}

test('integers in any notation agree with exact arithmetic, quoted or not', () => {
  fc.assert(
    fc.property(DECIMALS, ({ minus, whole, fraction, exponent }) => {
      const point = fraction === '' ? '' : `.${fraction}`;
      const power = exponent === 0 ? '' : `e${exponent}`;
      const text = `${minus ? '-' : ''}${whole}${point}${power}`;
      const value = exactInteger(minus, whole, fraction, exponent);
      const signed = value !== undefined && BigInt.asIntN(64, value) === value ? value : undefined;
      const positive = value !== undefined && BigInt.asUintN(64, value) === value ? value : undefined;
      for (const spelling of [text, `"${text}"`]) {
        assert.equal(read(spelling, readInt64), signed, spelling);
        assert.equal(read(spelling, readUint64), positive, spelling);
      }
    }),
    { numRuns: 3000, seed: 42 },
  );
});

test('plain 64-bit integers around powers of two and ten', () => {
  const values = [...Array(64).keys()].flatMap((n) => [
    2n ** BigInt(n) - 1n,
    2n ** BigInt(n),
    2n ** BigInt(n) + 1n,
  ]);
  for (let n = 0n; n < 20n; n++) values.push(10n ** n - 1n, 10n ** n, 10n ** n + 1n);
  values.push(2n ** 64n - 1n);
  for (const value of values) {
    assert.equal(read(`${value}`, readUint64), value);
    if (value < 2n ** 63n) assert.equal(read(`-${value}`, readInt64), -value);
  }
  assert.equal(read(`${2n ** 64n}`, readUint64), undefined);
});

test('doubles are the nearest ones, as the platform reads them', () => {
  const readDouble = (source: JsonSource): number => number.readDouble(source);
  const check = (text: string): void => {
    const value = Number(text);
    const expected = Number.isFinite(value) ? value : undefined;
    assert.ok(Object.is(read(text, readDouble), expected), text);
    assert.ok(Object.is(read(`"${text}"`, readDouble), expected), text);
  };
  fc.assert(
    fc.property(DECIMALS, fc.double({ noNaN: true, noDefaultInfinity: true }), (decimal, double) => {
      const { minus, whole, fraction, exponent } = decimal;
      check(`${minus ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}E${exponent}`);
      check(`${minus ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`);
      check(Object.is(double, -0) ? '-0' : String(double));
    }),
    { numRuns: 3000, seed: 42 },
  );
});
