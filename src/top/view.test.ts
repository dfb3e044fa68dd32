import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHECKOUT } from '../testkit/source-tree.ts';
import { parseScrape } from './exposition.ts';
import { type ExporterFigures, type Figures, figuresOf } from './figures.ts';
import { formatBytes, formatCount, formatDuration, formatSeconds, left } from './format.ts';
import { plainLines, type SORT_KEYS, screenLines } from './view.ts';

const read = (name: string) =>
  parseScrape(readFileSync(join(CHECKOUT, 'src', 'top', 'testdata', name), 'utf8'));
const figures = figuresOf(read('first.txt'), read('second.txt'), 2);
const SCREEN = { endpoint: 'http://127.0.0.1:8888/metrics', sort: 'rate', columns: 80, rows: 40 } as const;

const unstyled = (line: string) => line.replace(/\u001b\[\d*m/g, '');

/** Every figure as long as it can be. */
function widest(): Figures {
  const quantiles = { p50: 0.999_94, p99: 3599, p999: 599.4 };
  const exporter = 'clickhouse/with-a-very-long-name-of-its-own';
  return {
    process: {
      version: '10.20.30',
      isReady: false,
      uptimeSeconds: 86_400 * 999 + 3600 * 23,
      cpu: 127.99,
      ...{ residentBytes: 99.94 * 2 ** 30, anonymousBytes: 99.94 * 2 ** 30, heapBytes: 99.94 * 2 ** 30 },
      ...{ loopDelayP99: 0.09994, ringUsed: 1, ringPeak: 1, commits: 99_940, restarts: 12 },
    },
    receivers: [
      {
        ...{ receiver: 'otlp/with-a-very-long-name-of-its-own', transport: 'grpc' },
        ...{ spans: 999_400, points: 999_400, logs: 999_400, refused: 999_400, ...quantiles },
      },
    ],
    pipelines: [
      {
        ...{ pipeline: 'traces/with-a-very-long-name-of-its-own', items: 99_940, waiting: 1e15 },
        ...{ diskBytes: 99.94 * 2 ** 40, budgetBytes: 2 ** 40 },
      },
    ],
    samplers: [
      {
        ...{
          processor: 'tail_sampling/with-a-very-long-name',
          traces: 99_940,
          kept: 99_940,
          dropped: 99_940,
        },
        ...{ late: 99_940, pending: 99_940_000_000, oldestSeconds: 3599, indexBytes: 99.94 * 2 ** 30 },
      },
    ],
    exporters: [
      {
        ...{ exporter, signal: 'metrics', sent: 99_940, failed: 99_940, retries: 99_940 },
        ...{ queue: 99_940_000_000, ageSeconds: 3599, ...quantiles },
      },
    ],
  };
}

test('80 columns hold every figure at its longest, with a blank between the columns', () => {
  const lines = screenLines(widest(), SCREEN).map(unstyled);
  for (const line of lines) assert.ok(line.length <= 80, `${line.length}: ${line}`);
  const receiver = lines.find((line) => line.startsWith('otlp/'))!;
  assert.deepEqual(receiver.split(/ +/).slice(1), [
    'grpc',
    '999K',
    '999K',
    '999K',
    '999K',
    '1.0s',
    '59m59s',
    '9m59s',
  ]);
  const exporter = lines.find((line) => line.startsWith('click'))!;
  assert.deepEqual(exporter.split(/ +/).slice(1), [
    ...['metrics', '99.9K', '99.9K', '99.9K', '99.9G', '59m59s', '1.0s', '59m59s', '9m59s'],
  ]);
  assert.match(exporter, /^clickhous.*~.*own /, 'a name that is too long keeps both ends');
  assert.match(lines[0]!, /NOT READY/);
});

test('a screen of the recorded pair', () => {
  const lines = screenLines(figures, SCREEN).map(unstyled);
  const row = (start: string) =>
    lines
      .find((line) => line.startsWith(start))
      ?.trim()
      .split(/ {1,}/);
  assert.match(lines[0]!, /^millrace 0\.1\.0 http:\/\/127\.0\.0\.1:8888\/metrics {2}up 6s$/);
  assert.deepEqual(row('otlp  '), ['otlp', 'grpc', '1K', '0', '0', '0', '2.7ms', '8.7ms', '8.7ms']);
  assert.deepEqual(row('traces/copy'), ['traces/copy', '1K', '300', '656', 'KiB', '0', '%']);
  assert.equal(lines.at(-1), 'q quit  s sort (rate)  r rate  f refused  w queue  l latency  n name');
});

test('every key sorts its way, and equal rows stay in the order of their names', () => {
  const order = (sort: (typeof SORT_KEYS)[number], exporters: Partial<ExporterFigures>[]) => {
    const quantiles = { p50: undefined, p99: undefined, p999: undefined };
    const all = exporters.map((row) => ({
      ...{
        exporter: '',
        signal: 'logs',
        sent: 0,
        failed: 0,
        retries: 0,
        queue: 0,
        ageSeconds: 0,
        ...quantiles,
      },
      ...row,
    }));
    const lines = screenLines({ ...figures, exporters: all }, { ...SCREEN, sort }).map(unstyled);
    const start = lines.findIndex((line) => line.startsWith('EXPORTER'));
    return lines.slice(start + 1, start + 1 + all.length).map((line) => line.split(' ')[0]);
  };
  const rows = [
    { exporter: 'c', sent: 1, failed: 9, queue: 2, p99: 2 },
    { exporter: 'a', sent: 3, failed: 1, queue: 1, p99: 3 },
    { exporter: 'b', sent: 2, failed: 5, queue: 7, p99: 1 },
    { exporter: 'd' },
    { exporter: 'A' },
  ];
  assert.deepEqual(order('rate', rows), ['a', 'b', 'c', 'A', 'd']);
  assert.deepEqual(order('refused', rows), ['c', 'b', 'a', 'A', 'd']);
  assert.deepEqual(order('queue', rows), ['b', 'c', 'a', 'A', 'd']);
  assert.deepEqual(order('latency', rows), ['a', 'c', 'b', 'A', 'd']);
  assert.deepEqual(order('name', rows), ['A', 'a', 'b', 'c', 'd']);
});

test('ids of a hostile peer cannot drive the terminal', () => {
  const hostile = '\u001b[2J\u009b1;1H\r\n\u202eevil';
  const receivers = figures.receivers.map((row) => ({ ...row, receiver: hostile, transport: hostile }));
  const changed = { ...figures, receivers };
  const view = { ...SCREEN, endpoint: `http://x/${hostile}`, trouble: hostile };
  for (const line of [...screenLines(changed, view).map(unstyled), ...plainLines(changed)]) {
    assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
  }
});

test('a small window keeps the beginning and the keys', () => {
  const lines = screenLines(figures, { ...SCREEN, columns: 20, rows: 6 }).map(unstyled);
  assert.equal(lines.length, 6);
  assert.ok(lines.every((line) => line.length <= 20));
  assert.match(lines.at(-1)!, /^q quit/);
  assert.ok(
    screenLines(undefined, { ...SCREEN, trouble: 'cannot reach it' }).some((line) => /! cannot/.test(line)),
  );
});

test('plain lines hold the same figures as key=value', () => {
  const lines = plainLines(figures);
  assert.match(lines[0]!, /^process uptime_s=6\.04365 cpu_cores=0\.09898\d* .* ready=true$/);
  assert.ok(
    lines.includes(
      'receiver id=otlp transport=grpc spans_per_s=1000 points_per_s=0 logs_per_s=0 refused_per_s=0 p50_s=0.002737 p99_s=0.008711 p999_s=0.008711',
    ),
  );
  const odd = { ...figures, pipelines: [{ ...figures.pipelines[0]!, pipeline: 'a "b"=c' }] };
  assert.ok(plainLines(odd).some((line) => line.startsWith('pipeline id="a \\"b\\"=c" items_per_s=1000')));
});

test('numbers, sizes and times are short', () => {
  const cases: [string, string][] = [
    [formatCount(0), '0'],
    [formatCount(0.01), '<0.1'],
    [formatCount(7.25), '7.3'],
    [formatCount(99.96), '100'],
    [formatCount(999.6), '1K'],
    [formatCount(12_345), '12.3K'],
    [formatCount(undefined), '-'],
    [formatCount(Number.NaN), '-'],
    [formatBytes(0), '0 B'],
    [formatBytes(1023.9), '1.0 KiB'],
    [formatBytes(512 * 2 ** 20), '512 MiB'],
    [formatSeconds(0.000_087), '87us'],
    [formatSeconds(0.000_999_9), '1.0ms'],
    [formatSeconds(0.35), '350ms'],
    [formatSeconds(2.5), '2.5s'],
    [formatSeconds(250), '4m10s'],
    [formatDuration(59.6), '1m00s'],
    [formatDuration(3 * 3600 + 125), '3h02m'],
    [formatDuration(12 * 86_400 + 4 * 3600), '12d4h'],
    [left('abcdefghij', 5), 'abc~j'],
  ];
  for (const [found, expected] of cases) assert.equal(found, expected);
});
