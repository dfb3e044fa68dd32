/**
 * Folders that have objects which no manifest lists yet, in memory and in a small file, so that a crash forgets none.
 * Everything here runs on the exporter's thread.
 */
import { readFile } from 'node:fs/promises';
import { replaceFile } from '../../stdx/replace-file.ts';
import type { FolderSpan } from './partition-folders.ts';

/** Beyond it the folder that waits longest is forgotten: senders may name folders by resource attributes. */
export const FOLDERS_MAX = 4096;
const FILE_VERSION = 1;

export interface FolderPlace {
  bucket: string;
  /** Without a slash at its end. */
  folder: string;
}

export interface OpenFolder extends FolderPlace, FolderSpan {
  /** Wall clock from which on its manifest may be written. */
  dueUnixMs: number;
  /** Objects that are being written to it. */
  inFlight: number;
  /** Grows with every object: a manifest that was begun before does not list it. */
  version: number;
  /** Attempts at its manifest that failed. */
  failures: number;
}

export class OpenFolders {
  readonly #path: string | undefined;
  readonly #byPlace = new Map<string, OpenFolder>();
  /** What is on disk holds all that is in memory. */
  #isSaved = true;
  #saving: Promise<void> | undefined;

  /** @param path undefined: nothing is kept beyond this process. */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  get count(): number {
    return this.#byPlace.size;
  }

  find(place: FolderPlace): OpenFolder | undefined {
    return this.#byPlace.get(keyOf(place));
  }

  /** @returns a folder that had to be forgotten for it. */
  add(place: FolderPlace, span: FolderSpan, dueUnixMs: number): OpenFolder | undefined {
    const { bucket, folder } = place;
    const { fromMs, toMs } = span;
    const added = { bucket, folder, fromMs, toMs, dueUnixMs, inFlight: 0, version: 0, failures: 0 };
    this.#byPlace.set(keyOf(place), added);
    this.#isSaved = false;
    if (this.#byPlace.size <= FOLDERS_MAX) return undefined;
    const [key, oldest] = this.#byPlace.entries().next().value!;
    this.#byPlace.delete(key);
    return oldest;
  }

  remove(folder: OpenFolder): void {
    this.#byPlace.delete(keyOf(folder));
    this.#isSaved = false;
  }

  /** Those whose time has come, the oldest first. */
  due(nowUnixMs: number): OpenFolder[] {
    return [...this.#byPlace.values()]
      .filter(({ dueUnixMs, inFlight }) => dueUnixMs <= nowUnixMs && inFlight === 0)
      .sort((one, other) => one.fromMs - other.fromMs);
  }

  /**
   * Adds what an earlier process left.
   * @param settleMs behind the end of a folder, when it is due.
   * @throws Error when the file is there and cannot be read.
   */
  async load(settleMs: number): Promise<void> {
    if (this.#path === undefined) return;
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    for (const place of parseFolders(text)) this.add(place, place, place.toMs + settleMs);
    this.#isSaved = true;
  }

  /** On disk when it resolves. Calls at the same time share one write. @throws Error of the file system. */
  async save(): Promise<void> {
    while (this.#path !== undefined && !this.#isSaved) {
      this.#saving ??= this.#write(this.#path).finally(() => {
        this.#saving = undefined;
      });
      await this.#saving;
    }
  }

  async #write(path: string): Promise<void> {
    const folders = [...this.#byPlace.values()].map(({ bucket, folder, fromMs, toMs }) => {
      return { bucket, folder, fromMs, toMs };
    });
    this.#isSaved = true;
    try {
      await replaceFile(path, `${JSON.stringify({ version: FILE_VERSION, folders })}\n`);
    } catch (error) {
      this.#isSaved = false;
      throw error;
    }
  }
}

function keyOf({ bucket, folder }: FolderPlace): string {
  return `${bucket}\n${folder}`;
}

/** @throws Error for a file that this class did not write. */
function parseFolders(text: string): (FolderPlace & FolderSpan)[] {
  const { version, folders } = JSON.parse(text) as {
    version: unknown;
    folders: (FolderPlace & FolderSpan)[];
  };
  if (version !== FILE_VERSION || !Array.isArray(folders)) throw new Error('not a list of folders');
  return folders;
}
