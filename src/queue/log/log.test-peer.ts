/** The other process of the log's tests: reads a log to its end, or writes to it until it is killed. */
import { type ForkOptions, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../stdx/clock.ts';
import { crc32 } from '../../stdx/crc32.ts';
import type { LogDescriptor } from './contract.ts';
import { openLogReader, openLogWriter } from './open.ts';
import { createSharedWords } from './shared-words.ts';

export interface ReadReport {
  items: number;
  damagedItems: number;
  /** First ordinal of each undamaged request to the checksum of its bytes. */
  hashes: Record<string, number>;
}

export interface PeerExit {
  /** In the order of the directories; fewer when the process died. */
  reports: ReadReport[];
  code: number | null;
  signal: string | null;
}

function createDescriptor(directory: string): LogDescriptor {
  return {
    logId: 'traces~0',
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

/** Starts this file as a process of its own. */
export function forkPeer(args: string[], options: ForkOptions = {}): ReturnType<typeof fork> {
  return fork(fileURLToPath(import.meta.url), args, {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    ...options,
  });
}

/** Opens each log as the engine would and reads every record, all in one other process. */
export function readLogsInChild(directories: readonly string[]): Promise<PeerExit> {
  return new Promise((resolve) => {
    const reports: ReadReport[] = [];
    const child = forkPeer(['read', ...directories]);
    child.on('message', (message) => reports.push(message as ReadReport));
    child.once('exit', (code, signal) => resolve({ reports, code, signal }));
  });
}

/** @throws when the process that read it died. */
export async function readLogInChild(directory: string): Promise<ReadReport> {
  const { reports, code, signal } = await readLogsInChild([directory]);
  const [report] = reports;
  if (report === undefined) throw new Error(`the reader ended with ${signal ?? code}`);
  return report;
}

async function read(directory: string): Promise<ReadReport> {
  const descriptor = createDescriptor(directory);
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  const reader = openLogReader(descriptor);
  const report: ReadReport = { items: 0, damagedItems: 0, hashes: {} };
  let ordinal = reader.beginOrdinal();
  for (let record = reader.readRecord(ordinal); record !== undefined; record = reader.readRecord(ordinal)) {
    if (record.endOrdinal <= ordinal) throw new Error('the reader does not move on');
    const items = record.endOrdinal - record.firstOrdinal;
    if (record.damaged) report.damagedItems += items;
    else report.items += items;
    let byteStart = 0;
    let itemStart = 0;
    for (const [index, byteEnd] of record.entryEnds.entries()) {
      report.hashes[record.firstOrdinal + itemStart] = crc32(record.payload.subarray(byteStart, byteEnd));
      byteStart = byteEnd;
      itemStart = record.entryItemEnds[index] as number;
    }
    ordinal = record.endOrdinal;
  }
  await reader.close();
  await writer.close();
  return report;
}

/** The same bytes for the same number, different ones for every other. */
export function createNumberedRequest(number: number): Buffer {
  const payload = Buffer.alloc(3_000 + (number % 7) * 5_000, number & 0xff);
  payload.writeUInt32LE(number, 0);
  return payload;
}

/** Appends numbered requests and reports each number only after its commit, and the code of the first failure. */
async function write(directory: string, startNumber: number, mayBlock: boolean): Promise<void> {
  const descriptor = createDescriptor(directory);
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  let isFailed = false;
  for (let number = startNumber; !isFailed; number++) {
    if (!writer.tryAppend(createNumberedRequest(number), 1, 1)) break;
    const acknowledge = writer.commit(mayBlock).then(
      () => void process.send?.(number),
      (error: { code: string }) => {
        if (!isFailed) process.send?.(error.code);
        isFailed = true;
      },
    );
    // Several commits overlap, as they do under load; one that blocks comes alone.
    if (mayBlock || number % 3 === 0) await acknowledge;
  }
  await writer.close();
  process.disconnect();
}

const [, entry, command, ...rest] = process.argv;
if (entry === fileURLToPath(import.meta.url)) {
  if (command === 'read') {
    for (const directory of rest) process.send?.(await read(directory));
    process.disconnect();
  } else if (command === 'write') {
    await write(rest[0] ?? '', Number(rest[1]), rest[2] === 'blocking');
  }
}
