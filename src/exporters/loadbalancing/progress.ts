/** Which items of a batch some backend has taken: a batch is tried again as a whole, and they must not go out twice. */
import type { ExportBatch } from '../../component/exporter.ts';
import { countItems } from '../../otlp/slice.ts';

/** Owner of items that are not sent. */
const DONE = -2;
/** More than are ever in flight; one that is forgotten goes out twice in part. */
const BATCHES_MAX = 256;

export class Progress {
  /** By item of the batch, 1 when it was taken. */
  readonly #done: Uint8Array;
  /** Items that backends took and refused in part. */
  rejectedCount = 0;
  hasFinished = false;

  constructor(done: Uint8Array) {
    this.#done = done;
    this.hasFinished = done.includes(1);
  }

  /** Items [from, to) of the batch, sharing what is known. */
  part(from: number, to: number): Progress {
    return new Progress(this.#done.subarray(from, to));
  }

  /** Takes the items that are done out of what is to be sent. @param owners by slice and item. */
  leaveOut(owners: readonly Int16Array[]): void {
    if (!this.hasFinished) return;
    let at = 0;
    for (const ofSlice of owners) {
      for (let item = 0; item < ofSlice.length; item++) if (this.#done[at + item] === 1) ofSlice[item] = DONE;
      at += ofSlice.length;
    }
  }

  /** A backend has taken its share. */
  finish(owners: readonly Int16Array[], owner: number): void {
    this.hasFinished = true;
    let at = 0;
    for (const ofSlice of owners) {
      for (let item = 0; item < ofSlice.length; item++)
        if (ofSlice[item] === owner) this.#done[at + item] = 1;
      at += ofSlice.length;
    }
  }
}

/** Of the batches that were taken in part, by their ids. Parts of a refused batch have its id and their place in it. */
export class ProgressTable {
  readonly #byId = new Map<string, Progress>();

  of(batch: ExportBatch): Progress {
    const known = this.#byId.get(batch.batchId);
    if (known !== undefined) return known;
    const [, whole, from, last] = /^(.*)_(\d+)-(\d+)$/s.exec(batch.batchId) ?? [];
    const parent = whole === undefined ? undefined : this.#byId.get(whole);
    if (parent !== undefined) return parent.part(Number(from), Number(last) + 1);
    const itemCount = batch.slices.reduce((sum, slice) => sum + countItems(batch.signal, slice), 0);
    return new Progress(new Uint8Array(itemCount));
  }

  keep(batch: ExportBatch, progress: Progress): void {
    this.#byId.delete(batch.batchId);
    if (!progress.hasFinished) return;
    this.#byId.set(batch.batchId, progress);
    if (this.#byId.size > BATCHES_MAX) this.#byId.delete(this.#byId.keys().next().value!);
  }

  forget(batch: ExportBatch): void {
    this.#byId.delete(batch.batchId);
  }
}
