import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogDescriptor } from './contract.ts';
import { readCursorFile, SLOT_BYTES } from './cursor-file.ts';
import { FileCursor, openLogCursor } from './file-cursor.ts';
import { cursorDirectoryName, cursorFilePath } from './layout.ts';
import { createSharedWords, SharedWords } from './shared-words.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cursor-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function createDescriptor(): LogDescriptor {
  return {
    logId: 'traces~0',
    signal: 'traces',
    directory,
    limits: { budgetBytes: 1, reserveBytes: 1, segmentBytes: 1, recordBytes: 1, flushTimeoutMs: 1 },
    flush: true,
    cursorNames: ['clickhouse/a', 'debug'],
    shared: createSharedWords(2),
  };
}

test('a crash keeps frozen boundaries and what was finished behind them, so the next batch begins where it would have', async () => {
  const cursor = await openLogCursor(createDescriptor(), 'debug');
  await cursor.freeze([
    { first: 0, end: 10 },
    { first: 10, end: 30 },
  ]);
  cursor.finish({ first: 10, end: 30 });
  // The lazy write; afterwards the handle is dropped as a crash would drop it.
  await sleep(400);
  const after = await openLogCursor(createDescriptor(), 'debug');
  assert.equal(after.origin, 'restored');
  assert.equal(after.ordinal, 0);
  assert.deepEqual(after.frozen, [{ first: 0, end: 10 }]);
  assert.equal(after.frozenEnd, 30);
  after.finish({ first: 0, end: 10 });
  assert.equal(after.ordinal, 30);
  await after.close();
  await cursor.close();
});

test('a position is released to the writer only after it is on disk', async () => {
  const descriptor = createDescriptor();
  const words = new SharedWords(descriptor.shared);
  const cursor = await openLogCursor(descriptor, 'debug');
  await cursor.freeze([{ first: 0, end: 10 }]);
  cursor.finish({ first: 0, end: 10 });
  assert.equal(cursor.ordinal, 10);
  assert.equal(words.releasedOrdinal(1), 0);
  await cursor.close();
  assert.equal(words.releasedOrdinal(1), 10);
});

test('a torn newer slot falls back to the state before the freeze that was not confirmed', async () => {
  const cursor = await openLogCursor(createDescriptor(), 'debug');
  await cursor.freeze([{ first: 0, end: 10 }]);
  await cursor.freeze([{ first: 10, end: 20 }]);
  await cursor.close();
  const path = cursorFilePath(directory, 'debug');
  const bytes = readFileSync(path);
  const newest = readCursorFile(path);
  assert.ok(typeof newest !== 'string');
  bytes.fill(0xff, (newest.sequence % 2) * SLOT_BYTES + 40, (newest.sequence % 2) * SLOT_BYTES + 60);
  writeFileSync(path, bytes);
  const after = await openLogCursor(createDescriptor(), 'debug');
  assert.equal(after.origin, 'restored');
  assert.deepEqual(after.frozen, [{ first: 0, end: 10 }]);
  await after.close();
});

test('an unreadable file starts again at the oldest item and says so', async () => {
  const path = cursorFilePath(directory, 'clickhouse/a');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'not a cursor');
  const cursor = await openLogCursor(createDescriptor(), 'clickhouse/a');
  assert.equal(cursor.origin, 'damaged');
  assert.equal(cursor.ordinal, 0);
  await cursor.close();
  truncateSync(path, 0);
  const empty = await openLogCursor(createDescriptor(), 'clickhouse/a');
  assert.equal(empty.origin, 'new');
  await empty.close();
});

test('a failed flush is told by the freeze that needed it and by every later one', async () => {
  const words = new SharedWords(createSharedWords(1));
  const cursor = new FileCursor({
    name: 'debug',
    slot: 0,
    words,
    logHash: 1,
    state: { sequence: 0, ordinal: 0, logHash: 1, generation: 0, frozen: [] },
    origin: 'new',
    writeSlot: async () => {
      throw Object.assign(new Error('i/o error'), { code: 'EIO' });
    },
    closeFile: async () => undefined,
  });
  await assert.rejects(cursor.freeze([{ first: 0, end: 1 }]), { code: 'STORAGE_FAILED' });
  await assert.rejects(cursor.freeze([{ first: 1, end: 2 }]), { code: 'STORAGE_FAILED' });
  assert.equal(words.releasedOrdinal(0), 0);
  await assert.rejects(cursor.close(), { code: 'STORAGE_FAILED' });
});

test('moves ride on the freezes that come anyway; one that none follows is written by itself', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let writes = 0;
  const words = new SharedWords(createSharedWords(1));
  const cursor = new FileCursor({
    name: 'debug',
    slot: 0,
    words,
    logHash: 1,
    state: { sequence: 0, ordinal: 0, logHash: 1, generation: 0, frozen: [] },
    origin: 'restored',
    writeSlot: async () => {
      writes++;
    },
    closeFile: async () => undefined,
  });
  for (let first = 0; first < 8; first++) {
    await cursor.freeze([{ first, end: first + 1 }]);
    cursor.finish({ first, end: first + 1 });
    t.mock.timers.tick(80);
  }
  assert.equal(writes, 8);
  t.mock.timers.tick(300);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(writes, 9);
  assert.equal(words.releasedOrdinal(0), 8);
  await cursor.close();
});

test('a full disk is waited for, but not when the cursor is closed', { timeout: 20_000 }, async () => {
  const words = new SharedWords(createSharedWords(1));
  let refusals = 2;
  const written: number[] = [];
  const parts = {
    name: 'debug',
    slot: 0,
    words,
    logHash: 1,
    state: { sequence: 0, ordinal: 0, logHash: 1, generation: 0, frozen: [] },
    origin: 'new',
    writeSlot: async (offset: number) => {
      if (refusals-- > 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC', syscall: 'write' });
      written.push(offset);
    },
    closeFile: async () => undefined,
  } as const;
  const cursor = new FileCursor(parts);
  await cursor.freeze([{ first: 0, end: 1 }]);
  assert.equal(refusals, -1);
  assert.deepEqual(written, [SLOT_BYTES], 'tried again in another slot than the first time');
  refusals = Number.POSITIVE_INFINITY;
  const freezing = cursor.freeze([{ first: 1, end: 2 }]);
  await Promise.all([
    assert.rejects(freezing, { code: 'QUEUE_FULL' }),
    assert.rejects(cursor.close(), { code: 'QUEUE_FULL' }),
  ]);
});

test('exporter ids become file names that cannot leave the directory or meet', () => {
  assert.equal(cursorDirectoryName('clickhouse'), 'clickhouse');
  assert.equal(cursorDirectoryName('clickhouse/a'), 'clickhouse%2fa');
  assert.equal(cursorDirectoryName('..'), '%2e%2e');
  const long = 'x'.repeat(400);
  assert.ok(cursorDirectoryName(long).length <= 255);
  assert.notEqual(cursorDirectoryName(`${long}a`), cursorDirectoryName(`${long}b`));
});
