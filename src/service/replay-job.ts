import type { Signal } from '../component/signal.ts';
import type { BatchCutter } from './replay-batches.ts';
import { addWrong, emptyReplayCounts, type ReplayCounts } from './replay-counts.ts';
import { DeliveredBatches } from './replay-delivered.ts';
import type { ReplayGroup } from './replay-groups.ts';

export interface BatchLabel {
  epoch: number;
  number: number;
}

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
  readonly #delivered: DeliveredBatches;

  /** @param delivered what a run before this one delivered of it. */
  constructor(group: ReplayGroup, delivered: readonly string[]) {
    this.group = group;
    this.#delivered = new DeliveredBatches(delivered);
  }

  /** For the position. */
  get delivered(): string[] {
    return this.#delivered.toStored();
  }

  get isDone(): boolean {
    return this.isRead && this.#settled === this.#emitted;
  }

  /** Of the next batch, unique in the group. */
  nextLabel(): BatchLabel {
    this.#emitted++;
    return { epoch: this.#epoch, number: this.#number++ };
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
  settlesAtOnce({ epoch, number }: BatchLabel): boolean {
    if (!this.#delivered.has(epoch, number)) return false;
    this.#settled++;
    return true;
  }

  deliver({ epoch, number }: BatchLabel): void {
    this.#delivered.add(epoch, number);
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
