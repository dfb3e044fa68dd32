/** Real failing disks: a full file system, a file size limit, and flushes that return an input/output error. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { afterEach, beforeEach, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../stdx/clock.ts';
import { crc32 } from '../../stdx/crc32.ts';
import type { LogDescriptor } from './contract.ts';
import { createNumberedRequest, forkPeer, readLogInChild } from './log.test-peer.ts';
import { openLogReader, openLogWriter } from './open.ts';
import { createSharedWords } from './shared-words.ts';

const MIB = 1024 * 1024;
let parent = '';
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'log-disk-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

function createDescriptor(directory: string): LogDescriptor {
  return {
    logId: 'traces~0',
    signal: 'traces',
    directory,
    limits: {
      budgetBytes: 1024 * MIB,
      reserveBytes: 0,
      segmentBytes: 64 * MIB,
      recordBytes: 128 * 1024,
      flushTimeoutMs: 30_000,
    },
    flush: true,
    cursorNames: ['debug'],
    shared: createSharedWords(1),
  };
}

/** A small file system of its own; undefined where that is not allowed. */
function mountSmall(directory: string): (() => void) | undefined {
  mkdirSync(directory);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', directory], { stdio: 'ignore' });
    return () => execFileSync('umount', ['-l', directory]);
  } catch {
    return undefined;
  }
}

const MODES = ['overlapping', 'blocking'] as const;

for (const mode of MODES) {
  test(`${mode}: a full file system refuses retryably, keeps serving reads, and recovers when space returns`, (t) =>
    fillFileSystem(t, mode === 'blocking'));

  test(`${mode}: a file size limit is a full disk, not the end of the process`, () => passSizeLimit(mode));

  test(`${mode}: flushes that fail end acknowledgements at once, and a restart has all that was acknowledged`, (t) =>
    failFlushes(t, mode));
}

async function fillFileSystem(t: TestContext, mayBlock: boolean): Promise<void> {
  const mount = join(parent, 'small');
  const unmount = mountSmall(mount);
  if (unmount === undefined) {
    t.diagnostic(
      'mounting is not allowed here; the file size limit and the failing store cover the same path',
    );
    return;
  }
  try {
    const ballast = join(mount, 'ballast');
    writeFileSync(ballast, Buffer.alloc(4 * MIB));
    const descriptor = createDescriptor(join(mount, 'log'));
    const writer = await openLogWriter(descriptor, { clock: systemClock });
    let storedEnd = 0;
    let code = '';
    while (code === '') {
      assert.equal(writer.tryAppend(Buffer.alloc(100_000, 1), 10, 1), true);
      const end = writer.appendedOrdinal;
      await writer.commit(mayBlock).then(
        () => {
          storedEnd = end;
        },
        (error: { code: string }) => {
          code = error.code;
        },
      );
    }
    assert.equal(code, 'QUEUE_FULL');
    const reader = openLogReader(descriptor);
    let read = 0;
    for (let record = reader.readRecord(0); record !== undefined; record = reader.readRecord(read)) {
      assert.equal(record.damaged, false);
      read = record.endOrdinal;
    }
    assert.equal(read, storedEnd);
    rmSync(ballast);
    const startMs = performance.now();
    for (let isStored = false; !isStored; await sleep(50)) {
      assert.ok(performance.now() - startMs < 10_000, 'did not recover');
      isStored =
        writer.tryAppend(Buffer.alloc(100_000, 2), 10, 1) && (await writer.commit(mayBlock).then(() => true));
    }
    assert.equal(reader.readRecord(storedEnd)?.damaged, false);
    await reader.close();
    await writer.close();
  } finally {
    unmount();
  }
}

async function passSizeLimit(mode: string): Promise<void> {
  const directory = join(parent, 'log');
  const peer = fileURLToPath(new URL(`./log.test-peer${extname(import.meta.url)}`, import.meta.url));
  // 512-byte blocks in this shell: 600 KiB, less than a segment.
  const child = spawn(
    'sh',
    ['-c', 'ulimit -f 1200; exec "$0" "$@"', process.execPath, peer, 'write', directory, '1', mode],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    },
  );
  const { acknowledged, code, exit } = await collect(child);
  // A write that the limit cuts in the middle reads as an input/output error on a disk with space left: both are safe.
  assert.match(code, /^(QUEUE_FULL|STORAGE_FAILED)$/);
  assert.equal(exit, 0);
  assert.ok(acknowledged.length > 3);
  await assertReadable(directory, acknowledged);
}

interface Collected {
  acknowledged: number[];
  code: string;
  /** Acknowledgements that came after the failure was told. */
  late: number;
  exit: number | null;
}

async function collect(
  child: ReturnType<typeof forkPeer>,
  onAck?: (count: number) => void,
): Promise<Collected> {
  const collected: Collected = { acknowledged: [], code: '', late: 0, exit: null };
  child.on('message', (message) => {
    if (typeof message === 'string') {
      collected.code = message;
      return;
    }
    if (collected.code !== '') collected.late++;
    collected.acknowledged.push(message as number);
    onAck?.(collected.acknowledged.length);
  });
  const [exit] = (await once(child, 'exit')) as [number | null];
  return { ...collected, exit };
}

async function assertReadable(directory: string, acknowledged: readonly number[]): Promise<void> {
  const { hashes, damagedItems } = await readLogInChild(directory);
  assert.equal(damagedItems, 0);
  const stored = new Set(Object.values(hashes));
  for (const number of acknowledged)
    assert.ok(stored.has(crc32(createNumberedRequest(number))), `${number} is lost`);
}

/** Flushes fail while the flag file exists. */
const SHIM = `
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static int fails(void) { const char *flag = getenv("FLUSH_FAILS"); return flag && access(flag, F_OK) == 0; }
int fdatasync(int fd) { if (fails()) { errno = EIO; return -1; } return syscall(SYS_fdatasync, fd); }
int fsync(int fd) { if (fails()) { errno = EIO; return -1; } return syscall(SYS_fsync, fd); }
`;

function compileShim(): string | undefined {
  const source = join(parent, 'shim.c');
  const library = join(parent, 'shim.so');
  writeFileSync(source, SHIM);
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source], { stdio: 'ignore' });
    return library;
  } catch {
    return undefined;
  }
}

async function failFlushes(t: TestContext, mode: string): Promise<void> {
  const library = compileShim();
  if (library === undefined) {
    t.diagnostic('no C compiler here; the failing store covers the same path');
    return;
  }
  const directory = join(parent, 'log');
  const flag = join(parent, 'fails');
  const child = forkPeer(['write', directory, '1', mode], {
    env: { ...process.env, LD_PRELOAD: library, FLUSH_FAILS: flag },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const startMs = performance.now();
  const { acknowledged, code, late, exit } = await collect(child, (count) => {
    if (count === 50) writeFileSync(flag, '');
  });
  assert.equal(code, 'STORAGE_FAILED');
  assert.equal(late, 0, 'acknowledged after the failure');
  // It ends by itself: closing does not wait for the environment that failed.
  assert.equal(exit, 0);
  assert.ok(performance.now() - startMs < 10_000);
  await assertReadable(directory, acknowledged);
}
