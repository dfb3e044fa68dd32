/** What a writer of a log is built from, apart from the writer so that tests can put failing parts together. */
import type { Clock } from '../../../stdx/clock.ts';
import type { LogDescriptor } from '../contract.ts';
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
