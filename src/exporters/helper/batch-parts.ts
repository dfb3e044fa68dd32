/** Parts of a batch at item boundaries, cut without decoding. */
import type { ExportBatch } from '../../component/exporter.ts';
import { countItems, sliceItems } from '../../otlp/slice.ts';

/** Cutting walks a request from its start, so single items are cut out of runs of this many. */
const RUN_ITEMS = 64;

export class BatchParts {
  readonly #batch: ExportBatch;
  /** Items up to and including each slice. */
  readonly #itemEnds: number[] = [];

  /** @throws PipelineError OTLP_MALFORMED when a slice has broken framing. */
  constructor(batch: ExportBatch) {
    this.#batch = batch;
    let end = 0;
    for (const slice of batch.slices) {
      end += countItems(batch.signal, slice);
      this.#itemEnds.push(end);
    }
  }

  get itemCount(): number {
    return this.#itemEnds.at(-1) ?? 0;
  }

  /**
   * Items [from, to) as a batch of its own. Its id is derived from the whole one's: the same part has the same id and
   * bytes after a restart.
   */
  part(from: number, to: number): ExportBatch {
    const slices = this.#slices(from, to);
    return {
      ...this.#batch,
      batchId: `${this.#batch.batchId}_${from}-${to - 1}`,
      slices,
      itemCount: to - from,
      sizeBytes: slices.reduce((sum, slice) => sum + slice.byteLength, 0),
    };
  }

  /** Each of the items [from, to) as a request of its own. */
  *items(from: number, to: number): Generator<Uint8Array> {
    for (let start = from; start < to; start += RUN_ITEMS) {
      const end = Math.min(start + RUN_ITEMS, to);
      const run = Buffer.concat(this.#slices(start, end));
      for (let item = 0; item < end - start; item++)
        yield sliceItems(this.#batch.signal, run, item, item + 1);
    }
  }

  #slices(from: number, to: number): Uint8Array[] {
    const slices: Uint8Array[] = [];
    for (const [index, slice] of this.#batch.slices.entries()) {
      const first = index === 0 ? 0 : this.#itemEnds[index - 1]!;
      const end = this.#itemEnds[index]!;
      if (end <= from || first >= to) continue;
      const isWhole = first >= from && end <= to;
      const cutFrom = Math.max(from - first, 0);
      slices.push(
        isWhole ? slice : sliceItems(this.#batch.signal, slice, cutFrom, Math.min(to, end) - first),
      );
    }
    return slices;
  }
}
