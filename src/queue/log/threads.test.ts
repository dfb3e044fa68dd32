/** One writer and several reading threads over the same environments; disk use as the file system counts it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../stdx/clock.ts';
import type { LogDescriptor, LogWriter } from './contract.ts';
import { listSegments, segmentsDirectory } from './layout.ts';
import type { WorkerOrder, WorkerReport } from './log.test-worker.ts';
import { openLogReader, openLogWriter } from './open.ts';
import { createSharedWords } from './shared-words.ts';

const MIB = 1024 * 1024;
let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'log-threads-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function createDescriptor(cursorNames: string[], budgetBytes: number): LogDescriptor {
  return {
    logId: 'traces~0',
    signal: 'traces',
    directory,
    limits: {
      budgetBytes,
      reserveBytes: 0,
      segmentBytes: MIB,
      recordBytes: 128 * 1024,
      flushTimeoutMs: 30_000,
    },
    flush: true,
    cursorNames,
    shared: createSharedWords(cursorNames.length),
  };
}

const entry = new URL(`./log.test-worker${extname(import.meta.url)}`, import.meta.url);

function startReader(order: WorkerOrder): Promise<WorkerReport> {
  const worker = new Worker(entry, { workerData: order });
  return Promise.race([
    once(worker, 'message').then(([report]) => report as WorkerReport),
    once(worker, 'exit').then(([code]) => Promise.reject(new Error(`reader exited with ${code}`))),
  ]);
}

function append(writer: LogWriter, sizeBytes: number, itemCount: number): boolean {
  const payload = Buffer.alloc(sizeBytes, 1);
  payload.writeDoubleLE(writer.appendedOrdinal, 0);
  return writer.tryAppend(payload, itemCount, 1);
}

/** Allocated blocks of everything below the segments directory, as du counts. */
function diskBytes(): number {
  let blocks = 0;
  for (const name of readdirSync(segmentsDirectory(directory), { recursive: true }) as string[]) {
    blocks += statSync(join(segmentsDirectory(directory), name), { throwIfNoEntry: false })?.blocks ?? 0;
  }
  return blocks * 512;
}

test('two threads read everything once and in order while the third writes, rolls and deletes segments', async () => {
  const descriptor = createDescriptor(['slow', 'fast'], 1024 * MIB);
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  const untilOrdinal = 40_000;
  const order = { descriptor, untilOrdinal };
  const reports = Promise.all([
    startReader({ ...order, cursorName: 'slow', reopenEvery: 7 }),
    startReader({ ...order, cursorName: 'fast', reopenEvery: 1_000_000 }),
  ]);
  let segmentsMade = 0;
  let newest = -1;
  while (writer.appendedOrdinal < untilOrdinal) {
    for (let request = 0; request < 10; request++) assert.equal(append(writer, 20_000, 20), true);
    await writer.commit();
    const last = listSegments(directory).at(-1) as number;
    if (last !== newest) segmentsMade++;
    newest = last;
    if (writer.appendedOrdinal % 2_000 === 0) await sleep(5);
  }
  for (const report of await reports) {
    assert.deepEqual({ ...report, records: 0 }, { records: 0, items: untilOrdinal, wrong: 0, damaged: 0 });
  }
  assert.ok(segmentsMade > 20, `only ${segmentsMade} segments`);
  await sleep(1_500);
  assert.equal(listSegments(directory).length, 1);
  await writer.close();
});

test('a reader thread that dies or hangs with a batch frozen harms neither the writer nor the next reader', async () => {
  // A thread is terminated only while it hangs in JavaScript: inside the native open() that would end the process.
  const descriptor = createDescriptor(['debug'], 1024 * MIB);
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  for (const by of ['throw', 'hang', 'throw', 'hang'] as const) {
    for (let group = 0; group < 20; group++) {
      for (let request = 0; request < 5; request++) assert.equal(append(writer, 20_000, 20), true);
      await writer.commit();
    }
    const end = { afterRecords: 9, by };
    const workerData: WorkerOrder = {
      descriptor,
      cursorName: 'debug',
      untilOrdinal: 1e9,
      reopenEvery: 3,
      end,
    };
    const worker = new Worker(entry, { workerData });
    if (by === 'hang') {
      await once(worker, 'message');
      await worker.terminate();
    } else {
      const [error] = (await once(worker, 'error')) as [Error];
      assert.equal(error.message, 'thread dies');
    }
  }
  const untilOrdinal = writer.appendedOrdinal;
  const report = await startReader({ descriptor, cursorName: 'debug', untilOrdinal, reopenEvery: 50 });
  assert.equal(report.wrong + report.damaged, 0);
  await writer.close();
});

test('a writer that replaces a dead one continues behind it, and open readers follow', async () => {
  const descriptor = createDescriptor(['debug'], 1024 * MIB);
  const reader = openLogReader(descriptor);
  const dead: LogWriter[] = [];
  let expectedEnd = 0;
  for (let life = 0; life < 4; life++) {
    const writer = await openLogWriter(descriptor, { clock: systemClock });
    assert.equal(writer.appendedOrdinal, expectedEnd);
    // Every second life stores nothing, so its empty segment is replaced under the same name.
    for (let group = 0; life % 2 === 0 && group < 5; group++) {
      assert.equal(append(writer, 20_000, 20), true);
      await writer.commit();
      expectedEnd += 20;
      assert.equal(reader.readRecord(expectedEnd - 20)?.firstOrdinal, expectedEnd - 20);
    }
    // Never committed: gone with its thread.
    assert.equal(append(writer, 20_000, 20), true);
    dead.push(writer);
  }
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  assert.equal(append(writer, 20_000, 20), true);
  await writer.commit();
  let ordinal = 0;
  for (let record = reader.readRecord(0); record !== undefined; record = reader.readRecord(ordinal)) {
    assert.equal(record.damaged, false);
    assert.equal(record.firstOrdinal, ordinal);
    ordinal = record.endOrdinal;
  }
  assert.equal(ordinal, expectedEnd + 20);
  await reader.close();
  await writer.close();
});

test('the budget refuses at its high water as du counts, and resumes after a cursor has passed', async () => {
  const budgetBytes = 16 * MIB;
  const descriptor = createDescriptor(['dead'], budgetBytes);
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  let refusedAt = 0;
  for (let group = 0; refusedAt === 0; group++) {
    for (let request = 0; request < 5; request++) {
      if (!append(writer, 20_000, 20)) refusedAt = writer.appendedOrdinal;
    }
    await writer.commit();
    assert.ok(diskBytes() <= budgetBytes + descriptor.limits.segmentBytes, 'over budget and one segment');
    assert.ok(group < 1_000, 'never refused');
  }
  assert.equal(writer.lastRefusal, 'budget');
  assert.ok(diskBytes() > budgetBytes * 0.8, 'refused long before the budget was used');
  const released = startReader({
    descriptor,
    cursorName: 'dead',
    untilOrdinal: refusedAt,
    reopenEvery: 1_000,
  });
  assert.equal((await released).items, refusedAt);
  const startMs = performance.now();
  while (!append(writer, 20_000, 20)) {
    assert.ok(performance.now() - startMs < 10_000, 'did not resume');
    await sleep(50);
  }
  await writer.commit();
  while (diskBytes() > 2 * MIB) {
    assert.ok(performance.now() - startMs < 10_000, `disk not returned: ${diskBytes()} bytes`);
    await sleep(50);
  }
  await writer.close();
});
