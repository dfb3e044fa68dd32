import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLogger, escapeJsonLine, formatConsoleLine, LogSampler } from './logger.ts';

test('the first ten of a message in ten seconds, then one of a hundred; each message by itself', () => {
  let nowMs = 50_000;
  const sampler = new LogSampler({ unixMs: () => 0, monotonicMs: () => nowMs });
  const admitted = (message: string, count: number) =>
    Array.from({ length: count }, () => sampler.admits(message)).filter(Boolean).length;
  assert.equal(admitted('a', 10), 10);
  assert.equal(admitted('a', 99), 0);
  assert.equal(admitted('a', 1), 1);
  assert.equal(admitted('a', 1000), 10);
  assert.equal(admitted('b', 10), 10);
  nowMs += 9_999;
  assert.equal(admitted('a', 10), 0);
  nowMs += 10_001;
  assert.equal(admitted('a', 10), 10);
});

test('the sampler forgets rather than grows', () => {
  const sampler = new LogSampler({ unixMs: () => 0, monotonicMs: () => 1 });
  for (let i = 0; i < 100_000; i++) assert.equal(sampler.admits(`message ${i}`), true);
});

test('E8: whatever a message or field holds, an event is one printable line', () => {
  const hostile = fc.string({
    unit: fc.constantFrom(
      'a',
      '\n',
      '\r',
      '\t',
      '\u001b[31m',
      '\u009b2J',
      '\u0000',
      '\u007f',
      '\u2028',
      '\u2029',
      '"',
      '\\',
      '=',
      'ü',
    ),
  });
  const control = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/;
  fc.assert(
    fc.property(hostile, hostile, hostile, (msg, value, key) => {
      const event = { ts: '2026-01-01T00:00:00.000Z', level: 'info', [`k${key}`]: value, msg };
      const line = formatConsoleLine(`${JSON.stringify(event)}\n`);
      assert.ok(line.endsWith('\n'));
      assert.doesNotMatch(line.slice(0, -1), control);
      assert.equal(line.slice(0, -1).split('\t').length, 4, 'a tab cannot add a column');
      const json = escapeJsonLine(JSON.stringify(event));
      assert.doesNotMatch(json, control);
      assert.deepEqual(JSON.parse(json), event);
      assert.deepEqual(JSON.parse(line.split('\t')[3]!), { [`k${key}`]: value });
    }),
  );
});

const SCRIPT = `
  const { createLogger } = await import(process.argv[1]);
  const { systemClock } = await import(process.argv[2]);
  const logger = createLogger({ level: 'info', encoding: process.argv[3] }, systemClock);
  logger.debug('not shown');
  logger.child({ worker: 'w\\u009b' }).warn('line\\nbreak', { size: 3 });
  process.exit(0);
`;

for (const encoding of ['json', 'console']) {
  test(`a ${encoding} line before an exit is written, once, to stderr`, () => {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const urls = [`./logger${extension}`, `../stdx/clock${extension}`].map(
      (path) => new URL(path, import.meta.url).href,
    );
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', SCRIPT, ...urls, encoding], {
      encoding: 'utf8',
    });
    assert.equal(child.stdout, '');
    const lines = child.stderr.split('\n').filter((line) => line.includes('break'));
    assert.equal(lines.length, 1, child.stderr);
    assert.ok(!child.stderr.includes('not shown') && !child.stderr.includes('\u009b'));
    if (encoding === 'console')
      assert.match(lines[0]!, /^\d{4}-.*Z\twarn\tline\\u000abreak\t\{"worker":"w\\u009b","size":3\}$/);
    else
      assert.deepEqual(
        { ...JSON.parse(lines[0]!), ts: 0 },
        { level: 'warn', ts: 0, worker: 'w\u009b', size: 3, msg: 'line\nbreak' },
      );
  });
}

test('new settings reach a logger and its children; a file that cannot be opened changes nothing', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-logger-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [first, second] = [join(directory, 'a.log'), join(directory, 'b.log')];
  const clock = { unixMs: () => 0, monotonicMs: () => 1 };
  const options = { level: 'info', encoding: 'json', outputPaths: [first] } as const;
  const logger = createLogger(options, clock);
  const child = logger.child({ component: 'otlp' }).child({ protocol: 'http' });
  child.info('one');
  assert.throws(
    () => logger.prepare({ ...options, outputPaths: [join(directory, 'no', 'c.log')] }),
    /cannot open/,
  );
  child.debug('not printed');
  logger.prepare({ ...options, outputPaths: [second] }).discard();
  child.info('two');
  logger.prepare({ ...options, level: 'debug', outputPaths: [second], initialFields: { site: 'x' } }).apply();
  child.debug('three');
  logger.warn('four');
  const read = (path: string) =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  const about = { component: 'otlp', protocol: 'http' };
  const ts = '1970-01-01T00:00:00.000Z';
  assert.deepEqual(read(first), [
    { level: 'info', ts, ...about, msg: 'one' },
    { level: 'info', ts, ...about, msg: 'two' },
  ]);
  assert.deepEqual(read(second), [
    { level: 'debug', ts, site: 'x', ...about, msg: 'three' },
    { level: 'warn', ts, site: 'x', msg: 'four' },
  ]);
});
