/** Opens the durable log in a worker. The main thread prepares the directory first (prepare.ts) and opens nothing. */
import { mkdirSync } from 'node:fs';
import type { Clock } from '../../stdx/clock.ts';
import { removeCleanMarker } from './clean-marker.ts';
import type { LogDescriptor } from './contract.ts';
import { freeBytesOf } from './disk-budget.ts';
import { logHash, openIdentity } from './layout.ts';
import { LmdbLogReader } from './lmdb/lmdb-log-reader.ts';
import { LmdbLogWriter } from './lmdb/lmdb-log-writer.ts';
import { recoverEnd } from './lmdb/recover.ts';
import { SegmentChain } from './lmdb/segment-chain.ts';
import { openSegmentStore, openSegmentView } from './lmdb/store.ts';
import { listWaitingRequests } from './lmdb/waiting-requests.ts';

/** Address space beyond the segment's size: the last group may be large, and old tree pages need room. */
const MAP_SLACK_BYTES = 128 * 1024 * 1024;

export interface OpenWriterOptions {
  clock: Clock;
  /** Called once per flushed group, for metrics. */
  onFlush?: (durationMs: number, storedBytes: number) => void;
}

/** One per log, in the pipeline worker. Continues behind every ordinal that was ever given out. */
export async function openLogWriter(
  descriptor: LogDescriptor,
  options: OpenWriterOptions,
): Promise<LmdbLogWriter> {
  const { directory, limits, flush } = descriptor;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  openIdentity(directory);
  removeCleanMarker(directory, flush);
  const hash = logHash(descriptor.logId);
  const mapBytes = limits.segmentBytes + MAP_SLACK_BYTES;
  const recovered = await recoverEnd({
    directory,
    logHash: hash,
    mapBytes,
    segmentBytes: limits.segmentBytes,
  });
  const { requestsMax } = limits;
  const waitingEnds =
    requestsMax === undefined
      ? []
      : await listWaitingRequests({
          ...{ directory, logHash: hash, mapBytes, requestsMax },
          cursorNames: descriptor.cursorNames,
        });
  const chain = new SegmentChain(directory);
  if (recovered.isNewestEmpty) chain.dropNewest();
  return new LmdbLogWriter({
    descriptor,
    clock: options.clock,
    logHash: hash,
    nextOrdinal: recovered.nextOrdinal,
    storedEnd: recovered.storedEnd,
    recoveredMark: recovered.mark,
    waitingEnds,
    chain,
    openStore: (storeDirectory) => openSegmentStore({ directory: storeDirectory, mapBytes, flush }),
    probeFreeBytes: () => freeBytesOf(directory),
    ...(options.onFlush === undefined ? {} : { onFlush: options.onFlush }),
  });
}

/** Any number per log, in any worker; also before the writer is open, when nothing is readable yet. */
export function openLogReader(descriptor: LogDescriptor): LmdbLogReader {
  const mapBytes = descriptor.limits.segmentBytes + MAP_SLACK_BYTES;
  return new LmdbLogReader({
    descriptor,
    incarnation: openIdentity(descriptor.directory),
    openView: (directory) => openSegmentView({ directory, mapBytes, flush: descriptor.flush }),
  });
}
