import type { Signal } from '../component/signal.ts';
import type { BatchCutter } from './replay-batches.ts';
import { addWrong, emptyReplayCounts, type ReplayCounts } from './replay-counts.ts';
import type { ReplayGroup } from './replay-groups.ts';

/** One group of objects on its way. Its counts become those of the replay when all of it is delivered. */
export class ReplayJob {
  readonly group: ReplayGroup;
  readonly cutters = new Map<Signal, BatchCutter>();
  /** Of objects alone. */
  readonly counts: ReplayCounts = emptyReplayCounts();
  /** All objects are read and cut. */
  isRead = false;
  /** Objects up to the last one that was damaged. */
  #epoch = 0;
  /** Within the epoch, and of all. */
  #number = 0;
  #emitted = 0;
  #settled = 0;
  readonly #delivered: Set<string>;

  /** @param delivered labels of batches that a run before this one delivered. */
  constructor(group: ReplayGroup, delivered: readonly string[]) {
    this.group = group;
    this.#delivered = new Set(delivered);
  }

  get delivered(): string[] {
    return [...this.#delivered];
  }

  get isDone(): boolean {
    return this.isRead && this.#settled === this.#emitted;
  }

  /** Of the next batch, unique in the group. */
  nextLabel(): string {
    this.#emitted++;
    return `${this.#epoch}-${this.#number++}`;
  }

  /**
   * Behind a damaged object labels begin anew: how much of it can be read is not the same each time, and the batches
   * behind it must be.
   */
  beginEpoch(objectIndex: number): void {
    this.#epoch = objectIndex + 1;
    this.#number = 0;
  }

  /** Whether a run before this one delivered the batch, which is settled then. */
  settlesAtOnce(label: string): boolean {
    if (!this.#delivered.has(label)) return false;
    this.#settled++;
    return true;
  }

  deliver(label: string): void {
    this.#delivered.add(label);
    this.#settled++;
  }

  addTo(counts: ReplayCounts): void {
    counts.objects += this.counts.objects;
    counts.bytes += this.group.sizeBytes;
    counts.invalid += this.counts.invalid;
    counts.leftOut += this.counts.leftOut;
    for (const wrong of this.counts.wrong) addWrong(counts, wrong);
    counts.wrongCount += this.counts.wrongCount - this.counts.wrong.length;
  }
}
