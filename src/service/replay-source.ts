/** Where a replay reads, and how much is there. */
import { statSync } from 'node:fs';
import { PipelineError } from '../component/errors.ts';
import { READS_MAX } from '../s3/archive-ahead.ts';
import { BucketArchive } from '../s3/archive-bucket.ts';
import { DirectoryArchive } from '../s3/archive-directory.ts';
import { type ArchiveRange, listArchive } from '../s3/archive-list.ts';
import type { ArchiveObject, ArchiveStore } from '../s3/archive-store.ts';
import type { ReplayCommand } from './replay-cli.ts';
import type { ReplayGroup } from './replay-groups.ts';

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

/** An object of a group. */
export interface GroupedObject {
  group: ReplayGroup;
  object: ArchiveObject;
  /** The last one of its group. */
  isLast: boolean;
}

export async function* objectsOf(groups: AsyncIterable<ReplayGroup>): AsyncGenerator<GroupedObject> {
  for await (const group of groups) {
    const last = group.objects.at(-1);
    for (const object of group.objects) yield { group, object, isLast: object === last };
  }
}
