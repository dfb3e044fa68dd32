/** An archive in a directory: a bucket that was copied, or what a `file` exporter wrote. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PipelineError } from '../component/errors.ts';
import { type ArchiveLevel, type ArchiveObject, type ArchiveStore, compareKeys } from './archive-store.ts';

const CHUNK_BYTES = 1024 * 1024;

export class DirectoryArchive implements ArchiveStore {
  readonly name: string;
  readonly #root: string;

  /** @param root an existing directory. */
  constructor(root: string) {
    this.name = root;
    this.#root = root;
  }

  /** An archive of one file: its directory, and the key that it has in there. */
  static ofFile(path: string): { store: DirectoryArchive; key: string } {
    return { store: new DirectoryArchive(dirname(path)), key: basename(path) };
  }

  async *list(prefix: string, after: string, isFlat: boolean): AsyncGenerator<ArchiveLevel> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const entries = await readdir(join(this.#root, folder), { withFileTypes: true });
    const keys = entries
      .filter((entry) => !entry.name.startsWith('.'))
      .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
      .filter((key) => key.startsWith(prefix) && isBehind(key, after))
      .sort(compareKeys);
    let level: ArchiveLevel = { objects: [], prefixes: [] };
    for (const key of keys) {
      if (!key.endsWith('/')) {
        const object = await this.#look(key);
        if (object !== undefined) level.objects.push(object);
      } else if (!isFlat) level.prefixes.push(key);
      else {
        if (level.objects.length > 0) yield level;
        level = { objects: [], prefixes: [] };
        yield* this.list(key, after, true);
      }
    }
    if (level.objects.length + level.prefixes.length > 0) yield level;
  }

  /** undefined for what is no file, or was deleted meanwhile. */
  async #look(key: string): Promise<ArchiveObject | undefined> {
    const stats = await stat(join(this.#root, key)).catch(() => undefined);
    if (stats?.isFile() !== true) return undefined;
    return { key, sizeBytes: stats.size, modifiedUnixMs: Math.trunc(stats.mtimeMs) };
  }

  async *read(key: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      yield* createReadStream(join(this.#root, key), { highWaterMark: CHUNK_BYTES, signal });
    } catch (error) {
      if (signal.aborted) throw new PipelineError('SHUTTING_DOWN', 'stopped', { permanent: false });
      const { code, message } = error as NodeJS.ErrnoException;
      throw new PipelineError('ARCHIVE_UNREADABLE', `cannot be read: ${code ?? message}`, {
        permanent: true,
        cause: error,
      });
    }
  }

  async close(): Promise<void> {}
}

/** Of a folder: whether anything in it can be. */
function isBehind(key: string, after: string): boolean {
  return compareKeys(key, after) > 0 || (key.endsWith('/') && after.startsWith(key));
}
