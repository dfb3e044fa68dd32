/** What the storage tests share: a directory, an engine with a file as sink, a disk that fails on command. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  type EnginePorts,
  EngineProcess,
  type EngineStart,
  freePorts,
  metricSum,
  until,
} from '../engine-process.ts';
import { deliveredSpans } from '../file-sink.ts';
import { LedgerClient } from '../ledger-client.ts';

export const CLEAN_EXIT = { code: 0, signal: null };
export const SEGMENT_NAME = /^[0-9a-f]{16}$/;

const cleanUps = new WeakMap<TestContext, (() => unknown)[]>();
/** Tests that ran out of time go on with whatever wakes them, behind their own clean-up. */
const ended = new WeakSet<TestContext>();

/** Runs behind the test, the last one first: processes end before what they use is taken away. */
export function afterwards(t: TestContext, cleanUp: () => unknown): void {
  let list = cleanUps.get(t);
  if (list === undefined) {
    const own: (() => unknown)[] = [];
    list = own;
    cleanUps.set(t, own);
    t.after(async () => {
      ended.add(t);
      const failures: unknown[] = [];
      for (const next of own.reverse()) {
        try {
          await next();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    });
  }
  list.push(cleanUp);
}

export function tempDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-storage-'));
  afterwards(t, () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function fileSink(path: string): Record<string, unknown> {
  return { file: { path, format: 'proto', append: true } };
}

/** Starts an engine that does not outlive the test, whatever becomes of it. */
export async function startEngine(t: TestContext, start: EngineStart): Promise<EngineProcess> {
  // Nobody would end it, and its pipes would keep the process of the tests alive for ever.
  if (ended.has(t)) throw new Error('the test is over');
  const engine = await EngineProcess.start(start);
  if (ended.has(t)) {
    await engine.kill();
    throw new Error('the test ended while its engine started');
  }
  afterwards(t, () => engine.kill());
  return engine;
}

export function ledgerClient(
  t: TestContext,
  port: number,
  producers: number,
  paddingBytes = 100,
  pauseMs?: number,
) {
  const client = new LedgerClient({
    port,
    producers,
    paddingBytes,
    ...(pauseMs === undefined ? {} : { pauseMs }),
  });
  afterwards(t, async () => {
    const stopped = client.stop();
    client.close();
    await stopped;
  });
  return client;
}

export async function drained(engine: EngineProcess, metricsPort: number): Promise<void> {
  await until(
    'the log to drain',
    async () => metricSum(await engine.metrics(metricsPort), 'otelcol_exporter_queue_size') === 0,
  );
}

/** Every acknowledged span is in the sink's file; call when the engine has drained and stopped. */
export function assertDelivered(client: LedgerClient, sink: string): void {
  const delivered = deliveredSpans(sink);
  const missing = client.ackedSpans().filter((key) => !delivered.has(key));
  assert.deepEqual(missing, [], 'acknowledged spans that were not delivered');
}

/** Allocated bytes of all files below a directory, as `du` counts them. */
export function diskBytes(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory, { recursive: true }) as string[]) {
    // What is being deleted may be gone by the time it is looked at.
    const stats = statSync(join(directory, name), { throwIfNoEntry: false });
    if (stats?.isFile()) bytes += stats.blocks * 512;
  }
  return bytes;
}

/** Data directories of the segments of a log that are in use, oldest first. */
export function segmentsOf(dataDir: string, logId: string): string[] {
  const directory = join(dataDir, 'logs', logId, 'segments');
  return readdirSync(directory)
    .filter((name) => SEGMENT_NAME.test(name))
    .sort()
    .map((name) => join(directory, name));
}

/** A small file system of its own, taken away behind the test; undefined where that is not allowed. */
export function mountSmall(t: TestContext, directory: string, megabytes: number): string | undefined {
  mkdirSync(directory);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory], {
      stdio: 'ignore',
    });
  } catch {
    return undefined;
  }
  afterwards(t, () => execFileSync('umount', ['-l', directory]));
  return directory;
}

/** Takes every free block; returns the file that has them. */
function fillUp(mount: string): string {
  const ballast = join(mount, 'ballast');
  const { bavail, bsize } = statfsSync(mount);
  try {
    writeFileSync(ballast, Buffer.alloc(bavail * bsize));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  }
  return ballast;
}

export interface FullDisk {
  engine: EngineProcess;
  client: LedgerClient;
  /** File that takes the space; the disk is full until it is removed. */
  ballast: string;
  sink: string;
  ports: EnginePorts;
  /** For the next start on the same data. */
  start: EngineStart;
}

/**
 * An engine on a disk that became full under load, and refuses because of it; undefined where mounting is not allowed.
 * @param configOf for an engine that delivers to the file `sink`.
 */
export async function engineOnFullDisk(
  t: TestContext,
  configOf: (ports: EnginePorts, exporters: Record<string, unknown>) => string,
): Promise<FullDisk | undefined> {
  const directory = tempDirectory(t);
  const mount = mountSmall(t, join(directory, 'disk'), 192);
  if (mount === undefined) {
    t.diagnostic('mounting is not allowed here; the log has tests of its own');
    return undefined;
  }
  const sink = join(directory, 'delivered.bin');
  const ports = await freePorts();
  const start = { config: configOf(ports, fileSink(sink)), dataDir: join(mount, 'data') };
  const engine = await startEngine(t, start);
  const client = ledgerClient(t, ports.http, 4, 10_000);
  client.start();
  await until('some acknowledgements', () => client.acked.size >= 50);
  // Faster than the engine looks at the disk: commits and positions meet a device without a free block.
  const ballast = fillUp(mount);
  await until('a refusal', () => client.statuses.has(503));
  return { engine, client, ballast, sink, ports, start };
}

/**
 * Flushes of files whose path holds a given word fail or wait, as the control file says: `eio WORD`, `once WORD`
 * (one flush, of all threads), `slow WORD` (50 to 2,000 ms each); `readonly WORD` fails writes as well, as a file system does
 * that was remounted by the kernel. The first failure leaves `<control file>.hit`.
 */
const SHIM = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
static unsigned calls;
static int fails(int fd, int isFlush) {
  char mode[16], word[64], link[64], path[4096], hit[4096];
  const char *control = getenv("FLUSH_CONTROL");
  FILE *file = control ? fopen(control, "re") : 0;
  if (!file) return 0;
  int fields = fscanf(file, "%15s %63s", mode, word);
  fclose(file);
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (fields != 2 || length < 0) return 0;
  path[length] = 0;
  if (!strstr(path, word)) return 0;
  int isReadOnly = !strcmp(mode, "readonly");
  if (!isFlush && !isReadOnly) return 0;
  if (!strcmp(mode, "slow")) {
    static const unsigned waits[] = {50, 400, 120, 2000, 75, 900, 50, 300};
    usleep(waits[__sync_fetch_and_add(&calls, 1) % 8] * 1000);
    return 0;
  }
  if (!strcmp(mode, "once") && __sync_fetch_and_add(&calls, 1) > 0) return 0;
  snprintf(hit, sizeof hit, "%s.hit", control);
  close(open(hit, O_CREAT | O_EXCL | O_WRONLY, 0600));
  return isReadOnly ? EROFS : EIO;
}
#define FAIL(fd, isFlush) { int error = fails(fd, isFlush); if (error) { errno = error; return -1; } }
int fdatasync(int fd) { FAIL(fd, 1) return syscall(SYS_fdatasync, fd); }
int fsync(int fd) { FAIL(fd, 1) return syscall(SYS_fsync, fd); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  FAIL(fd, 0) return syscall(SYS_pwrite64, fd, bytes, count, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at) {
  FAIL(fd, 0) return syscall(SYS_pwrite64, fd, bytes, count, at);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  FAIL(fd, 0) return syscall(SYS_pwritev, fd, parts, count, at, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) {
  FAIL(fd, 0) return syscall(SYS_pwritev, fd, parts, count, at, 0);
}
`;

export interface FailingDisk {
  env: Record<string, string>;
  command(mode: 'eio' | 'once' | 'slow' | 'readonly', word: string): void;
  /** When the first flush failed, ms since the epoch; undefined before that. */
  failedAtMs(): number | undefined;
}

/** Undefined where there is no C compiler or no way to load what it makes. */
export function failingDisk(t: TestContext, directory: string): FailingDisk | undefined {
  const source = join(directory, 'shim.c');
  const library = join(directory, 'shim.so');
  writeFileSync(source, SHIM);
  try {
    if (process.platform !== 'linux') throw new Error('the shim reads /proc');
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source], { stdio: 'ignore' });
  } catch {
    t.diagnostic('no C compiler here; the failing store of the log covers the same path');
    return undefined;
  }
  const control = join(directory, 'control');
  return {
    env: { LD_PRELOAD: library, FLUSH_CONTROL: control },
    command: (mode, word) => writeFileSync(control, `${mode} ${word}\n`),
    failedAtMs: () => statSync(`${control}.hit`, { throwIfNoEntry: false })?.mtimeMs,
  };
}
