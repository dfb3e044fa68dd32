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
  #number = 0;
  readonly #delivered: Set<number>;

  /** @param delivered numbers of batches that a run before this one delivered. */
  constructor(group: ReplayGroup, delivered: readonly number[]) {
    this.group = group;
    this.#delivered = new Set(delivered);
  }

  get delivered(): number[] {
    return [...this.#delivered];
  }

  get isDone(): boolean {
    return this.isRead && this.#delivered.size === this.#number;
  }

  nextNumber(): number {
    return this.#number++;
  }

  isDelivered(number: number): boolean {
    return this.#delivered.has(number);
  }

  deliver(number: number): void {
    this.#delivered.add(number);
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
