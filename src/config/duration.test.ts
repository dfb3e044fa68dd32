import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { didYouMean, nearest } from '../stdx/nearest.ts';
import { parseByteSize } from './byte-size.ts';
import { parseDuration } from './duration.ts';
import { parseHostPort, redactEndpoint } from './host-port.ts';

test('durations read as Go reads them', () => {
  const cases: [string, number][] = [
    ['0', 0],
    ['+0', 0],
    ['-0', 0],
    ['5s', 5_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1_500],
    ['.5s', 500],
    ['1.s', 1_000],
    ['-1m', -60_000],
    ['+2ms', 2],
    ['250us', 0.25],
    ['250µs', 0.25],
    ['250μs', 0.25],
    ['1000000ns', 1],
    ['3s2h1ms', 7_203_001],
  ];
  for (const [text, ms] of cases) assert.ok(parseDuration(text) === ms, text);
});

test('what Go refuses as a duration is refused', () => {
  for (const text of [
    '',
    '-',
    '5',
    '1h5',
    's',
    '5 s',
    '5S',
    '1d',
    '1e3s',
    '5s ',
    '..5s',
    '.s',
    '0x1s',
    '3000000h',
  ]) {
    assert.equal(typeof parseDuration(text), 'object', text);
  }
});

test('parts of a duration add up, whatever their order', () => {
  const units = ['h', 'm', 's', 'ms'] as const;
  const unitMs = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
  const part = fc.tuple(fc.nat(999), fc.constantFrom(...units));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), (parts) => {
      const text = parts.map(([value, unit]) => `${value}${unit}`).join('');
      const expected = parts.reduce((sum, [value, unit]) => sum + value * unitMs[unit], 0);
      assert.equal(parseDuration(text), expected);
    }),
  );
});

test('sizes are integers of bytes or numbers with a unit', () => {
  const cases: [string, number | undefined][] = [
    ['0', 0],
    ['1048576', 1_048_576],
    ['10MB', 10_000_000],
    ['10 MiB', 10_485_760],
    ['1.5GiB', 1_610_612_736],
    ['2kib', 2_048],
    ['7B', 7],
    ['1.5', undefined],
    ['-1', undefined],
    ['1XB', undefined],
    ['MB', undefined],
    ['99999TiB', undefined],
    ['1constructor', undefined],
  ];
  for (const [text, bytes] of cases) assert.equal(parseByteSize(text), bytes, text);
});

test('addresses have a host, maybe an empty one, and a port', () => {
  assert.deepEqual(parseHostPort('localhost:4317'), { host: 'localhost', port: 4317 });
  assert.deepEqual(parseHostPort(':8888'), { host: '', port: 8888 });
  assert.deepEqual(parseHostPort('[::1]:0'), { host: '::1', port: 0 });
  for (const text of [
    'localhost',
    'localhost:',
    '::1:80',
    'a:65536',
    'a b:1',
    'http://a:1',
    'user@a:1',
    'a:1/x',
    '',
  ]) {
    assert.equal(parseHostPort(text), undefined, text);
  }
});

test('printed addresses hold no credentials', () => {
  assert.equal(redactEndpoint('https://user:pw@host:1/p?key=k#f'), 'https://[REDACTED]@host:1/p?[REDACTED]');
  assert.equal(redactEndpoint('http://host:8123'), 'http://host:8123');
  assert.equal(redactEndpoint('tcp://a@b@host'), 'tcp://[REDACTED]@host');
});

test('the nearest name is found through typing errors, not through thin air', () => {
  const keys = ['endpoint', 'timeout', 'send_batch_size', 'retry_on_failure'];
  assert.equal(nearest('endpont', keys), 'endpoint');
  assert.equal(nearest('tiemout', keys), 'timeout');
  assert.equal(nearest('sendBatchSize', keys), 'send_batch_size');
  assert.equal(nearest('send-batch-size', keys), 'send_batch_size');
  assert.equal(nearest('compression', keys), undefined);
  assert.equal(nearest('x', keys), undefined);
  assert.equal(nearest('y'.repeat(1_000), keys), undefined);
  assert.equal(didYouMean('Timeout', keys), ' (did you mean "timeout"?)');
  assert.equal(didYouMean('zzz', keys), '');
});
