/** Segments that are written over: what is read is what was written last, before and after a crash. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Logger } from '../../component/settings.ts';
import { systemClock } from '../../stdx/clock.ts';
import type { LogDescriptor } from './contract.ts';
import { openLogCursor } from './file-cursor.ts';
import { segmentsDirectory } from './layout.ts';
import { openLogReader, openLogWriter } from './open.ts';
import { prepareLog } from './prepare.ts';
import { createSharedWords } from './shared-words.ts';

const PAYLOAD_BYTES = 50_000;
const SEGMENT_BYTES = 1 << 20;

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

function describe(t: TestContext): LogDescriptor {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-reuse-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return {
    logId: 'traces~0',
    signal: 'traces',
    directory,
    limits: {
      budgetBytes: 64 << 20,
      reserveBytes: 1,
      segmentBytes: SEGMENT_BYTES,
      recordBytes: 256 << 10,
      flushTimeoutMs: 30_000,
    },
    flush: true,
    cursorNames: ['nop'],
    shared: createSharedWords(1),
  };
}

/** One item a payload, told apart by every byte. */
function payloadOf(item: number): Uint8Array {
  const bytes = new Uint8Array(PAYLOAD_BYTES).fill(item % 251);
  new DataView(bytes.buffer).setUint32(0, item);
  return bytes;
}

function inodes(descriptor: LogDescriptor): number[] {
  const segments = segmentsDirectory(descriptor.directory);
  return readdirSync(segments)
    .filter((name) => /^[0-9a-f]{16}$/.test(name))
    .map((name) => statSync(join(segments, name, 'data.mdb')).ino);
}

test('passed segments become new ones, and every item reads back as itself', {
  timeout: 60_000,
}, async (t) => {
  const descriptor = describe(t);
  await prepareLog({
    logId: descriptor.logId,
    directory: descriptor.directory,
    clock: systemClock,
    logger: silent,
  });
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  const reader = openLogReader(descriptor);
  const cursor = await openLogCursor(descriptor, 'nop');
  const seen = new Set<number>();
  let items = 0;
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 5; i++) assert.equal(writer.tryAppend(payloadOf(items++), 1, 1), true);
    await writer.commit();
    for (let at = items - 5; at < items; ) {
      const record = reader.readRecord(at)!;
      assert.equal(record.damaged, false);
      for (let entry = 0; entry < record.entryEnds.length; entry++) {
        const start = entry === 0 ? 0 : record.entryEnds[entry - 1]!;
        const item = record.firstOrdinal + entry;
        assert.deepEqual(
          record.payload.subarray(start, record.entryEnds[entry]),
          payloadOf(item),
          `item ${item}`,
        );
      }
      at = record.endOrdinal;
      reader.release(record);
    }
    const boundary = { first: items - 5, end: items };
    await cursor.freeze([boundary]);
    // The last rounds stay unfinished: they are what a crash leaves.
    if (round < 50) cursor.finish(boundary);
    for (const inode of inodes(descriptor)) seen.add(inode);
  }
  const written = (items * PAYLOAD_BYTES) / SEGMENT_BYTES;
  assert.ok(seen.size < written / 2, `${seen.size} files for ${written.toFixed(0)} segments`);

  // A crash: nothing is closed, and another process takes over.
  const successor: LogDescriptor = { ...descriptor, shared: createSharedWords(1) };
  const found = await prepareLog({
    logId: descriptor.logId,
    directory: descriptor.directory,
    clock: systemClock,
    logger: silent,
  });
  assert.deepEqual(found.quarantined, []);
  assert.ok(found.scannedCount > 0 && found.damagedRecords === 0);
  const secondWriter = await openLogWriter(successor, { clock: systemClock });
  const secondReader = openLogReader(successor);
  for (let item = 250; item < items; ) {
    const record = secondReader.readRecord(item)!;
    assert.equal(record.damaged, false);
    assert.deepEqual(record.payload.subarray(0, 4), payloadOf(record.firstOrdinal).subarray(0, 4));
    item = record.endOrdinal;
  }
  await secondReader.close();
  await secondWriter.close();
  await cursor.close();
  await reader.close();
});

test('an idle log gives its spare segments back', { timeout: 30_000 }, async (t) => {
  const descriptor = describe(t);
  await prepareLog({
    logId: descriptor.logId,
    directory: descriptor.directory,
    clock: systemClock,
    logger: silent,
  });
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  const cursor = await openLogCursor(descriptor, 'nop');
  for (let item = 0; item < 120; item += 5) {
    for (let i = 0; i < 5; i++) writer.tryAppend(payloadOf(item + i), 1, 1);
    await writer.commit();
    await cursor.freeze([{ first: item, end: item + 5 }]);
    cursor.finish({ first: item, end: item + 5 });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const bytesLeft = () => {
    const segments = segmentsDirectory(descriptor.directory);
    return readdirSync(segments).reduce((sum, name) => sum + statBytes(join(segments, name, 'data.mdb')), 0);
  };
  const deadline = Date.now() + 10_000;
  while (bytesLeft() > SEGMENT_BYTES && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(bytesLeft() <= SEGMENT_BYTES, `${bytesLeft()} bytes after ten idle seconds`);
  await cursor.close();
  await writer.close();
});

function statBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
