import type { ClientContext } from './client-context.ts';
import type { Component } from './component.ts';
import type { Labels } from './settings.ts';
import type { Signal } from './signal.ts';

/** Items read from the log, ready to be sent. Its boundaries are frozen: a retry carries the same bytes and id. */
export interface ExportBatch {
  signal: Signal;
  /** Log id, first and last item ordinal: the same after a crash, so sinks can discard duplicates. */
  batchId: string;
  /**
   * Encoded Export<Signal>ServiceRequest messages, each valid alone; their concatenation is valid too.
   * Private memory, valid until `export` settles; never written to.
   */
  slices: readonly Uint8Array[];
  /**
   * Instead of `slices`, which are none then, where the batch is larger than memory may hold; only for exporters whose
   * `DeliveryConfig.streamsBatches` is set. Reads from the beginning at each call, while `export` runs; a slice is valid
   * until the next one is asked for. No attempt at such a batch has a timeout: the exporter sees to silence itself.
   */
  readSlices?: () => Iterable<Uint8Array>;
  /** Spans, log records or data points in all slices. */
  itemCount: number;
  sizeBytes: number;
  /** Wall clock when the oldest record of the batch was received, ms since the epoch. */
  receivedUnixMs: number;
  /** Who sent the requests of the batch, as far as it is parted by that; absent: by nothing. */
  client?: ClientContext;
}

/** What became of a batch that was taken. */
export interface ExportReceipt {
  /** Items that the other side refused by themselves and that are not sent again; 0 to `itemCount`. */
  rejectedCount: number;
}

/** One instance per exporter id and signal; runs in an exporter worker. */
export interface Exporter extends Component {
  /** Where it sends to, as labels of what was sent and what was given up; from the configuration alone. */
  readonly peerLabels?: Labels;
  /**
   * Sends one batch. Several calls may be in flight, up to `sending_queue.num_consumers`.
   * @param signal aborted when the attempt's timeout passes or the engine stops.
   * @returns nothing when every item was taken.
   * @throws PipelineError retryable (sent again, same batch) or permanent (halves are tried, down to the items that
   * are refused; those are dead-lettered). `isIndivisible` when no part of the batch could fare better.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: most exporters have nothing to say about a batch they sent.
  export(batch: ExportBatch, signal: AbortSignal): Promise<ExportReceipt | void>;
}
