/** Damage of every kind, met before anything in this process maps a segment. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Logger } from '../../component/settings.ts';
import { systemClock } from '../../stdx/clock.ts';
import { Prng } from '../../stdx/prng.ts';
import type { LogDescriptor } from './contract.ts';
import {
  DATA_FILE,
  listNames,
  listSegments,
  segmentDirectory,
  segmentName,
  segmentsDirectory,
} from './layout.ts';
import { readLogInChild, readLogsInChild } from './log.test-peer.ts';
import { openLogReader, openLogWriter } from './open.ts';
import { type LogPreparation, prepareLog, type QuarantinedSegment } from './prepare.ts';
import { createSharedWords } from './shared-words.ts';
import { recordStart } from './start-record.ts';

const LOG_ID = 'traces~0';
const ITEMS = 12_000;
const PAGE = 4096;
/** More of them at night: LOG_MUTATIONS=1000. */
const MUTATIONS = Number(process.env.LOG_MUTATIONS ?? 50);

function createDescriptor(directory: string): LogDescriptor {
  return {
    logId: LOG_ID,
    signal: 'traces',
    directory,
    limits: {
      budgetBytes: 1024 * 1024 * 1024,
      reserveBytes: 0,
      segmentBytes: 1024 * 1024,
      recordBytes: 64 * 1024,
      flushTimeoutMs: 30_000,
    },
    flush: true,
    cursorNames: ['debug'],
    shared: createSharedWords(1),
  };
}

const logged: string[] = [];
const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (message, fields) => void logged.push(`${message} ${JSON.stringify(fields)}`),
  child: () => logger,
};

function prepare(directory: string, options: { setAllAside?: boolean } = {}): Promise<LogPreparation> {
  return prepareLog({ logId: LOG_ID, directory, clock: systemClock, logger, ...options });
}

let parent = '';
let pristine = '';
let copies = 0;

/** Writes a log of several segments once; every test works on a copy, whose files have other times than the marker says. */
before(async () => {
  parent = mkdtempSync(join(tmpdir(), 'log-prepare-'));
  pristine = join(parent, 'pristine');
  const writer = await openLogWriter(createDescriptor(pristine), { clock: systemClock });
  const prng = new Prng(7);
  for (let item = 0; item < ITEMS; item += 50) {
    const payload = Buffer.alloc(15_000);
    for (let at = 8; at < payload.length; at += 4) payload.writeUInt32LE(prng.nextUint32(), at);
    payload.writeDoubleLE(item, 0);
    assert.equal(writer.tryAppend(payload, 50, 1), true);
    if (item % 200 === 0) await writer.commit();
  }
  await writer.close();
  assert.ok(listSegments(pristine).length >= 4);
});
after(() => rmSync(parent, { recursive: true, force: true }));

function copyLog(): string {
  const directory = join(parent, `copy-${++copies}`);
  cpSync(pristine, directory, { recursive: true });
  return directory;
}

function dataPath(directory: string, index: number): string {
  return join(segmentDirectory(directory, listSegments(directory)[index] as number), DATA_FILE);
}

test('a marker of an older program is understood, and an older program takes nothing for checked', async () => {
  const directory = copyLog();
  const marker = JSON.parse(readFileSync(join(directory, 'clean'), 'utf8'));
  // Programs before the second record format read this field: they have to look at every record.
  assert.deepEqual(marker.segments, []);
  const segments = listSegments(directory).map((firstOrdinal) => {
    const { size, mtimeMs } = statSync(join(segmentDirectory(directory, firstOrdinal), DATA_FILE));
    return { name: segmentName(firstOrdinal), sizeBytes: size, modifiedMs: mtimeMs };
  });
  writeFileSync(join(directory, 'clean'), JSON.stringify({ version: 1, segments }));
  assert.equal((await prepare(directory)).scannedCount, 0);
});

test('a log closed cleanly is not scanned, one that was not is, and both are whole', async () => {
  const clean = await prepare(pristine);
  assert.equal(clean.scannedCount, 0);
  assert.deepEqual(clean.quarantined, []);
  const directory = copyLog();
  const unclean = await prepare(directory);
  assert.equal(unclean.scannedCount, listSegments(directory).length);
  assert.deepEqual(unclean.quarantined, []);
  assert.equal(unclean.damagedRecords, 0);
});

test('a data file that a crash left before its first write is removed without an alarm', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'log-prepare-'));
  const segment = segmentDirectory(directory, 0x6bf);
  mkdirSync(segment, { recursive: true });
  writeFileSync(join(segment, DATA_FILE), '');
  const errors = logged.length;
  const result = await prepareLog({ logId: LOG_ID, directory, clock: systemClock, logger });
  assert.deepEqual(result.quarantined, []);
  assert.deepEqual(listSegments(directory), []);
  assert.equal(logged.length, errors);
  rmSync(directory, { recursive: true, force: true });
});

test('truncated segments are set aside with reason and size, and the others stay readable', async () => {
  const size = statSync(dataPath(pristine, 1)).size;
  for (const cut of [0, PAGE, Math.floor(size / 2 / PAGE) * PAGE, size - PAGE]) {
    const directory = copyLog();
    const segments = listSegments(directory);
    // In the millisecond of its birth an empty file is one that was never written to.
    await new Promise((resolve) => setTimeout(resolve, 5));
    truncateSync(dataPath(directory, 1), cut);
    const result = await prepare(directory);
    assert.equal(result.quarantined.length, 1, `cut to ${cut}`);
    const [aside] = result.quarantined;
    assert.match(aside?.reason ?? '', /truncated/);
    assert.equal(aside?.sizeBytes, cut);
    assert.equal(aside?.itemsEstimated, (segments[2] as number) - (segments[1] as number));
    assert.equal(statSync(join(aside?.path ?? '', DATA_FILE)).size, cut);
    assert.match(logged.at(-1) ?? '', /set aside.*truncated/);
    const read = await readLogInChild(directory);
    assert.equal(read.items, ITEMS - (aside?.itemsEstimated ?? 0));
    rmSync(directory, { recursive: true });
  }
});

test('foreign files, bad meta pages and newer formats are told apart', async () => {
  const cases: [string, (path: string) => void, RegExp][] = [
    ['text file', (path) => writeFileSync(path, 'x'.repeat(10 * PAGE)), /not an LMDB file/],
    [
      'first meta page zeroed',
      (path) => patch(path, 0, Buffer.alloc(PAGE)),
      /first meta page: not an LMDB file/,
    ],
    [
      'second meta page zeroed',
      (path) => patch(path, PAGE, Buffer.alloc(PAGE)),
      /second meta page: not an LMDB/,
    ],
    ['newer LMDB', (path) => patch(path, 28, Buffer.from([3, 0])), /newer LMDB format 3/],
    ['page size', (path) => patch(path, 48, Buffer.from([1, 2, 3, 0])), /page size/],
    ['directory', (path) => replaceByDirectory(path), /not a file/],
  ];
  for (const [name, damage, reason] of cases) {
    const directory = copyLog();
    damage(dataPath(directory, 2));
    const result = await prepare(directory);
    assert.equal(result.quarantined.length, 1, name);
    assert.match(result.quarantined[0]?.reason ?? '', reason);
    rmSync(directory, { recursive: true });
  }
});

function replaceByDirectory(path: string): void {
  rmSync(path);
  mkdirSync(path);
}

test('a segment of another log and records of a newer format are set aside', async () => {
  const foreign = join(parent, 'foreign');
  const writer = await openLogWriter(
    { ...createDescriptor(foreign), logId: 'logs~0' },
    { clock: systemClock },
  );
  writer.tryAppend(Buffer.from('not ours'), 1, 1);
  await writer.close();
  const directory = copyLog();
  copyFileSync(dataPath(foreign, 0), dataPath(directory, 0));
  const result = await prepare(directory);
  assert.equal(result.quarantined.length, 1);
  assert.match(result.quarantined[0]?.reason ?? '', /another log/);
});

test('what was set aside never gives its ordinals to new items', async () => {
  const directory = copyLog();
  const newest = listSegments(directory).length - 1;
  truncateSync(dataPath(directory, newest), 0);
  await prepare(directory);
  const descriptor = createDescriptor(directory);
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  assert.ok(writer.appendedOrdinal >= ITEMS);
  const first = writer.appendedOrdinal;
  assert.equal(writer.tryAppend(Buffer.from('new'), 1, 1), true);
  await writer.commit();
  const reader = openLogReader(descriptor);
  // A cursor anywhere in the lost range goes on with the next item that is left.
  const record = reader.readRecord(ITEMS - 1);
  assert.equal(record?.firstOrdinal, first);
  assert.equal(record?.damaged, false);
  await reader.close();
  await writer.close();
});

function patch(path: string, offset: number, bytes: Buffer): void {
  const file = readFileSync(path);
  bytes.copy(file, offset);
  writeFileSync(path, file);
}

test('seeded mutations: found, or the payload is unchanged, and no reader dies', async () => {
  // Goal: no wrong item and no signal death. Method: damage one segment, prepare, read all of it in a child.
  const expected = await readLogInChild(pristine);
  assert.equal(expected.items, ITEMS);
  const seed = 20_261;
  const rounds: { seed: number; directory: string; quarantined: QuarantinedSegment[] }[] = [];
  const segmentCount = listSegments(pristine).length;
  for (let mutations = 0; mutations < MUTATIONS; ) {
    const prng = new Prng(seed + rounds.length);
    const directory = copyLog();
    // All segments but the newest; that one now and then, since nobody can tell how much it held.
    for (let index = 0; index < segmentCount - (rounds.length % 4 === 0 ? 0 : 1); index++, mutations++) {
      const path = dataPath(directory, index);
      const bytes = readFileSync(path);
      mutate(bytes, prng);
      writeFileSync(path, bytes);
    }
    const { quarantined } = await prepare(directory);
    rounds.push({ seed: seed + rounds.length, directory, quarantined });
  }
  const reads = await readLogsInChild(rounds.map((round) => round.directory));
  const outcomes = { unchanged: 0, setAside: 0, damagedRecords: 0 };
  for (const [index, { quarantined, ...round }] of rounds.entries()) {
    const read = reads.reports[index];
    assert.ok(read !== undefined, `seed ${round.seed}: the reader ended with ${reads.signal ?? reads.code}`);
    const context = `seed ${round.seed}: ${JSON.stringify({ ...read, hashes: undefined })}`;
    for (const [first, hash] of Object.entries(read.hashes))
      assert.equal(hash, expected.hashes[first], context);
    if (quarantined.length > 0) outcomes.setAside++;
    else if (read.damagedItems > 0) outcomes.damagedRecords++;
    else outcomes.unchanged++;
    // Nothing is lost silently: what is missing was set aside or reported by the reader. How many items the newest
    // segment held nobody knows, and of the very last record only an upper bound when its header is gone.
    if (quarantined.some((aside) => aside.itemsEstimated === undefined)) continue;
    const asideItems = quarantined.reduce((sum, aside) => sum + (aside.itemsEstimated ?? 0), 0);
    assert.ok(read.items + read.damagedItems + asideItems >= ITEMS, context);
    if (read.damagedItems < 10_000) assert.equal(read.items + read.damagedItems + asideItems, ITEMS, context);
    rmSync(round.directory, { recursive: true });
  }
  assert.ok(outcomes.setAside > 0 && outcomes.damagedRecords > 0, JSON.stringify(outcomes));
});

function mutate(bytes: Buffer, prng: Prng): void {
  const pages = bytes.length / PAGE;
  switch (prng.nextInt(4)) {
    case 0:
      for (let flip = 0; flip < 20; flip++) {
        const at = prng.nextInt(bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 << prng.nextInt(8));
      }
      return;
    case 1:
      for (let count = 0; count < 5; count++) {
        const page = prng.nextInt(pages) * PAGE;
        bytes.fill(0, page, page + PAGE);
      }
      return;
    case 2: {
      const page = prng.nextInt(pages) * PAGE;
      bytes.fill(0, page, page + PAGE);
      return;
    }
    default: {
      const page = prng.nextInt(pages) * PAGE;
      for (let at = page; at < page + PAGE; at++) bytes[at] = prng.nextInt(256);
    }
  }
}

test('an unwritable or impossible directory is named in the error', async () => {
  const file = join(parent, 'a-file');
  writeFileSync(file, '');
  await assert.rejects(prepare(join(file, 'log')), (error: { code: string; message: string }) => {
    return error.code === 'START_FAILED' && error.message.includes(join(file, 'log'));
  });
  if (process.getuid?.() === 0) return; // Root may write everywhere; the data directory's test drops its rights.
  const locked = join(parent, 'locked');
  mkdirSync(locked);
  chmodSync(locked, 0o500);
  await assert.rejects(prepare(join(locked, 'log')), { code: 'START_FAILED' });
});

test('after three starts that died early nothing of before is opened, and the fourth serves', async () => {
  const directory = copyLog();
  const dataDir = join(parent, 'data-dir');
  for (let start = 1; start <= 3; start++) assert.equal(recordStart(dataDir, systemClock).isCrashLoop, false);
  const fourth = recordStart(dataDir, systemClock);
  assert.equal(fourth.isCrashLoop, true);
  const count = listSegments(directory).length;
  const result = await prepare(directory, { setAllAside: fourth.isCrashLoop });
  assert.equal(result.quarantined.length, count);
  assert.equal(result.segmentCount, 0);
  assert.equal(
    listNames(segmentsDirectory(directory)).filter((name) => name.includes('.corrupt-')).length,
    count,
  );
  const writer = await openLogWriter(createDescriptor(directory), { clock: systemClock });
  assert.ok(writer.appendedOrdinal >= ITEMS);
  assert.equal(writer.tryAppend(Buffer.from('served'), 1, 1), true);
  await writer.commit();
  await writer.close();
  fourth.confirm();
  assert.equal(existsSync(join(dataDir, 'starts')), false);
  assert.equal(recordStart(dataDir, systemClock).isCrashLoop, false);
});
