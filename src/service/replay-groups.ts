/**
 * Objects that go together: neighbours in one folder of one signal. Batches never reach from one group into another,
 * so they are the same whatever was replayed before, and their ids follow from the keys.
 */
import { createHash } from 'node:crypto';
import type { Signal } from '../component/signal.ts';
import { foldersOf } from '../s3/archive-list.ts';
import { type ArchiveName, parseArchiveName } from '../s3/archive-name.ts';
import type { ArchiveObject } from '../s3/archive-store.ts';

/** Stored bytes and objects from which on a group is closed. */
const GROUP_BYTES = 4 << 20;
const GROUP_OBJECTS = 256;
const ID_CHARS = 24;

export interface ReplayGroup {
  /** Of the objects' keys and sizes. */
  id: string;
  /** undefined: the names do not say; such an object is alone. */
  signal: Signal | undefined;
  objects: readonly ArchiveObject[];
  sizeBytes: number;
  /** Of the oldest object. */
  modifiedUnixMs: number;
}

interface OpenGroup {
  folder: string;
  name: ArchiveName;
  objects: ArchiveObject[];
  sizeBytes: number;
}

/** @param archive its name is part of the ids: keys repeat in other buckets. */
export async function* groupObjects(
  archive: string,
  pages: AsyncIterable<readonly ArchiveObject[]>,
): AsyncGenerator<ReplayGroup> {
  let open: OpenGroup | undefined;
  for await (const page of pages) {
    for (const object of page) {
      const name = parseArchiveName(object.key);
      const folder = foldersOf(object.key);
      if (open !== undefined && !goesWith(open, folder, name)) {
        yield closeGroup(archive, open);
        open = undefined;
      }
      open ??= { folder, name, objects: [], sizeBytes: 0 };
      open.objects.push(object);
      open.sizeBytes += object.sizeBytes;
    }
  }
  if (open !== undefined) yield closeGroup(archive, open);
}

function goesWith(open: OpenGroup, folder: string, { signal, format }: ArchiveName): boolean {
  return (
    open.folder === folder &&
    signal !== undefined &&
    open.name.signal === signal &&
    open.name.format === format &&
    open.sizeBytes < GROUP_BYTES &&
    open.objects.length < GROUP_OBJECTS
  );
}

function closeGroup(archive: string, { name, objects, sizeBytes }: OpenGroup): ReplayGroup {
  const hash = createHash('sha256').update(archive);
  for (const { key, sizeBytes: size } of objects) hash.update(`\0${key}\0${size}`);
  return {
    id: hash.digest('hex').slice(0, ID_CHARS),
    signal: name.signal,
    ...{ objects, sizeBytes },
    modifiedUnixMs: Math.min(...objects.map((object) => object.modifiedUnixMs)),
  };
}
