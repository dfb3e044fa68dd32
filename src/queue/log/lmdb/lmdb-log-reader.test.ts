/** Which gaps in a log are losses: records say how far the log went before them. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { LogDescriptor } from '../contract.ts';
import { logHash, segmentDirectory } from '../layout.ts';
import { openLogReader } from '../open.ts';
import { BufferPool, finishRecord, RecordBuilder } from '../record-builder.ts';
import { createSharedWords, LOG_STATE_OPEN, SharedWords } from '../shared-words.ts';
import { openSegmentStore, type StoreRecord } from './store.ts';

const LOG_ID = 'traces~0';
let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'log-reader-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Stored {
  first: number;
  items: number;
  previousEnd: number;
}

function createStored({ first, items, previousEnd }: Stored): StoreRecord {
  const builder = new RecordBuilder(new BufferPool(1024, 4096), first, 1, 10);
  builder.append(Buffer.from(`from ${first}`), items);
  const sealed = builder.seal();
  finishRecord(sealed, previousEnd, logHash(LOG_ID));
  return { firstOrdinal: first, bytes: sealed.bytes };
}

async function writeSegment(firstOrdinal: number, records: readonly (Stored | StoreRecord)[]): Promise<void> {
  const path = segmentDirectory(directory, firstOrdinal);
  mkdirSync(path, { recursive: true });
  const store = openSegmentStore({ directory: path, mapBytes: 1 << 24, flush: true });
  await store.putAll(records.map((record) => ('bytes' in record ? record : createStored(record))));
  await store.close();
}

/** Ranges as the reader gives them from `from` on; damaged ones with a `!`. */
async function readRanges(from: number, end: number): Promise<string[]> {
  const descriptor: LogDescriptor = {
    logId: LOG_ID,
    signal: 'traces',
    directory,
    limits: { budgetBytes: 1, reserveBytes: 0, segmentBytes: 1 << 24, recordBytes: 1024, flushTimeoutMs: 1 },
    flush: true,
    cursorNames: [],
    shared: createSharedWords(0),
  };
  const words = new SharedWords(descriptor.shared);
  words.publishFlushedEnd(end);
  words.setState(LOG_STATE_OPEN);
  const reader = openLogReader(descriptor);
  const ranges: string[] = [];
  let ordinal = from;
  for (let record = reader.readRecord(ordinal); record !== undefined; record = reader.readRecord(ordinal)) {
    ranges.push(`${record.firstOrdinal}-${record.endOrdinal}${record.damaged ? '!' : ''}`);
    assert.ok(record.endOrdinal > ordinal, 'the reader does not move on');
    ordinal = record.endOrdinal;
  }
  await reader.close();
  return ranges;
}

test('ordinals of a rejected group are no loss; a record that should be there is', async () => {
  await writeSegment(0, [
    { first: 0, items: 10, previousEnd: 0 },
    { first: 20, items: 10, previousEnd: 10 },
    { first: 40, items: 10, previousEnd: 40 },
  ]);
  assert.deepEqual(await readRanges(0, 50), ['0-10', '20-30', '30-40!', '40-50']);
  assert.deepEqual(await readRanges(35, 50), ['35-40!', '40-50']);
});

test('a lost tail of a segment is reported where the next segment says that there was one', async () => {
  await writeSegment(0, [{ first: 0, items: 10, previousEnd: 0 }]);
  await writeSegment(25, [{ first: 25, items: 5, previousEnd: 20 }]);
  assert.deepEqual(await readRanges(0, 30), ['0-10', '10-20!', '25-30']);
});

test('a lost head of a segment is reported', async () => {
  await writeSegment(0, [{ first: 5, items: 5, previousEnd: 5 }]);
  assert.deepEqual(await readRanges(0, 10), ['0-5!', '5-10']);
});

test('a segment that was set aside was counted then and is only stepped over', async () => {
  await writeSegment(0, [{ first: 0, items: 10, previousEnd: 0 }]);
  await writeSegment(10, [{ first: 10, items: 10, previousEnd: 10 }]);
  await writeSegment(20, [{ first: 20, items: 10, previousEnd: 20 }]);
  renameSync(
    segmentDirectory(directory, 10),
    `${segmentDirectory(directory, 10)}.corrupt-2026-01-01T000000Z`,
  );
  assert.deepEqual(await readRanges(0, 30), ['0-10', '20-30']);
});

test('a record with a damaged body ends where its header says, one without a header where the next begins', async () => {
  const body = createStored({ first: 10, items: 3, previousEnd: 10 });
  (body.bytes as Uint8Array)[70] = 0xff;
  const header = createStored({ first: 20, items: 3, previousEnd: 13 });
  (header.bytes as Uint8Array)[12] = 0xff;
  await writeSegment(0, [
    { first: 0, items: 10, previousEnd: 0 },
    body,
    header,
    { first: 30, items: 10, previousEnd: 30 },
  ]);
  assert.deepEqual(await readRanges(0, 40), ['0-10', '10-13!', '20-30!', '30-40']);
  assert.deepEqual(await readRanges(25, 40), ['25-30!', '30-40']);
});
