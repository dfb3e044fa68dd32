import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../stdx/clock.ts';
import {
  type LogHarness,
  type OpenLog,
  testLogBounds,
  testLogContract,
} from '../../testkit/queue-contract.ts';
import type { LogDescriptor, LogLimits } from './contract.ts';
import { openLogCursor } from './file-cursor.ts';
import { MemoryLog } from './memory-log.ts';
import { openLogReader, openLogWriter } from './open.ts';
import { createSharedWords } from './shared-words.ts';

/** Small enough for several records a group and several segments a run. */
const LIMITS = {
  budgetBytes: 64 * 1024 * 1024,
  reserveBytes: 0,
  segmentBytes: 256 * 1024,
  recordBytes: 64 * 1024,
  flushTimeoutMs: 30_000,
};

function createDescriptor(directory: string, limits: Partial<LogLimits>, flush = true): LogDescriptor {
  return {
    logId: 'traces~0',
    signal: 'traces',
    directory,
    limits: { ...LIMITS, ...limits },
    flush,
    cursorNames: ['debug'],
    shared: createSharedWords(1),
  };
}

async function createLmdbHarness(flush: boolean, limits: Partial<LogLimits> = {}): Promise<LogHarness> {
  const parent = mkdtempSync(join(tmpdir(), 'log-contract-'));
  let generation = 0;
  const directory = (): string => join(parent, String(generation));
  return {
    open: async () => {
      const descriptor = createDescriptor(directory(), limits, flush);
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
    dispose: async () => rmSync(parent, { recursive: true, force: true }),
  };
}

async function createMemoryHarness(limits: Partial<LogLimits> = {}): Promise<LogHarness> {
  const log = new MemoryLog(createDescriptor('', limits));
  return {
    open: async () => ({
      writer: log.openWriter(),
      reader: log.openReader(),
      cursor: log.openCursor('debug'),
    }),
    crash: async () => log.crash(),
    dispose: async () => undefined,
  };
}

testLogContract('memory log', createMemoryHarness, 100);
testLogContract('lmdb log', () => createLmdbHarness(true), 50);
testLogContract('lmdb log without flushes', () => createLmdbHarness(false), 15);
testLogBounds('memory log', createMemoryHarness);
testLogBounds('lmdb log', (limits) => createLmdbHarness(true, limits));
