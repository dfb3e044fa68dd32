/** Room in the table of traces: what a request needs, what can be forgotten, and what is said when neither helps. */
import { PipelineError } from '../../component/errors.ts';
import { isSameTraceId } from '../../otlp/trace-ids.ts';
import type { RequestIndex } from '../../pdata/request-index.ts';
import type { EpochQueue } from './epochs.ts';
import { VERDICT_NONE } from './policy-set.ts';
import { INFO_VERDICT, type TraceTable, WORD_INFO, WORD_LAST_EPOCH } from './trace-table.ts';

const RETRY_AFTER_MS = 1000;
/** Records that one request may move out of the way. */
const RENEWALS_MAX = 1024;

export class TableRoom {
  readonly #table: TraceTable;
  readonly #epochs: EpochQueue;

  constructor(table: TraceTable, epochs: EpochQueue) {
    this.#table = table;
    this.#epochs = epochs;
  }

  /** @returns why the traces of a request find no room; undefined when they do. */
  refusal(bytes: Uint8Array, index: RequestIndex): PipelineError | undefined {
    const table = this.#table;
    if (index.itemCount <= table.free) return undefined;
    const newTraces = this.#countNew(bytes, index);
    if (newTraces <= table.free) return undefined;
    if (newTraces > table.capacity) {
      const message = `the request holds ${newTraces} traces, more than num_traces has room for`;
      return new PipelineError('OTLP_LIMIT_EXCEEDED', message, { permanent: true });
    }
    this.forgetOldest(table.capacity - newTraces);
    return newTraces <= table.free ? undefined : overflow('the table of traces is full');
  }

  /** Traces of a request that have no record; neighbours of one trace count once, others perhaps more often. */
  #countNew(bytes: Uint8Array, index: RequestIndex): number {
    let count = 0;
    let previous = -1;
    for (let item = 0; item < index.itemCount; item++) {
      const at = index.itemTraceId[item]!;
      if (previous >= 0 && isSameTraceId(bytes, at, previous)) continue;
      previous = at;
      if (this.#table.findIn(bytes, at) < 0) count++;
    }
    return count;
  }

  /** Forgets records, oldest first, as far as they are decided and none of their spans is still to be read. */
  forgetOldest(keptMax: number): void {
    const table = this.#table;
    const { words, strideWords } = table;
    const oldestEpoch = this.#epochs.oldestNumber;
    let renewals = 0;
    while (table.count > keptMax) {
      const base = table.slotOf(table.oldest) * strideWords;
      if ((words[base + WORD_INFO]! & INFO_VERDICT) === VERDICT_NONE) return;
      if (words[base + WORD_LAST_EPOCH]! < oldestEpoch) {
        table.dropOldest();
        continue;
      }
      // A trace that never ends must not hold the ones behind it.
      if (++renewals > RENEWALS_MAX) return;
      table.renewOldest();
    }
  }
}

export function overflow(message: string): PipelineError {
  return new PipelineError('QUEUE_FULL', message, { permanent: false, retryAfterMs: RETRY_AFTER_MS });
}
