import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../stdx/clock.ts';
import { testLogBounds } from '../../testkit/queue-bounds.ts';
import { type LogHarness, type OpenLog, testLogContract } from '../../testkit/queue-contract.ts';
import type { LogDescriptor, LogLimits } from './contract.ts';
import { openLogCursor } from './file-cursor.ts';
import { MemoryLog } from './memory-log.ts';
import { openLogReader, openLogWriter } from './open.ts';
import { rewindCursor } from './rewind.ts';
import { createSharedWords } from './shared-words.ts';

/** Small enough for several records a group and several segments a run. */
const LIMITS = {
  budgetBytes: 64 * 1024 * 1024,
  reserveBytes: 0,
  segmentBytes: 256 * 1024,
  recordBytes: 64 * 1024,
  flushTimeoutMs: 30_000,
};

function createDescriptor(
  directory: string,
  limits: Partial<LogLimits>,
  flush = true,
  isRetained = false,
): LogDescriptor {
  const shared = createSharedWords(1);
  return {
    logId: 'traces~0',
    signal: 'traces',
    directory,
    limits: { ...LIMITS, ...limits },
    flush,
    cursorNames: ['debug'],
    shared,
    ...(isRetained ? { retain: { logs: [shared] } } : {}),
  };
}

async function createLmdbHarness(
  flush: boolean,
  limits: Partial<LogLimits> = {},
  isRetained = false,
): Promise<LogHarness> {
  const parent = mkdtempSync(join(tmpdir(), 'log-contract-'));
  let generation = 0;
  const directory = (): string => join(parent, String(generation));
  return {
    open: async () => {
      const descriptor = createDescriptor(directory(), limits, flush, isRetained);
      const writer = await openLogWriter(descriptor, { clock: systemClock });
      return { writer, reader: openLogReader(descriptor), cursor: await openLogCursor(descriptor, 'debug') };
    },
    crash: async (log: OpenLog) => {
      // Nothing is in flight between commands, so a copy of the files is what kill -9 would leave.
      const from = directory();
      generation++;
      cpSync(from, directory(), { recursive: true });
      await log.reader.close();
      await log.cursor.close();
      await log.writer.close();
      rmSync(from, { recursive: true, force: true });
    },
    ...(isRetained
      ? {
          rewind: async (ordinal: number) => {
            rewindCursor({ logDirectory: directory(), logId: 'traces~0', name: 'debug', ordinal });
          },
        }
      : {}),
    dispose: async () => rmSync(parent, { recursive: true, force: true }),
  };
}

async function createMemoryHarness(limits: Partial<LogLimits> = {}, isRetained = false): Promise<LogHarness> {
  const log = new MemoryLog(createDescriptor('', limits, true, isRetained));
  return {
    open: async () => ({
      writer: log.openWriter(),
      reader: log.openReader(),
      cursor: log.openCursor('debug'),
    }),
    crash: async () => log.crash(),
    ...(isRetained ? { rewind: async (ordinal: number) => log.rewindCursor('debug', ordinal) } : {}),
    dispose: async () => undefined,
  };
}

testLogContract('memory log', () => createMemoryHarness(), 100);
testLogContract('memory log that retains', () => createMemoryHarness({}, true), 100);
testLogContract('lmdb log', () => createLmdbHarness(true), 50);
testLogContract('lmdb log that retains', () => createLmdbHarness(true, {}, true), 40);
testLogContract('lmdb log without flushes', () => createLmdbHarness(false), 15);
testLogBounds('memory log', (limits) => createMemoryHarness(limits));
testLogBounds('lmdb log', (limits) => createLmdbHarness(true, limits));
