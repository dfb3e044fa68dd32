/** What the writer does when the disk does not do what it should; the segment store is the one that fails. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../stdx/clock.ts';
import type { LogDescriptor, LogLimits } from './contract.ts';
import { logHash } from './layout.ts';
import { LmdbLogWriter } from './lmdb/lmdb-log-writer.ts';
import { SegmentChain } from './lmdb/segment-chain.ts';
import { openSegmentStore, type SegmentStore, StoreError, type StoreRecord } from './lmdb/store.ts';
import { openLogReader } from './open.ts';
import { createSharedWords, LOG_STATE_FAILED, SharedWords } from './shared-words.ts';

const MIB = 1024 * 1024;
const LIMITS: LogLimits = {
  budgetBytes: 256 * MIB,
  reserveBytes: 0,
  segmentBytes: 64 * MIB,
  recordBytes: 256 * 1024,
  flushTimeoutMs: 5_000,
};

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'log-faults-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Decides about the n-th putAll (from 1): undefined lets it through. */
type Fault = (call: number) => Promise<void> | undefined;
/** The same for putAllBlocking, with one count for both. */
type BlockingFault = (call: number) => StoreError | undefined;

interface Faulty {
  writer: LmdbLogWriter;
  descriptor: LogDescriptor;
  stores: { closed: boolean }[];
}

function openFaulty(
  fault: Fault,
  limits: Partial<LogLimits> = {},
  probeFreeBytes?: () => number,
  blockingFault?: BlockingFault,
): Faulty {
  const descriptor: LogDescriptor = {
    logId: 'traces~0',
    signal: 'traces',
    directory,
    limits: { ...LIMITS, ...limits },
    flush: true,
    cursorNames: ['debug'],
    shared: createSharedWords(1),
  };
  const stores: { closed: boolean }[] = [];
  let calls = 0;
  const wrap = (inner: SegmentStore): SegmentStore => {
    const state = { closed: false };
    stores.push(state);
    return {
      directory: inner.directory,
      putAll: async (records: readonly StoreRecord[]) => {
        calls++;
        await fault(calls);
        await inner.putAll(records);
      },
      putAllBlocking: (records: readonly StoreRecord[]) => {
        calls++;
        const error = blockingFault?.(calls);
        if (error !== undefined) throw error;
        inner.putAllBlocking(records);
      },
      sizeBytes: () => inner.sizeBytes(),
      close: () => {
        state.closed = true;
        return inner.close();
      },
    };
  };
  const writer = new LmdbLogWriter({
    descriptor,
    clock: systemClock,
    logHash: logHash(descriptor.logId),
    nextOrdinal: 0,
    storedEnd: 0,
    chain: new SegmentChain(directory),
    openStore: (storeDirectory) =>
      wrap(openSegmentStore({ directory: storeDirectory, mapBytes: 256 * MIB, flush: true })),
    probeFreeBytes: probeFreeBytes ?? (() => Number.POSITIVE_INFINITY),
  });
  return { writer, descriptor, stores };
}

const inputOutputError = (): StoreError => new StoreError('Input/output error', false, { code: 5 });
const noSpaceError = (): StoreError => new StoreError('No space left on device', true, { code: 28 });

test('after one failed flush nothing is acknowledged any more and the environment is left alone', async () => {
  const { writer, descriptor, stores } = openFaulty((call) =>
    call === 2 ? Promise.reject(inputOutputError()) : undefined,
  );
  assert.equal(writer.tryAppend(Buffer.from('first'), 1, 1), true);
  await writer.commit();
  assert.equal(writer.tryAppend(Buffer.from('second'), 1, 1), true);
  const failing = writer.commit();
  assert.equal(writer.tryAppend(Buffer.from('third'), 1, 1), true);
  const waiting = writer.commit();
  await assert.rejects(failing, { code: 'STORAGE_FAILED', permanent: false });
  await assert.rejects(waiting, { code: 'STORAGE_FAILED' });
  assert.equal(writer.failed, true);
  assert.equal(writer.tryAppend(Buffer.from('fourth'), 1, 1), false);
  await assert.rejects(writer.commit(), { code: 'STORAGE_FAILED' });
  const words = new SharedWords(descriptor.shared);
  assert.equal(words.state, LOG_STATE_FAILED);
  assert.equal(words.flushedEnd, 1);
  await writer.close();
  assert.deepEqual(stores, [{ closed: false }]);
  // Not marked clean: the next start scans what is there.
  assert.equal(existsSync(join(directory, 'clean')), false);
});

test('a flush that never settles fails the log at its time limit', async () => {
  const { writer } = openFaulty(() => new Promise(() => undefined), { flushTimeoutMs: 100 });
  assert.equal(writer.tryAppend(Buffer.from('first'), 1, 1), true);
  const startMs = performance.now();
  await assert.rejects(writer.commit(), { code: 'STORAGE_FAILED' });
  assert.ok(performance.now() - startMs < 10_000);
  await writer.close();
});

test('a full disk rejects the group it met, refuses until there is space, and leaves no gap that reads as loss', async () => {
  let freeBytes = 1000 * MIB;
  const { writer, descriptor } = openFaulty(
    (call) => (call === 2 ? Promise.reject(noSpaceError()) : undefined),
    { reserveBytes: MIB },
    () => freeBytes,
  );
  assert.equal(writer.tryAppend(Buffer.from('first'), 10, 1), true);
  await writer.commit();
  assert.equal(writer.tryAppend(Buffer.from('lost?'), 10, 1), true);
  freeBytes = 0;
  await assert.rejects(writer.commit(), { code: 'QUEUE_FULL', permanent: false });
  assert.equal(writer.failed, false);
  assert.equal(writer.tryAppend(Buffer.from('refused'), 10, 1), false);
  freeBytes = 1000 * MIB;
  const startMs = performance.now();
  while (!writer.tryAppend(Buffer.from('second'), 10, 1)) {
    assert.ok(performance.now() - startMs < 10_000, 'did not recover within 10 s of space returning');
    await sleep(50);
  }
  await writer.commit();
  const reader = openLogReader(descriptor);
  const first = reader.readRecord(0);
  assert.equal(first?.endOrdinal, 10);
  const second = reader.readRecord(10);
  assert.equal(second?.damaged, false);
  assert.equal(Buffer.from(second?.payload ?? []).toString(), 'second');
  assert.equal(second?.endOrdinal, reader.endOrdinal());
  await reader.close();
  await writer.close();
});

for (const mayBlock of [false, true]) {
  test(`every n-th transaction that fails for space loses its own group only, blocking ${mayBlock}`, () =>
    failEachInTurn(mayBlock));
}

async function failEachInTurn(mayBlock: boolean): Promise<void> {
  for (let nth = 1; nth <= 4; nth++) {
    rmSync(directory, { recursive: true, force: true });
    const { writer, descriptor } = openFaulty(
      (call) => (call === nth ? Promise.reject(noSpaceError()) : undefined),
      {},
      undefined,
      (call) => (call === nth ? noSpaceError() : undefined),
    );
    const stored: string[] = [];
    for (let group = 1; group <= 4; group++) {
      const text = `group ${group}`;
      while (!writer.tryAppend(Buffer.from(text), 3, 1)) await sleep(20);
      await writer.commit(mayBlock).then(
        () => stored.push(text),
        (error: { code: string }) => assert.equal(error.code, 'QUEUE_FULL'),
      );
    }
    assert.equal(stored.length, 3);
    const reader = openLogReader(descriptor);
    const read: string[] = [];
    for (let ordinal = 0, record = reader.readRecord(0); record; record = reader.readRecord(ordinal)) {
      assert.equal(record.damaged, false);
      read.push(Buffer.from(record.payload).toString());
      ordinal = record.endOrdinal;
    }
    assert.deepEqual(read, stored);
    await reader.close();
    await writer.close();
  }
}

test('one failed flush of the calling thread fails the log like any other', async () => {
  const { writer, stores } = openFaulty(
    () => undefined,
    {},
    undefined,
    (call) => (call === 2 ? inputOutputError() : undefined),
  );
  assert.equal(writer.tryAppend(Buffer.from('first'), 1, 1), true);
  // The first of a segment has a directory to flush, too, and goes to other threads.
  await writer.commit(true);
  assert.equal(writer.tryAppend(Buffer.from('second'), 1, 1), true);
  await assert.rejects(writer.commit(true), { code: 'STORAGE_FAILED', permanent: false });
  assert.equal(writer.failed, true);
  await writer.close();
  assert.deepEqual(stores, [{ closed: false }]);
});

test('a slow disk slows acknowledgements, grows the groups and bounds the memory', async () => {
  // Goal: the event loop stays free and pending bytes stop at their bound. Method: each flush takes 900 ms.
  const groups: number[] = [];
  const { writer } = openFaulty(() => sleep(900));
  const payload = Buffer.alloc(512 * 1024, 7);
  let taken = 0;
  let longestMs = 0;
  const commits: Promise<void>[] = [];
  const startMs = performance.now();
  while (performance.now() - startMs < 1_000) {
    const turnMs = performance.now();
    if (writer.tryAppend(payload, 1, 1)) {
      taken++;
      const before = taken;
      commits.push(writer.commit().then(() => void groups.push(before)));
    }
    await sleep(1);
    longestMs = Math.max(longestMs, performance.now() - turnMs);
    assert.ok(writer.sizeBytes <= 64 * MIB + taken * (512 * 1024 + 16 * 1024), 'memory beyond its bound');
  }
  await Promise.all(commits);
  assert.ok(taken > 20 && longestMs < 700, `${taken} taken, longest turn ${longestMs} ms`);
  await writer.close();
});

test('what waits for a stuck disk is bounded', () => {
  const { writer } = openFaulty(() => new Promise(() => undefined), { flushTimeoutMs: 200 });
  const payload = Buffer.alloc(4 * MIB, 1);
  let taken = 0;
  while (writer.tryAppend(payload, 1, 1)) {
    taken++;
    writer.commit().catch(() => undefined);
    assert.ok(taken <= 16, 'took more than 64 MiB');
  }
  assert.equal(taken, 15);
  assert.equal(writer.lastRefusal, 'pending');
});

test('the reserve is kept and the item bound is kept', async () => {
  const reserved = openFaulty(
    () => undefined,
    { reserveBytes: 10 * MIB },
    () => 12 * MIB,
  );
  assert.equal(reserved.writer.tryAppend(Buffer.alloc(MIB), 1, 1), true);
  assert.equal(reserved.writer.tryAppend(Buffer.alloc(2 * MIB), 1, 1), false);
  assert.equal(reserved.writer.lastRefusal, 'reserve');
  await reserved.writer.close();
  rmSync(directory, { recursive: true, force: true });
  const bounded = openFaulty(() => undefined, { itemsMax: 10 });
  assert.equal(bounded.writer.tryAppend(Buffer.from('a'), 8, 1), true);
  assert.equal(bounded.writer.tryAppend(Buffer.from('b'), 3, 1), false);
  assert.equal(bounded.writer.lastRefusal, 'items');
  assert.equal(bounded.writer.tryAppend(Buffer.from('c'), 2, 1), true);
  await bounded.writer.commit();
  new SharedWords(bounded.descriptor.shared).setReleasedOrdinal(0, 10);
  assert.equal(bounded.writer.tryAppend(Buffer.from('d'), 3, 1), true);
  await bounded.writer.close();
});

test('a group that found no space does not count as waiting for ever', async () => {
  const { writer } = openFaulty((call) => (call === 1 ? Promise.reject(noSpaceError()) : undefined), {
    itemsMax: 5,
    requestsMax: 1,
  });
  assert.equal(writer.tryAppend(Buffer.from('a'), 5, 1), true);
  assert.equal(writer.tryAppend(Buffer.from('b'), 5, 1), false);
  await assert.rejects(writer.commit(), { code: 'QUEUE_FULL' });
  // The disk says again that it has space within a second, and nothing is left that could be delivered first.
  const deadlineMs = performance.now() + 5_000;
  let isTaken = false;
  while (!isTaken && performance.now() < deadlineMs) {
    isTaken = writer.tryAppend(Buffer.from('c'), 5, 1);
    if (!isTaken) assert.equal(writer.lastRefusal, 'reserve');
    await sleep(50);
  }
  assert.ok(isTaken);
  await writer.close();
});
