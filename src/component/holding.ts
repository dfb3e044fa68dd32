/**
 * Processors that hold items back on disk until something is decided about them, and the engine's part of it.
 *
 * The engine appends arriving requests to a pending log of the processor's own, which is what is acknowledged. The
 * processor keeps an index. From time to time it makes a step: it decides, names ranges of the pending log whose kept
 * items may go on, and writes both down in a journal entry. The engine appends the entry to the pending log, flushes
 * it, copies what `select` keeps into the logs of the pipeline, and marks the last record of the copy with the number
 * of the step: whatever happens in between, the next start knows whether the copy was made.
 *
 * A processor of this kind lives in one pipeline worker. All calls are synchronous and come from its thread.
 */
import type { RequestIndex } from '../pdata/request-index.ts';
import type { Component } from './component.ts';
import type { PipelineError } from './errors.ts';

/** Workers that can hold back for one pipeline: as many as the record of a trace can name. */
export const HOLDING_WORKERS_MAX = 16;

/** A range of the pending log, and which decisions it is read for. */
export interface HoldingPass {
  /** [first, end) in item ordinals of the pending log. */
  first: number;
  end: number;
  /** Items go on that were decided in steps after this one; earlier ones went on in an earlier pass. */
  afterStep: number;
  /** The step of the pass: what is decided while it is under way goes on in a later one. */
  untilStep: number;
}

export interface HoldingStep {
  /** 1 to 2^32 - 1, ascending. */
  step: number;
  /** Entry for the pending log; belongs to the processor and is valid until its next step. */
  journal: Uint8Array;
  passes: readonly HoldingPass[];
  /** Once the step is done nothing before this ordinal is needed any more. */
  releasedOrdinal: number;
}

/** Which part of a pipeline's items a worker decides about. */
export interface HoldingShare {
  /** Number of this worker. */
  worker: number;
  /** How many hold back for the pipeline; they exchange messages. */
  workers: number;
}

export interface HoldingProcessor extends Component {
  /** Nothing is to be left pending when the engine stops. */
  readonly decidesAtStop: boolean;
  /**
   * Asked before a request is stored.
   * @returns why it cannot be taken now (or ever, when permanent); undefined when it can.
   */
  refusal(bytes: Uint8Array, index: RequestIndex): PipelineError | undefined;
  /**
   * Takes note of a request that was appended to the pending log, flushed or not.
   * @param index of `bytes`; nothing of either is kept.
   * @param endOrdinal one past its last item in the pending log.
   */
  observe(bytes: Uint8Array, index: RequestIndex, receivedUnixMs: number, endOrdinal: number): void;
  /** Milliseconds until `step` may have something to do; 0 when it has now. */
  nextStepInMs(nowUnixMs: number): number;
  /**
   * Decides what is due, a bounded part of it at a time.
   * @returns undefined when nothing changed. Otherwise the caller finishes the step before it asks for the next one.
   */
  step(nowUnixMs: number): HoldingStep | undefined;
  /**
   * Sets ITEM_REJECTED for the items of a stored request that do not go on in this pass.
   * @returns how many do.
   */
  select(bytes: Uint8Array, index: RequestIndex, pass: HoldingPass): number;

  /** The journal entry of the present step is on disk. */
  journalFlushed(): void;

  /**
   * What this worker has to say to another one that holds back for the same pipeline: deliver it, in order.
   * @returns words in the machine's byte order, owned by the caller; undefined when there is nothing now.
   */
  outgoing(to: number): Uint32Array | undefined;
  /** @returns false when there is no room for it now: hand it over again. */
  incoming(from: number, message: Uint32Array, nowUnixMs: number): boolean;

  /** Whether an entry of the pending log is a journal entry; requests never are. */
  isJournal(entry: Uint8Array): boolean;
  /** At start, for each journal entry behind the position of the log, in its order among the requests. */
  restoreJournal(entry: Uint8Array): void;
  /**
   * At start, behind the last entry.
   * @returns the newest step, which has to be finished when the pipeline's logs do not carry its mark.
   */
  restored(): HoldingStep | undefined;
  /**
   * Behind `restored`, for each journal entry of another pending log whose requests are about to be taken over.
   * @returns one past the last item of that log that has gone its way.
   */
  importJournal(entry: Uint8Array): number;
  /** The engine ends for good and the log does not survive it: everything is decided on what is there. */
  decideAll(): void;
}
