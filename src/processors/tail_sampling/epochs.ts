/** Stretches of the pending log, each a short time long, in the order of the log. */

/** An epoch ends after this time, so that decisions are spread over the second. */
export const EPOCH_MS = 100;
/** It also ends after so many bytes: what one step copies is bounded by it. */
const EPOCH_BYTES_MAX = 4 * 1024 * 1024;

export interface Epoch {
  number: number;
  /** Wall clock of its first request, ms since the epoch. */
  startUnixMs: number;
  /** [firstOrdinal, endOrdinal) of the pending log. */
  firstOrdinal: number;
  endOrdinal: number;
  /** One past the newest trace that was known at its end: once all before it are decided, so are all of its items. */
  endSequence: number;
  /** Root spans seen up to its end. */
  rootEnd: number;
  sizeBytes: number;
  /** It holds items of traces that were sampled before the epoch itself is decided. */
  hasEarly: boolean;
  /** An early pass was made over it. */
  isPassed: boolean;
}

export class EpochQueue {
  /** Closed ones, oldest first; the open one is apart. */
  readonly #closed: Epoch[] = [];
  #head = 0;
  #open: Epoch | undefined;
  #nextNumber = 1;
  readonly #tracesMax: number;

  /** @param tracesMax new traces after which an epoch ends. */
  constructor(tracesMax: number) {
    this.#tracesMax = Math.max(tracesMax, 1);
  }

  /** Number of the open epoch, or of the next one. */
  get currentNumber(): number {
    return this.#open?.number ?? this.#nextNumber;
  }

  /** Number of the oldest epoch that is still here, or of the next one. */
  get oldestNumber(): number {
    return this.closedAt(0)?.number ?? this.currentNumber;
  }

  get closedCount(): number {
    return this.#closed.length - this.#head;
  }

  /** @param at 0 for the oldest closed epoch. */
  closedAt(at: number): Epoch | undefined {
    return this.#closed[this.#head + at];
  }

  get open(): Epoch | undefined {
    return this.#open;
  }

  /** When the trace with that sequence number was first seen, give or take an epoch; undefined when that is forgotten. */
  startOf(sequence: number): number | undefined {
    let from = this.#head;
    let to = this.#closed.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#closed[middle]!.endSequence > sequence) to = middle;
      else from = middle + 1;
    }
    return (this.#closed[from] ?? this.#open)?.startUnixMs;
  }

  /** The open epoch for a request received now; a new one when the last is over. */
  enter(nowUnixMs: number, firstOrdinal: number, sequence: number, rootEnd: number): Epoch {
    const open = this.#open;
    if (open !== undefined) {
      const isOver =
        nowUnixMs >= open.startUnixMs + EPOCH_MS ||
        open.sizeBytes >= EPOCH_BYTES_MAX ||
        sequence - open.endSequence >= this.#tracesMax;
      if (!isOver) return open;
      this.close(sequence, rootEnd);
    }
    // A wall clock that goes back must not make an epoch older than the ones before it.
    const previous = this.#closed.at(-1);
    const startUnixMs = Math.max(nowUnixMs, previous?.startUnixMs ?? 0);
    this.#open = {
      number: this.#nextNumber++,
      startUnixMs,
      firstOrdinal,
      endOrdinal: firstOrdinal,
      endSequence: sequence,
      rootEnd,
      sizeBytes: 0,
      hasEarly: false,
      isPassed: false,
    };
    return this.#open;
  }

  /** Ends the open epoch when its time is over; nothing arrives any more that would do it. */
  closeOld(nowUnixMs: number, sequence: number, rootEnd: number): void {
    if (this.#open !== undefined && nowUnixMs >= this.#open.startUnixMs + EPOCH_MS)
      this.close(sequence, rootEnd);
  }

  close(sequence: number, rootEnd: number): void {
    const open = this.#open;
    if (open === undefined) return;
    open.endSequence = sequence;
    open.rootEnd = rootEnd;
    this.#closed.push(open);
    this.#open = undefined;
  }

  dropOldest(): void {
    this.#head++;
    if (this.#head < 64 || this.#head * 2 < this.#closed.length) return;
    this.#closed.splice(0, this.#head);
    this.#head = 0;
  }
}
