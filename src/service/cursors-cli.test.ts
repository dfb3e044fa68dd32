import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodeCursorState, readCursorFile } from '../queue/log/cursor-file.ts';
import { openLogCursor } from '../queue/log/file-cursor.ts';
import { cursorFilePath, logHash } from '../queue/log/layout.ts';
import { openLogWriter } from '../queue/log/open.ts';
import { createSharedWords } from '../queue/log/shared-words.ts';
import { systemClock } from '../stdx/clock.ts';
import { runCursors } from './cursors.ts';
import { CURSORS_HELP, parseCursorsCli } from './cursors-cli.ts';

const NOW = Date.parse('2026-03-02T00:00:00Z');

function rewindOf(...argv: string[]) {
  const parsed = parseCursorsCli(['rewind', '--exporter', 'debug', ...argv], NOW);
  if (!('issues' in parsed) || parsed.command === undefined) return parsed;
  return parsed.command.rewind;
}

test('a rewind goes to a time, so long ago, or to the beginning', () => {
  const targets = ['2026-03-01T12:00:00Z', '2026-03-01T13:00:00+01:00', '12h', 'begin'].map((to) => {
    const words = rewindOf('--to', to) as { target: unknown };
    return words.target;
  });
  const noon = NOW - 12 * 3_600_000;
  assert.deepEqual(targets, [noon, noon, noon, 'begin']);
  assert.deepEqual(rewindOf('--to=begin', '--pipeline', 'traces/eu'), {
    exporter: 'debug',
    target: 'begin',
    log: undefined,
    pipeline: 'traces/eu',
  });
});

test('what cannot be meant is said, and nothing is done', () => {
  const messages = (argv: string[]) => {
    const parsed = parseCursorsCli(argv, NOW);
    return 'issues' in parsed ? parsed.issues.map(({ message }) => message) : ['help'];
  };
  assert.deepEqual(messages(['rewind']), ['cursors rewind needs --exporter', 'cursors rewind needs --to']);
  for (const to of ['yesterday', '2026-13-01', '-5m', '1760000000'])
    assert.match(messages(['rewind', '--exporter', 'a', '--to', to]).join(), /^--to must be a time/, to);
  assert.match(messages(['list', '--to', 'begin']).join(), /--to has no meaning for cursors list/);
  const both = ['rewind', '--exporter', 'a', '--to', 'begin', '--log', 'b', '--pipeline', 'c'];
  assert.deepEqual(messages(both), ['--log and --pipeline exclude each other']);
  assert.match(CURSORS_HELP, /millrace cursors rewind --exporter ID --to TIME\|begin/);
});

/** A log with ten requests of ten items, one a minute, all delivered. */
async function deliveredLog(t: TestContext): Promise<{ dataDir: string; directory: string }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-cursors-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const directory = join(dataDir, 'logs', 'traces.2feu~0');
  const shared = createSharedWords(1);
  const limits = {
    ...{ budgetBytes: 64 << 20, reserveBytes: 0, segmentBytes: 1 << 20, recordBytes: 65_536 },
    flushTimeoutMs: 30_000,
  };
  const descriptor = {
    ...{ logId: 'traces.2feu~0', signal: 'traces' as const, directory, limits, flush: true },
    ...{ cursorNames: ['debug'], shared, retain: { logs: [shared] } },
  };
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  const cursor = await openLogCursor(descriptor, 'debug');
  for (let minute = 0; minute < 10; minute++) {
    writer.tryAppend(Buffer.alloc(300_000, 1), 10, Date.now() - (10 - minute) * 60_000);
    await writer.commit();
  }
  await cursor.freeze([{ first: 0, end: 100 }]);
  cursor.finish({ first: 0, end: 100 });
  await cursor.close();
  await writer.close();
  return { dataDir, directory };
}

async function run(dataDir: string, ...argv: string[]): Promise<{ code: number; text: string }> {
  let text = '';
  const write = (more: string) => {
    text += more;
  };
  const words = [...argv, '--data-dir', dataDir];
  const code = await runCursors({ argv: words, clock: systemClock, writeOut: write, writeError: write });
  return { code, text };
}

test('without an engine the position goes back to the record of that time, and forward never', async (t) => {
  const { dataDir, directory } = await deliveredLog(t);
  const path = cursorFilePath(directory, 'debug');
  const rewind = (to: string, ...more: string[]) =>
    run(dataDir, 'rewind', '--exporter', 'debug', '--to', to, ...more);
  const listed = await run(dataDir, 'list');
  assert.match(listed.text, /traces\.2feu~0 +debug +100 +0 +0 +\d+s +0 +20\d\d-/);
  // Eleven minutes back lies before everything; five and a half between two records, the earlier of which may matter.
  const done = await rewind('330s', '--pipeline', 'traces/eu');
  assert.deepEqual(
    [done.code, done.text],
    [0, 'traces.2feu~0: debug goes back to 40, 60 items are sent again\n'],
  );
  const state = readCursorFile(path);
  assert.ok(typeof state !== 'string');
  assert.deepEqual([state.ordinal, state.generation], [40, 1]);
  const forward = await rewind('1m');
  assert.equal(forward.code, 1);
  assert.match(forward.text, /nothing since then is behind debug\nerror: .*was not moved/);
  assert.equal((await rewind('11m')).text, 'traces.2feu~0: debug goes back to 0, 40 items are sent again\n');
  assert.match((await run(dataDir, 'list')).text, /debug +0 +100 /);
  for (const [argv, reason] of [
    [['--log', 'logs'], /there is no log logs/],
    [['--pipeline', 'traces'], /there is no log of pipeline traces/],
  ] as const) {
    const refused = await rewind('begin', ...argv);
    assert.equal(refused.code, 1);
    assert.match(refused.text, reason);
  }
  const other = await run(dataDir, 'rewind', '--exporter', 'nop', '--to', 'begin');
  assert.match(other.text, /exporter nop has no position there/);
});

test('states without a generation are written as before, those with one under another name', () => {
  const frozen = [{ first: 5, end: 9, isFinished: false }];
  const plain = encodeCursorState({ sequence: 1, ordinal: 5, logHash: logHash('a'), generation: 0, frozen });
  const later = encodeCursorState({ sequence: 1, ordinal: 5, logHash: logHash('a'), generation: 3, frozen });
  assert.equal(String.fromCharCode(...plain.subarray(0, 4)), 'MLC1');
  assert.equal(String.fromCharCode(...later.subarray(0, 4)), 'MLC2');
  assert.equal(later.byteLength, plain.byteLength + 8);
});
