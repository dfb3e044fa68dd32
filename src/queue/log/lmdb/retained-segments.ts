/**
 * Segments that every cursor has passed: deleted at once, or kept for a while so that a cursor can be moved back. What
 * is kept goes when its time is over, when it is more than it may be, and before anything else when space is needed.
 */
import type { Clock } from '../../../stdx/clock.ts';
import type { LogDescriptor } from '../contract.ts';
import { type DiskBudget, LOW_WATER_SHARE } from '../disk-budget.ts';
import { SharedWords } from '../shared-words.ts';
import type { SegmentChain } from './segment-chain.ts';

/**
 * Up to here the log with the oldest segment gives it up, whichever needs the space. Beyond it each gives up its own:
 * the thread that has the oldest may be busy, or gone for a moment.
 */
const URGENT_SHARE = 0.95;

export class RetainedSegments {
  readonly #descriptor: LogDescriptor;
  readonly #chain: SegmentChain;
  readonly #budget: DiskBudget;
  readonly #clock: Clock;
  readonly #words: SharedWords;
  readonly #sizeGroup: readonly SharedWords[];
  readonly #budgetGroup: readonly SharedWords[];

  constructor(descriptor: LogDescriptor, chain: SegmentChain, budget: DiskBudget, clock: Clock) {
    this.#descriptor = descriptor;
    this.#chain = chain;
    this.#budget = budget;
    this.#clock = clock;
    this.#words = new SharedWords(descriptor.shared);
    this.#sizeGroup = (descriptor.retain?.logs ?? []).map((shared) => new SharedWords(shared));
    this.#budgetGroup = (descriptor.group?.logs ?? []).map((shared) => new SharedWords(shared));
    this.#publish();
  }

  /** Bytes that are only kept: nobody is refused for them. */
  get bytes(): number {
    return this.#descriptor.retain === undefined ? 0 : this.#chain.passedBytes;
  }

  /** The newest segment would have to go if it were not the one that is written to. */
  isOver(untilUnixMs: number): boolean {
    const { retain } = this.#descriptor;
    if (retain === undefined) return true;
    return retain.timeMs !== undefined && untilUnixMs + retain.timeMs <= this.#clock.unixMs();
  }

  /**
   * Deletes what need not be kept, and publishes what is kept.
   *
   * @param releasedOrdinal every cursor has finished the items before it.
   * @param spareBytesMin as in `SegmentChain.deleteOldest`.
   * @returns whether something was deleted.
   * @throws when a directory cannot be renamed.
   */
  trim(releasedOrdinal: number, spareBytesMin: number): boolean {
    const chain = this.#chain;
    chain.setPassed(releasedOrdinal);
    let isChanged = false;
    for (;;) {
      this.#publish();
      const fillShare = this.#budget.fillShare(chain.sizeBytes);
      if (!this.#mayGo(fillShare)) return isChanged;
      // A spare gives nothing back, and is worth its bytes only while nobody waits for them.
      const isUrgent = this.bytes > 0 && fillShare > URGENT_SHARE;
      const freedBytes = chain.deleteOldest(isUrgent ? Number.POSITIVE_INFINITY : spareBytesMin);
      this.#budget.gaveBack(freedBytes);
      this.#words.sizeBytes -= freedBytes;
      isChanged = true;
    }
  }

  #publish(): void {
    this.#words.retainedBytes = this.bytes;
    this.#words.oldestUnixMs = this.#chain.oldestUnixMs ?? 0;
  }

  #mayGo(fillShare: number): boolean {
    const oldest = this.#chain.oldestPassed;
    if (oldest === undefined) return false;
    if (this.isOver(oldest.untilUnixMs)) return true;
    const sizeBytes = this.#descriptor.retain?.sizeBytes ?? Number.POSITIVE_INFINITY;
    const keptBytes = this.#sizeGroup.reduce((sum, { retainedBytes }) => sum + retainedBytes, 0);
    if (keptBytes > sizeBytes && this.#isOldestOf(this.#sizeGroup)) return true;
    if (fillShare > URGENT_SHARE) return true;
    return fillShare > LOW_WATER_SHARE && this.#isOldestOf(this.#budgetGroup);
  }

  #isOldestOf(group: readonly SharedWords[]): boolean {
    const own = this.#words.oldestUnixMs;
    return group.every((words) => words.retainedBytes === 0 || words.oldestUnixMs >= own);
  }
}
