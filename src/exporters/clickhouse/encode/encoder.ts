import type { Column } from './block-writer.ts';

/** Tables that a signal is written to; names are configured. */
export type TableKey =
  | 'traces'
  | 'logs'
  | 'gauge'
  | 'sum'
  | 'histogram'
  | 'exponential_histogram'
  | 'summary';

/** Rows of one table, ready to be written as a Native block. */
export interface EncodedTable {
  table: TableKey;
  columns: readonly Column[];
  rowCount: number;
}

/** Wire bytes of one signal to table columns. Columns stay valid until `reset`, which must precede reuse. */
export interface SignalEncoder {
  /**
   * @param slices encoded Export<Signal>ServiceRequest messages; only read.
   * @throws PipelineError OTLP_MALFORMED, permanent, when bytes are not such messages.
   */
  encode(slices: readonly Uint8Array[]): EncodedTable[];
  reset(): void;
}
