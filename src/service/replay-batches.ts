/** Cuts what archived objects hold into batches, the same ones each time. */
import type { DeliveryConfig } from '../component/factory.ts';
import type { Signal } from '../component/signal.ts';
import { BATCH_BYTES_MAX } from '../exporters/helper/batch-assembler.ts';
import { sliceItems } from '../otlp/slice.ts';

/** When a batch is full. Kept with the position: other limits would make other batches of the same objects. */
export interface BatchLimits {
  items: number;
  bytes: number;
}

type BatchKeys = DeliveryConfig['queue']['batch'];

/**
 * Seconds that one batch may stand for. Not less: a batch has another id when it is cut in another way, and what was
 * replayed with another rate before should be known again.
 */
const BURST_SECONDS = 10;

/** @param rate items a second, when they are bounded. */
export function batchLimits({ sizer, minSize, maxSize }: BatchKeys, rate: number | undefined): BatchLimits {
  const size = maxSize > 0 ? Math.min(Math.max(minSize, 1), maxSize) : Math.max(minSize, 1);
  return {
    items: Math.min(
      sizer === 'items' ? size : Number.MAX_SAFE_INTEGER,
      (rate ?? Number.MAX_SAFE_INTEGER) * BURST_SECONDS,
    ),
    bytes: Math.min(sizer === 'bytes' ? size : BATCH_BYTES_MAX, BATCH_BYTES_MAX),
  };
}

/** A part of a group of objects. */
export interface CutBatch {
  slices: Uint8Array[];
  itemCount: number;
  sizeBytes: number;
}

export class BatchCutter {
  readonly #signal: Signal;
  readonly #limits: BatchLimits;
  #open: CutBatch = { slices: [], itemCount: 0, sizeBytes: 0 };

  constructor(signal: Signal, limits: BatchLimits) {
    this.#signal = signal;
    this.#limits = limits;
  }

  /**
   * Yields the batches that are full now.
   * @param request valid, as `withoutRejected` leaves it; kept until its batches are done with.
   */
  *add(request: Uint8Array, itemCount: number): Generator<CutBatch> {
    let from = 0;
    while (from < itemCount) {
      const to = Math.min(from + this.#roomFor(request.length / itemCount), itemCount);
      const isWhole = from === 0 && to === itemCount;
      const slice = isWhole ? request : sliceItems(this.#signal, request, from, to);
      this.#open.slices.push(slice);
      this.#open.itemCount += to - from;
      this.#open.sizeBytes += slice.length;
      from = to;
      if (this.#isFull()) yield this.#close();
    }
  }

  /** What is left of the group. */
  *end(): Generator<CutBatch> {
    if (this.#open.itemCount > 0) yield this.#close();
  }

  /** Items that fit into the open batch, at least one. */
  #roomFor(bytesPerItem: number): number {
    const { items, bytes } = this.#limits;
    const { itemCount, sizeBytes } = this.#open;
    return Math.max(Math.min(Math.floor((bytes - sizeBytes) / bytesPerItem), items - itemCount), 1);
  }

  #isFull(): boolean {
    return this.#open.sizeBytes >= this.#limits.bytes || this.#open.itemCount >= this.#limits.items;
  }

  #close(): CutBatch {
    const closed = this.#open;
    this.#open = { slices: [], itemCount: 0, sizeBytes: 0 };
    return closed;
  }
}
