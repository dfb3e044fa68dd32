import assert from 'node:assert/strict';
import test from 'node:test';
import { Sampler } from './sampler.ts';
import { clean, fixedDouble, plainValue, shortDouble, timeText, typedValue } from './text.ts';

test('doubles in the two notations of Go', () => {
  const cases: [number | string, string, string][] = [
    [0, '0', '0.000000'],
    [-0, '-0', '-0.000000'],
    [1.5, '1.5', '1.500000'],
    [0.0001, '0.0001', '0.000100'],
    [0.00001, '1e-05', '0.000010'],
    [1.25e-7, '1.25e-07', '0.000000'],
    [1e20, '100000000000000000000', '100000000000000000000.000000'],
    [1e21, '1e+21', '1000000000000000000000.000000'],
    [-1.5e300, '-1.5e+300', `-${BigInt(1.5e300)}.000000`],
    ['NaN', 'NaN', 'NaN'],
    ['Infinity', '+Inf', '+Inf'],
    ['-Infinity', '-Inf', '-Inf'],
  ];
  for (const [value, short, fixed] of cases) {
    assert.equal(shortDouble(value), short);
    assert.equal(fixedDouble(value), fixed);
  }
});

test('times have nanoseconds without trailing zeros', () => {
  assert.equal(timeText(undefined), '1970-01-01 00:00:00 +0000 UTC');
  assert.equal(timeText('1581452773000000789'), '2020-02-11 20:26:13.000000789 +0000 UTC');
  assert.equal(timeText('1581452773120000000'), '2020-02-11 20:26:13.12 +0000 UTC');
  assert.equal(timeText('9223372036854775807'), '2262-04-11 23:47:16.854775807 +0000 UTC');
  assert.equal(timeText('18446744073709551615'), '1969-12-31 23:59:59.999999999 +0000 UTC');
});

test('values carry their type, and 64-bit integers all their digits', () => {
  const big = '9007199254740993';
  assert.equal(typedValue(undefined), 'Empty()');
  assert.equal(typedValue({ stringValue: '' }), 'Str()');
  assert.equal(typedValue({ intValue: big }), `Int(${big})`);
  assert.equal(typedValue({ doubleValue: 2 }), 'Double(2)');
  assert.equal(typedValue({ boolValue: false }), 'Bool(false)');
  assert.equal(typedValue({ bytesValue: 'AQID' }), 'Bytes(AQID)');
  const list = { arrayValue: { values: [{ intValue: big }, { stringValue: 'a"b' }, {}] } };
  assert.equal(typedValue(list), `Slice([${big},"a\\"b",null])`);
  const members = [
    { key: 'b', value: list },
    { key: 'a', value: { doubleValue: 'NaN' } },
  ];
  const map = { kvlistValue: { values: members } };
  assert.equal(plainValue(map), `{"a":NaN,"b":[${big},"a\\"b",null]}`);
});

test('characters that leave the line are escaped, all others stay', () => {
  assert.equal(clean('a\r\n\tb'), 'a\\r\\n\\tb');
  assert.equal(clean('\u001b[31m\u0007\u0000\u007f\u009b'), '\\u001b[31m\\u0007\\u0000\\u007f\\u009b');
  assert.equal(clean('\u2028\u2029\u202e\u2066'), '\\u2028\\u2029\\u202e\\u2066');
  assert.equal(clean('C:\\new größe 日本 🎉 =1+1'), 'C:\\new größe 日本 🎉 =1+1');
});

test('sampling shows the first batches of a second, then one of a number', () => {
  let nowMs = 5_000;
  const clock = { unixMs: () => nowMs, monotonicMs: () => nowMs };
  const shown = (sampler: Sampler, batches: number) =>
    Array.from({ length: batches }, () => (sampler.admits() ? 'x' : '.')).join('');
  const sampler = new Sampler(clock, 2, 3);
  assert.equal(shown(sampler, 10), 'xx..x..x..');
  nowMs += 1_000;
  assert.equal(shown(sampler, 3), 'xx.');
  assert.equal(shown(new Sampler(clock, 2, 1), 4), 'xxxx');
  assert.equal(shown(new Sampler(clock, 1, 0), 4), 'x...');
});
