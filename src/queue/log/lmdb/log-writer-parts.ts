/** What a writer of a log is built from, apart from the writer so that tests can put failing parts together. */
import type { Clock } from '../../../stdx/clock.ts';
import type { LogDescriptor } from '../contract.ts';
import type { SealedRecord } from '../record-builder.ts';
import type { SegmentChain } from './segment-chain.ts';
import type { SegmentStore } from './store.ts';

/** What a writer is built from; `openLogWriter` puts the real ones together, tests put failing ones in. */
export interface LogWriterParts {
  descriptor: LogDescriptor;
  clock: Clock;
  logHash: number;
  nextOrdinal: number;
  /** End of the last record of earlier starts; equal to `nextOrdinal` unless something was lost. */
  storedEnd: number;
  /** Newest mark of the stored records. */
  recoveredMark?: number;
  /** End ordinals of requests that wait since earlier starts; needed where requests are bounded. */
  waitingEnds?: readonly number[];
  chain: SegmentChain;
  /** Opens the directory of a new segment. */
  openStore: (directory: string) => SegmentStore;
  probeFreeBytes: () => number;
  /** Called once per flushed group, for metrics. */
  onFlush?: (durationMs: number, storedBytes: number) => void;
}

const PAGE_BYTES = 4096;
/** Tree and meta pages that a transaction writes anew beside its records. */
const TREE_PAGES = 4;

/** Bytes that a group takes in the file: each record has whole pages of its own. */
export function pagesOf(records: readonly SealedRecord[]): number {
  let pages = TREE_PAGES;
  for (const { bytes } of records) pages += Math.ceil((bytes.byteLength + 16) / PAGE_BYTES);
  return pages * PAGE_BYTES;
}

/** @throws when the work takes longer. */
export function withTimeout(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`flush took longer than ${timeoutMs} ms`)), timeoutMs);
    work.then(() => resolve(), reject).finally(() => clearTimeout(timer));
  });
}
