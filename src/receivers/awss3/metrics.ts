/** Series of one receiver: looked up once, added to once for each message or object. */
import { OUTCOME_INTERNAL, OUTCOME_OK, type RequestOutcome } from '../../component/consumer.ts';
import type { Counter, Meter } from '../../component/settings.ts';
import { ITEM_SUFFIX, SIGNALS, type Signal } from '../../component/signal.ts';

const OBJECT_OUTCOMES = ['stored', 'partly', 'left_out'] as const;
export type ObjectOutcome = (typeof OBJECT_OUTCOMES)[number];

interface SignalSeries {
  accepted: Counter;
  refused: Counter;
  failed: Counter;
  rejected: Counter;
}

export class ReceiverMetrics {
  readonly bytes: Counter;
  readonly droppedMessages: Counter;
  readonly #objects: Readonly<Record<ObjectOutcome, Counter>>;
  readonly #signals: Readonly<Record<Signal, SignalSeries>>;

  constructor(meter: Meter, receiver: string) {
    const labels = { receiver };
    const transport = { receiver, transport: 's3' };
    this.bytes = meter.counter('millrace_awss3_receiver_bytes', labels);
    this.droppedMessages = meter.counter('millrace_awss3_receiver_dropped_messages', labels);
    this.#objects = Object.fromEntries(
      OBJECT_OUTCOMES.map((outcome) => [
        outcome,
        meter.counter('millrace_awss3_receiver_objects', { ...labels, outcome }),
      ]),
    ) as Record<ObjectOutcome, Counter>;
    this.#signals = Object.fromEntries(
      SIGNALS.map((signal): [Signal, SignalSeries] => {
        const suffix = ITEM_SUFFIX[signal];
        return [
          signal,
          {
            accepted: meter.counter(`otelcol_receiver_accepted_${suffix}`, transport),
            refused: meter.counter(`otelcol_receiver_refused_${suffix}`, transport),
            failed: meter.counter(`otelcol_receiver_failed_${suffix}`, transport),
            rejected: meter.counter('millrace_receiver_rejected_items', {
              ...transport,
              otel_signal: signal,
            }),
          },
        ];
      }),
    ) as Record<Signal, SignalSeries>;
  }

  countOutcome(signal: Signal, { code, itemCount, rejectedCount }: RequestOutcome): void {
    const series = this.#signals[signal];
    if (code === OUTCOME_OK) {
      series.accepted.add(itemCount - rejectedCount);
      if (rejectedCount > 0) series.rejected.add(rejectedCount);
    } else if (itemCount > 0) (code === OUTCOME_INTERNAL ? series.failed : series.refused).add(itemCount);
  }

  countObject(outcome: ObjectOutcome): void {
    this.#objects[outcome].add(1);
  }
}
