import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFromFlags, parseCommandLine, parseDurationMs } from './options.ts';
import { parseStat } from './process-stats.ts';
import { shareOf } from './worker-client.ts';

test('durations are numbers with units, nothing else', () => {
  assert.deepEqual(
    ['30s', '250ms', '1m30s', '10m', '1.5s'].map(parseDurationMs),
    [30_000, 250, 90_000, 600_000, 1_500],
  );
  for (const text of ['', '30', 's', '5 s', '1x', '-1s'])
    assert.throws(() => parseDurationMs(text), RangeError, text);
});

test('flags have defaults by protocol, and impossible ones are refused', () => {
  assert.equal(loadFromFlags({ protocol: 'grpc' }).port, 4317);
  assert.equal(loadFromFlags({}).port, 4318);
  assert.deepEqual([loadFromFlags({ workers: '4', connections: '2' }).connections], [4]);
  assert.throws(() => loadFromFlags({ protocol: 'grpc', encoding: 'json' }), /JSON/);
  assert.throws(() => loadFromFlags({ signal: 'profiles' }), /one of/);
  assert.throws(() => loadFromFlags({ rate: '-1' }), /at least 0/);
  assert.throws(() => parseCommandLine(['--durations', '3s']), TypeError);
});

test('workers share connections without losing any', () => {
  assert.deepEqual(
    [0, 1, 2].map((producer) => shareOf(8, 3, producer)),
    [3, 3, 2],
  );
});

test('a process name with spaces and parentheses does not shift the fields of /proc/pid/stat', () => {
  const text = '42 (a b) c) S 7 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 11 0 100 1 1';
  assert.deepEqual(parseStat(text), { parentPid: 7, cpuTicks: 300 });
});
