/**
 * Records that were read and could not be stored. Their partitions stand still and the records are tried again in
 * place, in the order of their offsets; a partition goes on when the last of them is done.
 */

import type { PartitionOffsets } from '../../kafka/consumer-offsets.ts';
import type { BackoffConfig } from '../../stdx/backoff.ts';
import { backoffMs } from '../../stdx/backoff.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Prng } from '../../stdx/prng.ts';

export interface HeldRecord {
  readonly offsets: PartitionOffsets;
  readonly offset: number;
}

export interface HeldRecordsOptions<R extends HeldRecord> {
  backoff: BackoffConfig;
  clock: Clock;
  prng: Prng;
  /** Tries a record again. @returns false when there is no room now: it stays where it is. */
  retry(record: R): boolean;
  /** Reading of the partition stops, or goes on. */
  hold(offsets: PartitionOffsets): void;
  release(offsets: PartitionOffsets): void;
}

interface Hold<R> {
  readonly records: R[];
  readonly sinceMs: number;
  /** Records that are being tried again. */
  outstanding: number;
  rounds: number;
  timer: NodeJS.Timeout | undefined;
}

const NO_ROOM_WAIT_MS = 50;

export class HeldRecords<R extends HeldRecord> {
  readonly #options: HeldRecordsOptions<R>;
  readonly #holds = new Map<PartitionOffsets, Hold<R>>();

  constructor(options: HeldRecordsOptions<R>) {
    this.#options = options;
  }

  /** Partitions that stand still. */
  get count(): number {
    return this.#holds.size;
  }

  /** How long the partition has stood still; 0 when it does not. */
  heldForMs(offsets: PartitionOffsets): number {
    const hold = this.#holds.get(offsets);
    return hold === undefined ? 0 : this.#options.clock.monotonicMs() - hold.sinceMs;
  }

  /** @param wasHeld it is one of those that were tried again. */
  add(record: R, wasHeld: boolean): void {
    const { offsets } = record;
    let hold = this.#holds.get(offsets);
    if (hold === undefined) {
      const sinceMs = this.#options.clock.monotonicMs();
      hold = { records: [], sinceMs, outstanding: 0, rounds: 0, timer: undefined };
      this.#holds.set(offsets, hold);
      this.#options.hold(offsets);
    }
    hold.records.push(record);
    if (wasHeld) hold.outstanding -= 1;
    this.#schedule(offsets, hold);
  }

  /** One that was tried again is done. */
  finished(offsets: PartitionOffsets): void {
    const hold = this.#holds.get(offsets);
    if (hold === undefined) return;
    hold.outstanding -= 1;
    this.#schedule(offsets, hold);
  }

  /** @returns what was waiting: it is not tried again. */
  drop(offsets: PartitionOffsets): R[] {
    const hold = this.#holds.get(offsets);
    if (hold === undefined) return [];
    clearTimeout(hold.timer);
    this.#holds.delete(offsets);
    return hold.records;
  }

  #schedule(offsets: PartitionOffsets, hold: Hold<R>): void {
    if (hold.outstanding > 0 || hold.timer !== undefined) return;
    if (hold.records.length === 0) {
      this.#holds.delete(offsets);
      this.#options.release(offsets);
      return;
    }
    const { backoff, prng } = this.#options;
    this.#after(backoffMs(backoff, hold.rounds, prng), offsets, hold);
  }

  #after(waitMs: number, offsets: PartitionOffsets, hold: Hold<R>): void {
    hold.timer = setTimeout(() => {
      hold.timer = undefined;
      this.#retryAll(offsets, hold);
    }, waitMs);
  }

  #retryAll(offsets: PartitionOffsets, hold: Hold<R>): void {
    const records = hold.records.splice(0).sort((a, b) => a.offset - b.offset);
    hold.rounds += 1;
    // All count before the first is tried, because it may be done before the call returns.
    hold.outstanding += records.length;
    for (const [index, record] of records.entries()) {
      if (this.#options.retry(record)) continue;
      const left = records.slice(index);
      hold.outstanding -= left.length;
      hold.records.push(...left);
      if (hold.timer === undefined) this.#after(NO_ROOM_WAIT_MS, offsets, hold);
      return;
    }
  }
}
