/** Objects in their order, small ones read ahead, so that a store that is far away is not waited for one by one. */
import { statSync } from 'node:fs';
import { PipelineError } from '../component/errors.ts';
import { BucketArchive } from '../s3/archive-bucket.ts';
import { DirectoryArchive } from '../s3/archive-directory.ts';
import { type ArchiveRange, listArchive } from '../s3/archive-list.ts';
import type { ArchiveObject, ArchiveStore } from '../s3/archive-store.ts';
import type { ReplayCommand } from './replay-cli.ts';
import type { ReplayGroup } from './replay-groups.ts';

/** Connections; also objects that are read at a time. */
const READS_MAX = 8;
/** Stored bytes that are held ahead of their turn. */
const AHEAD_BYTES_MAX = 32 << 20;
/** Larger objects are read in their turn, in a stream. */
const WHOLE_BYTES_MAX = 4 << 20;
const RETRY_ATTEMPTS = 8;
const RETRY_BACKOFF_MS = 20_000;

export interface OpenSource {
  store: ArchiveStore;
  /** Beginning of the keys. */
  prefix: string;
}

/** @throws PipelineError CONFIG_INVALID for a path that is not there. */
export async function openSource(
  { source }: ReplayCommand,
  seed: number,
  stop: AbortSignal,
): Promise<OpenSource> {
  if (source.kind === 'path') {
    const stats = statSync(source.path, { throwIfNoEntry: false });
    if (stats === undefined)
      throw new PipelineError('CONFIG_INVALID', 'no such file or directory', { permanent: true });
    if (stats.isDirectory()) return { store: new DirectoryArchive(source.path), prefix: '' };
    const { store, key } = DirectoryArchive.ofFile(source.path);
    return { store, prefix: key };
  }
  const store = await BucketArchive.open(
    {
      region: source.region,
      endpoint: source.endpoint,
      roleArn: source.role,
      externalId: undefined,
      forcesPathStyle: source.forcesPathStyle,
      disablesSsl: false,
      retryMode: 'standard',
      retryMaxAttempts: RETRY_ATTEMPTS,
      retryMaxBackoffMs: RETRY_BACKOFF_MS,
      checksumCalculation: 'when_required',
    },
    source,
    { connectionsMax: READS_MAX + 2, seed, stop },
  );
  return { store, prefix: source.prefix };
}

export interface ArchiveTotals {
  objects: number;
  bytes: number;
  /** Everything has been listed. */
  isKnown: boolean;
}

/** Lists the range beside the replay, for the estimate alone: a failure leaves the totals unknown. */
export function countTotals(store: ArchiveStore, range: ArchiveRange): ArchiveTotals {
  const totals: ArchiveTotals = { objects: 0, bytes: 0, isKnown: false };
  const count = async () => {
    for await (const page of listArchive(store, range)) {
      totals.objects += page.length;
      for (const { sizeBytes } of page) totals.bytes += sizeBytes;
    }
    totals.isKnown = true;
  };
  count().catch(() => undefined);
  return totals;
}

/** One object in its turn. */
export interface TurnedObject {
  group: ReplayGroup;
  object: ArchiveObject;
  /** The last one of its group. */
  isLast: boolean;
  /** To be read once. */
  chunks: AsyncIterable<Uint8Array>;
}

interface Ahead extends TurnedObject {
  aheadBytes: number;
}

/** Yields the objects of the groups in their order. */
export async function* readAhead(
  store: ArchiveStore,
  groups: AsyncIterable<ReplayGroup>,
  stop: AbortSignal,
): AsyncGenerator<TurnedObject> {
  const queue: Ahead[] = [];
  const entries = entriesOf(groups);
  const leaving = new AbortController();
  const signal = AbortSignal.any([stop, leaving.signal]);
  let aheadBytes = 0;
  let isAtEnd = false;
  try {
    for (;;) {
      while (!isAtEnd && queue.length < READS_MAX && (queue.length === 0 || aheadBytes < AHEAD_BYTES_MAX)) {
        const { done, value } = await entries.next();
        if (done === true) isAtEnd = true;
        else {
          const ahead = begin(store, value, signal);
          aheadBytes += ahead.aheadBytes;
          queue.push(ahead);
        }
      }
      const next = queue.shift();
      if (next === undefined) return;
      aheadBytes -= next.aheadBytes;
      yield next;
    }
  } finally {
    leaving.abort();
    await entries.return(undefined);
  }
}

type Entry = Omit<TurnedObject, 'chunks'>;

async function* entriesOf(groups: AsyncIterable<ReplayGroup>): AsyncGenerator<Entry> {
  for await (const group of groups) {
    const last = group.objects.at(-1);
    for (const object of group.objects) yield { group, object, isLast: object === last };
  }
}

function begin(store: ArchiveStore, entry: Entry, signal: AbortSignal): Ahead {
  const { key, sizeBytes } = entry.object;
  if (sizeBytes > WHOLE_BYTES_MAX) return { ...entry, aheadBytes: 0, chunks: store.read(key, signal) };
  const reading = readWhole(store, key, signal);
  // Whoever takes the object is told.
  reading.catch(() => undefined);
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    yield* await reading;
  };
  return { ...entry, aheadBytes: sizeBytes, chunks: chunks() };
}

async function readWhole(store: ArchiveStore, key: string, signal: AbortSignal): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(key, signal)) chunks.push(chunk);
  return chunks;
}
