/** Hands messages of archives to the pipelines, and keeps at it until they are on disk. */
import {
  OUTCOME_INTERNAL,
  OUTCOME_OK,
  OUTCOME_UNAVAILABLE,
  type RawRequest,
  type RequestConsumer,
  type RequestOutcome,
} from '../../component/consumer.ts';
import type { Signal } from '../../component/signal.ts';
import type { ArchiveMessage } from '../../s3/archive-messages.ts';
import { Notifier, sleepUnlessAborted } from '../../stdx/abortable.ts';
import type { ReceiverMetrics } from './metrics.ts';

/** Bytes that are handed over and not yet on disk. */
const IN_FLIGHT_BYTES_MAX = 32 << 20;
/** The ring is full, or what is behind it. */
const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 5_000;
/** A message that fails in here so often is not stored. */
const INTERNAL_TRIES = 3;

export interface IntakeOptions {
  next: RequestConsumer;
  metrics: ReceiverMetrics;
  messageBytesMax: number;
  stop: AbortSignal;
}

/** What became of a message; undefined: it was stopped before its end. */
export type MessageEnd = { isStored: true } | { isStored: false; reason: string } | undefined;

export class MessageIntake {
  readonly #options: IntakeOptions;
  readonly #ended = new Notifier();
  #inFlightBytes = 0;
  #inFlight = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /**
   * Resolves when there is room for more.
   * @param onEnd called once, also when it was stopped.
   */
  async take(signal: Signal, message: ArchiveMessage, onEnd: (end: MessageEnd) => void): Promise<void> {
    const sizeBytes = message.bytes.length;
    const { messageBytesMax, stop } = this.#options;
    if (sizeBytes > messageBytesMax) {
      const reason = `a part of ${sizeBytes} bytes that belong together: more than max_message_size`;
      onEnd({ isStored: false, reason });
      return;
    }
    this.#inFlight++;
    this.#inFlightBytes += sizeBytes;
    void this.#store(signal, message).then((end) => {
      this.#inFlight--;
      this.#inFlightBytes -= sizeBytes;
      onEnd(end);
      this.#ended.notify();
    });
    while (this.#inFlightBytes > IN_FLIGHT_BYTES_MAX && !stop.aborted) await this.#ended.wait();
  }

  /** Resolves when nothing is on its way any more. */
  async settled(): Promise<void> {
    while (this.#inFlight > 0) await this.#ended.wait();
  }

  async #store(signal: Signal, { encoding, bytes }: ArchiveMessage): Promise<MessageEnd> {
    const { metrics, messageBytesMax, stop } = this.#options;
    const request: RawRequest = {
      ...{ signal, transport: 's3', encoding, compression: 'identity' },
      ...{ chunks: [bytes], sizeBytes: bytes.length, decodedBytesMax: messageBytesMax },
    };
    let waitMs = RETRY_MS_MIN;
    let internalCount = 0;
    for (;;) {
      const outcome = await this.#offer(request);
      if (outcome !== undefined) {
        metrics.countOutcome(signal, outcome);
        if (outcome.code === OUTCOME_OK) return { isStored: true };
        if (outcome.code === OUTCOME_INTERNAL) internalCount++;
        const isPassing = outcome.code === OUTCOME_UNAVAILABLE || internalCount % INTERNAL_TRIES !== 0;
        if (!isPassing) return { isStored: false, reason: outcome.message };
      }
      if (!(await sleepUnlessAborted(Math.max(waitMs, outcome?.retryAfterMs ?? 0), stop))) return undefined;
      waitMs = Math.min(waitMs * 2, RETRY_MS_MAX);
    }
  }

  /** undefined: there is no room in the ring. */
  #offer(request: RawRequest): Promise<RequestOutcome | undefined> {
    return new Promise((resolve) => {
      if (!this.#options.next.tryConsume(request, resolve)) resolve(undefined);
    });
  }
}
