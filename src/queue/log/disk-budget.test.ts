/** A5 at the level of logs: several logs on one budget, with real files. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../stdx/clock.ts';
import type { LogDescriptor, LogWriter } from './contract.ts';
import { segmentBytesOf } from './disk-budget.ts';
import { openLogCursor } from './file-cursor.ts';
import { openLogWriter } from './open.ts';
import { createSharedWords } from './shared-words.ts';

const MIB = 1 << 20;
const BUDGET_BYTES = 24 * MIB;
const REQUEST = Buffer.alloc(100_000, 7);

function describeLogs(t: TestContext, names: readonly string[]): LogDescriptor[] {
  const parent = mkdtempSync(join(tmpdir(), 'millrace-budget-'));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  const logs = names.map(() => createSharedWords(1));
  return names.map((name, index) => ({
    logId: `${name}~0`,
    signal: 'traces',
    directory: join(parent, `${name}~0`),
    limits: {
      budgetBytes: BUDGET_BYTES,
      reserveBytes: 0,
      segmentBytes: 256 * MIB,
      recordBytes: 512 * 1024,
      flushTimeoutMs: 30_000,
    },
    flush: true,
    cursorNames: ['sink'],
    shared: logs[index]!,
    group: { budgetBytes: BUDGET_BYTES, logs },
  }));
}

/** Bytes of all files below a directory, as `du` counts them. */
function diskBytes(directory: string): number {
  let bytes = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    // What is being deleted may be gone by the time it is looked at.
    const stats = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false });
    if (stats?.isFile()) bytes += stats.blocks * 512;
  }
  return bytes;
}

const append = (writer: LogWriter) => writer.tryAppend(REQUEST, 1, 1);

/** Appends and commits until the writer refuses; returns how often it did not. */
async function fill(writer: LogWriter): Promise<number> {
  let taken = 0;
  while (append(writer)) {
    taken += 1;
    if (taken % 3 === 0) await writer.commit();
  }
  await writer.commit();
  return taken;
}

test('logs on one budget: together they keep to it, and a full one leaves the others their own share', {
  timeout: 60_000,
}, async (t) => {
  const descriptors = describeLogs(t, ['dead', 'alsoDead', 'alive']);
  const [dead, alsoDead, alive] = descriptors as [LogDescriptor, LogDescriptor, LogDescriptor];
  const segmentBytes = segmentBytesOf(dead);
  assert.equal(segmentBytes, MIB, 'two segments in the own share of each log');
  const writers = await Promise.all(descriptors.map((each) => openLogWriter(each, { clock: systemClock })));
  const onDisk = () => descriptors.reduce((sum, { directory }) => sum + diskBytes(directory), 0);

  // Both grow at the same time, and neither may count on what the other takes.
  const taken = await Promise.all([fill(writers[0]!), fill(writers[1]!)]);
  const [writerOfDead, writerOfAlive] = [writers[0]!, writers[2]!];
  assert.equal(writerOfDead.lastRefusal, 'budget');
  const full = onDisk();
  assert.ok(full <= BUDGET_BYTES + segmentBytes, `${full} bytes of two logs`);
  assert.ok(full > BUDGET_BYTES * 0.7, `refused at ${full} bytes`);
  assert.ok(Math.min(...taken) > 20, `shared as ${taken.join(' and ')}`);

  // The third log has an own share of 2 MiB, whatever the others did.
  const cursor = await openLogCursor(alive, 'sink');
  assert.ok((await fill(writerOfAlive)) >= 10, 'nothing left for the third log');
  assert.ok(onDisk() <= BUDGET_BYTES + segmentBytes, `${onDisk()} bytes of three logs`);

  // Its exporter works, so it goes on for ever beside the dead ones.
  for (let round = 0, turns = 0; round < 5; turns++) {
    const boundary = { first: cursor.frozenEnd, end: writerOfAlive.appendedOrdinal };
    if (boundary.first < boundary.end) {
      await cursor.freeze([boundary]);
      cursor.finish(boundary);
    }
    if (append(writerOfAlive)) {
      round += 1;
      await fill(writerOfAlive);
    }
    assert.ok(turns < 1500, 'the log with a living exporter starved');
    await sleep(20);
  }
  assert.ok(onDisk() <= BUDGET_BYTES + segmentBytes, `${onDisk()} bytes after five rounds`);
  assert.equal(append(writerOfDead), false, 'the dead log has taken what the living one gave back');

  // A backend comes back: its log drains, and the other full one gets its room.
  const revived = await openLogCursor(alsoDead, 'sink');
  const all = { first: 0, end: writers[1]!.appendedOrdinal };
  await revived.freeze([all]);
  revived.finish(all);
  for (let turns = 0; !append(writerOfDead); turns++) {
    assert.ok(turns < 200, 'did not resume');
    await sleep(50);
  }
  await writerOfDead.commit();
  await Promise.all([cursor.close(), revived.close()]);
  await Promise.all(writers.map((writer) => writer.close()));
});

test('a writer that is replaced counts once', { timeout: 30_000 }, async (t) => {
  const [first, second] = describeLogs(t, ['first', 'second']) as [LogDescriptor, LogDescriptor];
  const writer = await openLogWriter(first, { clock: systemClock });
  const taken = await fill(writer);
  await writer.close();
  const successor = await openLogWriter(first, { clock: systemClock });
  const other = await openLogWriter(second, { clock: systemClock });
  const left = BUDGET_BYTES - diskBytes(first.directory);
  const takenByOther = (await fill(other)) * REQUEST.byteLength;
  assert.ok(taken * REQUEST.byteLength > BUDGET_BYTES / 2);
  assert.ok(takenByOther > left / 2 && takenByOther <= left, `${takenByOther} of ${left} bytes`);
  await successor.close();
  await other.close();
});
