/**
 * The file behind a path that several threads append to, and that rotation or other programs may replace.
 *
 * Everything between looking at the file and the last byte of a batch happens under the path's lock, so sizes that
 * were read stay true: a batch that does not fit is taken back by truncation, and lines never mix.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { PipelineError } from '../../component/errors.ts';
import type { Logger } from '../../component/settings.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { RotationConfig } from './config.ts';
import { endsWithFrame, endsWithLine, type ReadAt } from './message-encoder.ts';
import { PathLock } from './path-lock.ts';
import { pruneBackups, reserveBackup, rotationBytes } from './rotation.ts';

const LOCK_WAIT_MS = 20_000;
const FILE_MODE = 0o644;
const OPEN_FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;
const LINE_FEED = Buffer.from('\n');
/**
 * A file is emptied only while the process is this young. Whether it was written by this process is told by wall
 * clock times, and a clock that is set forward later must not make our own data look like an older process's.
 */
const EMPTYING_UPTIME_MS = 300_000;
/** Directories that cannot be opened or flushed on their own; the file itself is flushed all the same. */
const UNSYNCABLE = new Set(['EACCES', 'EINVAL', 'EISDIR', 'EPERM']);

export interface OutputFileOptions {
  path: string;
  /** Keep what an earlier process wrote. */
  appends: boolean;
  rotation: RotationConfig | undefined;
  /** Messages stand behind their length; otherwise each is a line. */
  isFramed: boolean;
  /** Mode of directories to create; undefined: they must exist. */
  directoryMode: number | undefined;
  /** When this process began, by the wall clock. */
  processStartUnixMs: number;
  clock: Clock;
  logger: Logger;
}

interface Current {
  handle: FileHandle;
  dev: bigint;
  ino: bigint;
  /** Devices and pipes are neither rotated nor truncated nor flushed. */
  isRegular: boolean;
}

export class OutputFile {
  readonly #options: OutputFileOptions;
  #path: string;
  #lock: PathLock | undefined;
  #current: Current | undefined;
  /** Bytes in the current file and where this batch begins in it; true while the lock is held. */
  #sizeBytes = 0;
  #batchStart = 0;
  /** A message was cut off and could not be taken back: nothing readable may follow it in that file. */
  #isDamaged = false;

  constructor(options: OutputFileOptions) {
    this.#options = options;
    this.#path = path.resolve(options.path);
  }

  /**
   * Creates or opens the file, and empties it when this is the first opening of this process and the
   * configuration wants that. A file of messages that ends in the middle of one is moved aside.
   * @throws the error of the file system.
   */
  async open(): Promise<void> {
    const { directoryMode, appends, rotation, isFramed, clock } = this.#options;
    const directory = path.dirname(this.#path);
    if (directoryMode !== undefined) await mkdir(directory, { recursive: true, mode: directoryMode });
    this.#path = path.join(await realpath(directory), path.basename(this.#path));
    this.#lock = new PathLock(this.#path, clock);
    const release = await this.#lock.acquire(LOCK_WAIT_MS);
    try {
      const current = await this.#follow();
      if (!current.isRegular) return;
      if (!appends && rotation === undefined) await this.#emptyOnce(current);
      if (isFramed && !(await endsWithFrame(readerOf(current.handle), this.#sizeBytes))) {
        const backup = await this.#moveAside(current);
        const message = 'the file ended in the middle of a message and was moved aside';
        this.#options.logger.warn(message, { path: this.#path, backup });
      }
    } finally {
      await release();
    }
  }

  /**
   * Appends a batch and flushes it. On an error nothing of the batch is left in the current file.
   * @throws PipelineError when aborted or the lock is not free, otherwise the error of `messages` or the system.
   */
  async append(messages: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    const release = await this.#lock!.acquire(LOCK_WAIT_MS);
    let flushed: Promise<void> | undefined;
    try {
      await this.#beginBatch();
      try {
        for await (const message of messages) {
          if (signal.aborted) throw aborted();
          await this.#makeRoom(message.length);
          await this.#write(message);
        }
      } catch (error) {
        await this.#takeBack();
        throw error;
      }
      // Begun under the lock: another batch may replace the handle later, and closing waits for this.
      if (this.#current!.isRegular) flushed = this.#current!.handle.datasync();
      flushed?.catch(() => {});
    } finally {
      await release();
    }
    await flushed;
  }

  /** Closes the file after what is being written. Idempotent. */
  async close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.handle.close();
  }

  async #beginBatch(): Promise<void> {
    const current = await this.#follow();
    if (!current.isRegular) return;
    if (this.#isDamaged && this.#options.isFramed) await this.#moveAside(current);
    this.#isDamaged = false;
    this.#batchStart = this.#sizeBytes;
    const isTorn =
      !this.#options.isFramed && !(await endsWithLine(readerOf(current.handle), this.#sizeBytes));
    // What a killed process left of a line must not swallow the first line of this batch.
    if (isTorn) await this.#write(LINE_FEED);
  }

  /** Opens what the path names now, which rotation, log rotation programs or a user may have changed. */
  async #follow(): Promise<Current> {
    const status = await stat(this.#path, { bigint: true }).catch((error) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    const known = this.#current;
    if (known !== undefined && status?.ino === known.ino && status.dev === known.dev) {
      this.#sizeBytes = Number(status.size);
      return known;
    }
    const handle = await open(this.#path, OPEN_FLAGS, FILE_MODE);
    const opened = await handle.stat({ bigint: true });
    this.#current = { handle, dev: opened.dev, ino: opened.ino, isRegular: opened.isFile() };
    this.#sizeBytes = Number(opened.size);
    this.#isDamaged = false;
    await known?.handle.close();
    if (status === undefined) await syncDirectory(path.dirname(this.#path));
    return this.#current;
  }

  async #emptyOnce(current: Current): Promise<void> {
    const { clock, processStartUnixMs } = this.#options;
    if (clock.unixMs() - processStartUnixMs > EMPTYING_UPTIME_MS || this.#sizeBytes === 0) return;
    const { mtimeMs } = await current.handle.stat();
    if (mtimeMs >= processStartUnixMs) return;
    await current.handle.truncate(0);
    this.#sizeBytes = 0;
  }

  /** Begins a new file when the message would make this one too large; one message may be larger than a file. */
  async #makeRoom(messageBytes: number): Promise<void> {
    const { rotation, clock, logger } = this.#options;
    const current = this.#current!;
    if (rotation === undefined || !current.isRegular || this.#sizeBytes === 0) return;
    if (this.#sizeBytes + messageBytes <= rotationBytes(rotation)) return;
    await this.#moveAside(current);
    await pruneBackups(this.#path, rotation, clock.unixMs()).catch((error) => {
      logger.warn('old backups cannot be deleted', { path: this.#path, error: error.message });
    });
  }

  async #moveAside(current: Current): Promise<string> {
    const { rotation, clock } = this.#options;
    const backup = await reserveBackup(this.#path, clock.unixMs(), rotation?.usesLocalTime ?? false);
    try {
      await rename(this.#path, backup);
    } catch (error) {
      await unlink(backup);
      throw error;
    }
    await current.handle.datasync();
    await this.#follow();
    this.#batchStart = this.#sizeBytes;
    return backup;
  }

  async #write(bytes: Buffer): Promise<void> {
    const { handle } = this.#current!;
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, null);
      done += bytesWritten;
    }
    this.#sizeBytes += bytes.length;
  }

  /** Removes what a failed batch wrote. The lock makes sure that nobody else's bytes are behind it. */
  async #takeBack(): Promise<void> {
    const current = this.#current;
    if (current?.isRegular !== true) return;
    await current.handle.truncate(this.#batchStart).catch((error) => {
      this.#isDamaged = true;
      const fields = { path: this.#path, error: error.message };
      this.#options.logger.error('a batch that was written in part cannot be taken back', fields);
    });
  }
}

function readerOf(handle: FileHandle): ReadAt {
  return async (position, length) => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  };
}

/** Makes the name of a new file as durable as its content. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory, 'r');
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (!UNSYNCABLE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

function aborted(): PipelineError {
  return new PipelineError('EXPORT_TIMEOUT', 'the batch was given up', { permanent: false });
}
