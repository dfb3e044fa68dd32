/** What was delivered and stays: for how long, what it must give way to, and that a cursor can go back over it. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../component/settings.ts';
import { type Clock, systemClock } from '../../stdx/clock.ts';
import type { LogCursor, LogDescriptor, LogWriter, Retention } from './contract.ts';
import { readCursorFile } from './cursor-file.ts';
import { openLogCursor } from './file-cursor.ts';
import { cursorFilePath, listSegments, segmentDirectory, UNVERIFIED_FILE } from './layout.ts';
import { openLogReader, openLogWriter } from './open.ts';
import { prepareLog } from './prepare.ts';
import { rewindCursor } from './rewind.ts';
import { createSharedWords, SharedWords } from './shared-words.ts';

const MIB = 1 << 20;
const REQUEST = Buffer.alloc(100_000, 7);
const ITEMS = 10;
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

interface LogSet {
  parent: string;
  descriptors: LogDescriptor[];
}

function createLogs(
  t: TestContext,
  names: string[],
  budgetBytes: number,
  retain: Partial<Retention>,
): LogSet {
  const parent = mkdtempSync(join(tmpdir(), 'millrace-retain-'));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  return { parent, descriptors: describeLogs(parent, names, budgetBytes, retain) };
}

/** As a new process would see them: with words of its own. */
function describeLogs(
  parent: string,
  names: readonly string[],
  budgetBytes: number,
  retain: Partial<Retention>,
): LogDescriptor[] {
  const logs = names.map(() => createSharedWords(1));
  return names.map((name, index) => ({
    logId: `${name}~0`,
    signal: 'traces',
    directory: join(parent, `${name}~0`),
    limits: {
      budgetBytes,
      reserveBytes: 0,
      segmentBytes: MIB,
      recordBytes: 256 << 10,
      flushTimeoutMs: 30_000,
    },
    flush: true,
    cursorNames: ['sink'],
    shared: logs[index]!,
    group: { budgetBytes, logs },
    retain: { ...retain, logs },
  }));
}

/** Takes so many requests and delivers them at once; none may be refused. */
async function deliver(writer: LogWriter, cursor: LogCursor, requests: number): Promise<void> {
  for (let request = 0; request < requests; request++) {
    const first = writer.appendedOrdinal;
    assert.equal(writer.tryAppend(REQUEST, ITEMS, 1_000 + first), true, `${writer.lastRefusal} at ${first}`);
    await writer.commit();
    const boundary = { first: cursor.frozenEnd, end: first + ITEMS };
    await cursor.freeze([boundary]);
    cursor.finish(boundary);
  }
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (const startMs = performance.now(); !isTrue(); await sleep(50))
    assert.ok(performance.now() - startMs < 60_000, `waited in vain for ${what}`);
}

/** Ordinals of all requests from the oldest on; none may be damaged, and none may lack its neighbours. */
function readAll(descriptor: LogDescriptor): { begin: number; end: number } {
  const reader = openLogReader(descriptor);
  const begin = reader.beginOrdinal();
  let at = begin;
  for (let record = reader.readRecord(at); record !== undefined; record = reader.readRecord(at)) {
    assert.equal(record.damaged, false);
    assert.ok(record.firstOrdinal <= at && record.endOrdinal > at);
    at = record.endOrdinal;
  }
  void reader.close();
  return { begin, end: at };
}

test('retained by size: the oldest segments go, whichever log has them, and the rest can be read', {
  timeout: 30_000,
}, async (t) => {
  const { descriptors } = createLogs(t, ['a', 'b'], 256 * MIB, { sizeBytes: 8 * MIB });
  const [a, b] = descriptors as [LogDescriptor, LogDescriptor];
  const opened = [];
  for (const descriptor of [a, b]) {
    const writer = await openLogWriter(descriptor, { clock: systemClock });
    opened.push({ writer, cursor: await openLogCursor(descriptor, 'sink') });
  }
  const [first, second] = opened as [(typeof opened)[0], (typeof opened)[0]];
  // Requests are dated by their ordinals: what the first log gets here is older than what the second gets behind it.
  await deliver(first.writer, first.cursor, 60);
  const words = [a, b].map(({ shared }) => new SharedWords(shared));
  await until('the first log to keep its share', () => words[0]!.retainedBytes > 4 * MIB);
  assert.equal(words[0]!.beginOrdinal, 0);
  while (second.writer.appendedOrdinal < 600) second.writer.tryAppend(REQUEST, 100, 1_000);
  await second.writer.commit();
  await second.cursor.freeze([{ first: 0, end: 600 }]);
  second.cursor.finish({ first: 0, end: 600 });
  await deliver(second.writer, second.cursor, 70);
  await until('both to keep to the size', () => words[0]!.retainedBytes + words[1]!.retainedBytes <= 8 * MIB);
  await until('the oldest to be gone', () => words[0]!.beginOrdinal > 0);
  for (const [index, descriptor] of [a, b].entries()) {
    const { begin, end } = readAll(descriptor);
    assert.equal(begin, words[index]!.beginOrdinal);
    assert.equal(end, opened[index]!.writer.appendedOrdinal);
    assert.equal(words[index]!.oldestUnixMs > 0, true);
  }
  for (const { cursor, writer } of opened) for (const part of [cursor, writer]) await part.close();
});

test('retained by time: kept until the clock says so', {
  timeout: 30_000,
}, async (t) => {
  const { descriptors } = createLogs(t, ['a'], 256 * MIB, { timeMs: 3_600_000 });
  const [descriptor] = descriptors as [LogDescriptor];
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, unixMs: () => systemClock.unixMs() + aheadMs };
  const writer = await openLogWriter(descriptor, { clock });
  const cursor = await openLogCursor(descriptor, 'sink');
  await deliver(writer, cursor, 100);
  const words = new SharedWords(descriptor.shared);
  await sleep(2_500);
  assert.deepEqual(readAll(descriptor), { begin: 0, end: 100 * ITEMS });
  assert.ok(words.retainedBytes > 8 * MIB);
  aheadMs = 3_700_000;
  // A newest segment that is too small to be worth its replacement stays, as it does without retention.
  await until('everything to be gone', () => words.retainedBytes === 0 && words.beginOrdinal > 80 * ITEMS);
  await until('the files to be gone', () => writer.sizeBytes < 2 * MIB);
  for (const part of [cursor, writer]) await part.close();
});

test('nothing is refused for what is retained: it goes first, in every log of the budget', {
  timeout: 60_000,
}, async (t) => {
  const budgetBytes = 32 * MIB;
  const { descriptors } = createLogs(t, ['a', 'b'], budgetBytes, { timeMs: 3_600_000 });
  const [a, b] = descriptors as [LogDescriptor, LogDescriptor];
  const writerA = await openLogWriter(a, { clock: systemClock });
  const cursorA = await openLogCursor(a, 'sink');
  await deliver(writerA, cursorA, 1_000);
  const words = [a, b].map(({ shared }) => new SharedWords(shared));
  assert.ok(words[0]!.retainedBytes > 16 * MIB, `only ${words[0]!.retainedBytes} bytes are kept`);
  assert.ok(writerA.sizeBytes <= budgetBytes, `${writerA.sizeBytes} bytes on disk`);

  // The other log's exporter is away. Its data takes the place of what the first one only keeps.
  const writerB = await openLogWriter(b, { clock: systemClock });
  const cursorB = await openLogCursor(b, 'sink');
  let bytesMax = 0;
  for (let request = 0; request < 200; request++) {
    assert.equal(writerB.tryAppend(REQUEST, ITEMS, 1), true, `${writerB.lastRefusal} at request ${request}`);
    await writerB.commit();
    // A log that takes nothing itself looks once a second.
    await sleep(15);
    bytesMax = Math.max(bytesMax, writerA.sizeBytes + writerB.sizeBytes);
  }
  // At rest both are within the budget, and what is still kept is no more than the place that the other one leaves.
  await until('the kept segments to have gone', () => {
    const isWithin = writerA.sizeBytes + writerB.sizeBytes <= budgetBytes;
    return isWithin && words[0]!.retainedBytes <= budgetBytes - writerB.sizeBytes;
  });
  // A log at rest notices within a second what the other one needs, which takes seven megabytes of it at most.
  assert.ok(bytesMax <= budgetBytes + 9 * MIB, `${bytesMax} bytes on disk`);
  assert.deepEqual(readAll(b), { begin: 0, end: 200 * ITEMS });
  for (const part of [cursorA, cursorB, writerA, writerB]) await part.close();
});

test('after a crash kept segments wait for their scan until a cursor goes back to them', {
  timeout: 60_000,
}, async (t) => {
  const { parent, descriptors } = createLogs(t, ['a'], 256 * MIB, { timeMs: 3_600_000 });
  const [descriptor] = descriptors as [LogDescriptor];
  const prepare = (directory: string) =>
    prepareLog({
      logId: 'a~0',
      directory,
      cursorNames: ['sink', 'late'],
      clock: systemClock,
      logger: silent,
    });
  await prepare(descriptor.directory);
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  const cursor = await openLogCursor(descriptor, 'sink');
  await deliver(writer, cursor, 60);
  await sleep(300);
  const copy = join(parent, 'copy');
  const directory = join(copy, 'a~0');
  cpSync(descriptor.directory, directory, { recursive: true, preserveTimestamps: true });
  // The position of somebody who left would hold everything back.
  rmSync(join(directory, 'cursors', 'late'), { recursive: true });
  for (const part of [cursor, writer]) await part.close();

  const found = await prepare(directory);
  const segments = listSegments(directory);
  assert.ok(segments.length >= 5);
  assert.equal(found.scannedCount, 1, 'only the newest segment was in danger');
  assert.equal(found.unverifiedCount, segments.length - 1);
  // A newcomer gets what somebody waits for, and nothing of what is only kept.
  const late = readCursorFile(cursorFilePath(directory, 'late'));
  assert.ok(typeof late !== 'string' && late.ordinal === 60 * ITEMS);
  rmSync(join(directory, 'cursors', 'late'), { recursive: true });

  rewindCursor({ logDirectory: directory, logId: 'a~0', name: 'sink', ordinal: segments[2]! });
  const again = await prepare(directory);
  assert.equal(again.unverifiedCount, 2);
  assert.equal(again.scannedCount, segments.length - 2);
  const marked = segments.filter((first) =>
    existsSync(join(segmentDirectory(directory, first), UNVERIFIED_FILE)),
  );
  assert.deepEqual(marked, segments.slice(0, 2));
  const [after] = describeLogs(copy, ['a'], 256 * MIB, { timeMs: 3_600_000 }) as [LogDescriptor];
  const successor = await openLogWriter(after, { clock: systemClock });
  assert.deepEqual(readAll(after), { begin: 0, end: 60 * ITEMS });
  assert.equal(new SharedWords(after.shared).oldestUnixMs, 1_000);
  await successor.close();
});

test('a rewind that was torn in the file leaves the position as it was', async (t) => {
  const { descriptors } = createLogs(t, ['a'], 256 * MIB, {});
  const [descriptor] = descriptors as [LogDescriptor];
  const cursor = await openLogCursor(descriptor, 'sink');
  await cursor.freeze([{ first: 0, end: 500 }]);
  cursor.finish({ first: 0, end: 500 });
  await cursor.close();
  const path = cursorFilePath(descriptor.directory, 'sink');
  const order = { logDirectory: descriptor.directory, logId: 'a~0', name: 'sink', ordinal: 7 };
  const before = readCursorFile(path);
  assert.ok(typeof before !== 'string' && before.ordinal === 500);
  rewindCursor(order);
  const after = readCursorFile(path);
  assert.ok(typeof after !== 'string');
  assert.deepEqual([after.ordinal, after.generation, after.frozen], [7, 1, []]);
  const { readFileSync } = await import('node:fs');
  const whole = readFileSync(path);
  const offset = (after.sequence % 2) * 65_536;
  for (let cut = 0; cut < 40; cut++) {
    const torn = Buffer.from(whole);
    torn.fill(0xff, offset + cut, offset + 48);
    writeFileSync(path, torn);
    assert.deepEqual(readCursorFile(path), before, `cut at ${cut}`);
  }
});
