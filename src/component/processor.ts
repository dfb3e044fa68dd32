import type { RequestIndex } from '../pdata/request-index.ts';
import type { ClientContext } from './client-context.ts';
import type { Component } from './component.ts';
import type { Signal } from './signal.ts';

/**
 * One export request on its way through the processors of a pipeline, as encoded bytes.
 *
 * The bytes passed the scan, hold no rejected item and no message in several parts. They are read only: other
 * pipelines may get the same ones.
 */
export interface ProcessorRequest {
  readonly signal: Signal;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Spans, log records or data points. */
  readonly itemCount: number;
  /** Who sent it, as far as the configuration names it; absent where requests come from nobody. */
  readonly client?: ClientContext;
  /** Where the items are in `bytes`; found again after a replacement. Read it before replacing, keep none of it. */
  index(): RequestIndex;
  /**
   * Makes this encoded request the result so far; 0 items end it, acknowledged and not stored.
   * @param bytes owned by the processor; must stay as they are until its next `process`.
   */
  replace(bytes: Uint8Array, itemCount: number): void;
}

/** One instance for each pipeline, in every pipeline worker. */
export interface Processor extends Component {
  /**
   * Edits the request or leaves it as it is; synchronous, and one call at a time.
   * @throws PipelineError retryable (the client is told to send again) or permanent; nothing is stored either way.
   */
  process(request: ProcessorRequest): void;
}
