/** The objects of an archive that were written in a time range, in the order of their keys. */
import { type ArchiveObject, type ArchiveStore, compareKeys } from './archive-store.ts';
import { type TimeSpan, timeOfFolders } from './archive-time.ts';

export interface ArchiveRange extends TimeSpan {
  /** Beginning of the keys. */
  prefix: string;
  /** What the folders are written in. */
  timezone: string;
  /** Keys up to and including this one are left out; empty: none. */
  after: string;
}

/**
 * Folders that name a time are looked into only when some of it lies in the range, and those that lie in it
 * altogether are listed at once. Where folders name no time, the time at which an object was written decides.
 */
export async function* listArchive(
  store: ArchiveStore,
  range: ArchiveRange,
): AsyncGenerator<readonly ArchiveObject[]> {
  yield* walk(store, range, range.prefix);
}

async function* walk(
  store: ArchiveStore,
  range: ArchiveRange,
  prefix: string,
): AsyncGenerator<readonly ArchiveObject[]> {
  const isUnbounded = range.fromMs === Number.NEGATIVE_INFINITY && range.toMs === Number.POSITIVE_INFINITY;
  const isFlat = isUnbounded || relation(prefix, range) === 'inside';
  for await (const { objects, prefixes } of store.list(prefix, range.after, isFlat)) {
    const wanted = new Map(
      objects.filter((object) => isWanted(object, range)).map((each) => [each.key, each]),
    );
    const below = prefixes.filter((key) => relation(key, range) !== 'outside');
    let found: ArchiveObject[] = [];
    for (const key of [...wanted.keys(), ...below].sort(compareKeys)) {
      const object = wanted.get(key);
      if (object !== undefined) {
        found.push(object);
        continue;
      }
      if (found.length > 0) yield found;
      found = [];
      yield* walk(store, range, key);
    }
    if (found.length > 0) yield found;
  }
}

function isWanted({ key, modifiedUnixMs, sizeBytes }: ArchiveObject, range: ArchiveRange): boolean {
  // Tools make empty objects that stand for folders.
  if (key.endsWith('/') && sizeBytes === 0) return false;
  const where = relation(foldersOf(key), range);
  if (where !== undefined) return where !== 'outside';
  return modifiedUnixMs >= range.fromMs && modifiedUnixMs < range.toMs;
}

/** Of the time that folders name to the range; undefined when they name none. */
function relation(folders: string, range: ArchiveRange): 'inside' | 'partly' | 'outside' | undefined {
  const time = timeOfFolders(foldersOf(folders), range.timezone);
  if (time === undefined) return undefined;
  if (time.toMs <= range.fromMs || time.fromMs >= range.toMs) return 'outside';
  return time.fromMs >= range.fromMs && time.toMs <= range.toMs ? 'inside' : 'partly';
}

/** Up to the last slash: what stands behind it is no folder, or only the beginning of its name. */
export function foldersOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}
