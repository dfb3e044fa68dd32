/**
 * One process per data directory, without a native add-on: a Unix socket in the directory that only a living process
 * answers. The kernel closes it with the process, so what kill -9 leaves behind is a name nobody listens to.
 */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../../component/errors.ts';

const LOCK_NAME = 'lock.sock';
/** The address of a Unix socket holds about 104 to 108 bytes, less than a path may have. */
const SOCKET_PATH_BYTES_MAX = 100;
/** A start that removes a stale name needs microseconds between looking and moving; the check comes well after. */
const SETTLE_MS = 50;
const CONNECT_TIMEOUT_MS = 300;
const ATTEMPTS_MAX = 4;
/** NFS, SMB, SMB2 and CIFS by the numbers of statfs(2): locks and flushes mean something else there. */
const REMOTE_FILE_SYSTEMS: readonly number[] = [0x6969, 0x517b, 0xfe534d42, 0xff534d42];

export interface DataLock {
  readonly directory: string;
  release(): Promise<void>;
}

/**
 * Makes the directory when it is missing and takes it for this process until release() or its end.
 *
 * @throws PipelineError STORAGE_LOCKED within a second when another process has it; START_FAILED, naming the
 *   directory, when it cannot be made or written, or lies on a remote file system and that was not allowed.
 */
export async function lockDataDirectory(
  dataDir: string,
  options: { allowRemote?: boolean } = {},
): Promise<DataLock> {
  let alias: SocketAlias | undefined;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    if (options.allowRemote !== true) refuseRemote(dataDir);
    alias = openAlias(dataDir);
    return await takeLock(dataDir, alias);
  } catch (error) {
    if (error instanceof PipelineError) throw error;
    throw unusableDirectory(dataDir, error);
  } finally {
    alias?.remove();
  }
}

/** Whether a living process has the directory; false also when it does not exist. */
export async function isDataDirectoryInUse(dataDir: string): Promise<boolean> {
  if (!existsSync(join(dataDir, LOCK_NAME))) return false;
  const alias = openAlias(dataDir);
  try {
    return await isAnswered(join(alias.directory, LOCK_NAME));
  } finally {
    alias.remove();
  }
}

/** The error for a directory that cannot hold a log. */
export function unusableDirectory(directory: string, cause: unknown): PipelineError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new PipelineError('START_FAILED', `cannot use data directory ${directory}: ${detail}`, {
    permanent: true,
    cause,
  });
}

function refuseRemote(dataDir: string): void {
  if (!REMOTE_FILE_SYSTEMS.includes(statfsSync(dataDir).type >>> 0)) return;
  throw new PipelineError('START_FAILED', `data directory ${dataDir} is on a network file system`, {
    permanent: true,
  });
}

interface SocketAlias {
  directory: string;
  remove: () => void;
}

/** A short way to the directory: a link from the temporary directory when its own path is too long. */
function openAlias(dataDir: string): SocketAlias {
  if (Buffer.byteLength(join(dataDir, `${LOCK_NAME}.00000000`)) <= SOCKET_PATH_BYTES_MAX) {
    return { directory: dataDir, remove: () => undefined };
  }
  const parent = mkdtempSync(join(tmpdir(), 'm-'));
  symlinkSync(resolvePath(dataDir), join(parent, 'd'));
  return { directory: join(parent, 'd'), remove: () => rmSync(parent, { recursive: true, force: true }) };
}

async function takeLock(dataDir: string, alias: SocketAlias): Promise<DataLock> {
  const ownName = `${LOCK_NAME}.${randomBytes(4).toString('hex')}`;
  const server = await listen(join(alias.directory, ownName));
  const ownInode = statSync(join(dataDir, ownName)).ino;
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (tryLink(dataDir, ownName)) {
        // Somebody may have moved our name while clearing a stale one; then exactly one of us keeps it.
        await sleep(SETTLE_MS);
        if (inodeOf(join(dataDir, LOCK_NAME)) === ownInode) return createLock(dataDir, server, ownInode);
        throw lockedError(dataDir);
      }
      const seenInode = inodeOf(join(dataDir, LOCK_NAME));
      if (await isAnswered(join(alias.directory, LOCK_NAME))) throw lockedError(dataDir);
      clearStale(dataDir, seenInode);
    }
    throw lockedError(dataDir);
  } catch (error) {
    await closeServer(server);
    throw error;
  } finally {
    rmSync(join(dataDir, ownName), { force: true });
  }
}

function tryLink(dataDir: string, ownName: string): boolean {
  try {
    linkSync(join(dataDir, ownName), join(dataDir, LOCK_NAME));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Takes the dead name away. If it was replaced since we looked, what we took is alive and goes back. */
function clearStale(dataDir: string, seenInode: number | undefined): void {
  const path = join(dataDir, LOCK_NAME);
  const aside = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    if (inodeOf(aside) !== seenInode) linkSync(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function lockedError(dataDir: string): PipelineError {
  return new PipelineError('STORAGE_LOCKED', `data directory ${dataDir} is in use by another process`, {
    permanent: true,
  });
}

function createLock(directory: string, server: Server, ownInode: number): DataLock {
  return {
    directory,
    release: async () => {
      if (inodeOf(join(directory, LOCK_NAME)) === ownInode)
        rmSync(join(directory, LOCK_NAME), { force: true });
      await closeServer(server);
    },
  };
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen({ path }, () => {
      server.removeListener('error', reject);
      // A probe that vanishes must not end the process.
      server.on('error', () => undefined);
      server.unref();
      resolve(server);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

/** Whether a process listens. A full backlog and a stalled event loop are a living process, too. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const finish = (isAlive: boolean): void => {
      socket.destroy();
      resolve(isAlive);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => finish(true));
    socket.once('connect', () => finish(true));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      finish(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'ENOTSOCK');
    });
  });
}
