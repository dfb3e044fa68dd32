/** Writing end of an ack ring, with the outcome counters of its pipeline worker. */
import { OUTCOME_OK, type OutcomeCode } from '../component/consumer.ts';
import type { Counter, Meter } from '../component/settings.ts';
import { RingProducer } from '../ring/producer.ts';
import { assert } from '../stdx/assert.ts';
import { ACK_MESSAGE_BYTES_MAX, ACK_META_BYTES, type AckFields, AckWriter } from './frame.ts';

const OUTCOME_LABELS = ['ok', 'malformed', 'too_large', 'unavailable', 'internal'] as const;

/** Requests that one worker may have unanswered: with it the ack ring can hold every answer. */
export const OUTSTANDING_MAX = 8192;
/** 8 bytes of frame header and padding on top of the longest ack. */
export const ACK_RING_BYTES = OUTSTANDING_MAX * (ACK_META_BYTES + ACK_MESSAGE_BYTES_MAX + 16);

export class AckChannel {
  readonly #ring: RingProducer;
  readonly #writer = new AckWriter();
  readonly #fields: AckFields = {
    requestId: 0,
    code: OUTCOME_OK,
    itemCount: 0,
    rejectedCount: 0,
    retryAfterMs: 0,
    message: '',
  };
  readonly #outcomes: Counter[];
  #hasWritten = false;

  constructor(memory: SharedArrayBuffer, meter: Meter) {
    this.#ring = new RingProducer(memory);
    this.#outcomes = OUTCOME_LABELS.map((outcome) =>
      meter.counter('millrace_pipeline_requests', { outcome }),
    );
  }

  write(
    requestId: number,
    code: OutcomeCode,
    itemCount: number,
    rejectedCount: number,
    retryAfterMs: number,
    message: string,
  ): void {
    const fields = this.#fields;
    fields.requestId = requestId;
    fields.code = code;
    fields.itemCount = itemCount;
    fields.rejectedCount = rejectedCount;
    fields.retryAfterMs = retryAfterMs;
    fields.message = message;
    const bytes = this.#writer.write(fields);
    const fits = this.#ring.tryWrite([bytes], bytes.byteLength);
    assert(fits, 'ack ring full: more requests outstanding than the bound');
    this.#outcomes[code]!.add(1);
    this.#hasWritten = true;
  }

  /** Wakes the main thread once for everything written since the last call. */
  flush(): void {
    if (!this.#hasWritten) return;
    this.#hasWritten = false;
    this.#ring.wake();
  }
}
