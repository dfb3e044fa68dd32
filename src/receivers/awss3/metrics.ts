/** Series of one receiver: looked up once, added to once for each message or object. */
import { OUTCOME_INTERNAL, OUTCOME_OK, type RequestOutcome } from '../../component/consumer.ts';
import type { Counter, Gauge, Meter } from '../../component/settings.ts';
import { ITEM_SUFFIX, SIGNALS, type Signal } from '../../component/signal.ts';
import { LEFT_OUT_REASONS, type LeftOutReason } from './event-notification.ts';

const OBJECT_OUTCOMES = ['stored', 'partly', 'left_out', 'gone'] as const;
export type ObjectOutcome = (typeof OBJECT_OUTCOMES)[number];

/** What became of a message of the queue. Those that failed or are malformed stay there. */
const MESSAGE_OUTCOMES = ['stored', 'left_out', 'test', 'failed', 'malformed'] as const;
export type MessageOutcome = (typeof MESSAGE_OUTCOMES)[number];

interface SignalSeries {
  accepted: Counter;
  refused: Counter;
  failed: Counter;
  rejected: Counter;
}

export class ReceiverMetrics {
  readonly bytes: Counter;
  readonly droppedMessages: Counter;
  /** Messages of the queue that are not done with. */
  readonly heldMessages: Gauge;
  readonly #objects: Readonly<Record<ObjectOutcome, Counter>>;
  readonly #messages: Readonly<Record<MessageOutcome, Counter>>;
  readonly #records: Readonly<Record<LeftOutReason, Counter>>;
  readonly #signals: Readonly<Record<Signal, SignalSeries>>;

  constructor(meter: Meter, receiver: string) {
    const labels = { receiver };
    const transport = { receiver, transport: 's3' };
    this.bytes = meter.counter('millrace_awss3_receiver_bytes', labels);
    this.droppedMessages = meter.counter('millrace_awss3_receiver_dropped_messages', labels);
    this.heldMessages = meter.gauge('millrace_awss3_receiver_held_messages', labels);
    const by = <T extends string>(name: string, label: string, values: readonly T[]) =>
      Object.fromEntries(
        values.map((value) => [
          value,
          meter.counter(`millrace_awss3_receiver_${name}`, { ...labels, [label]: value }),
        ]),
      ) as Record<T, Counter>;
    this.#objects = by('objects', 'outcome', OBJECT_OUTCOMES);
    this.#messages = by('queue_messages', 'outcome', MESSAGE_OUTCOMES);
    this.#records = by('left_out_records', 'reason', LEFT_OUT_REASONS);
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

  countMessage(outcome: MessageOutcome): void {
    this.#messages[outcome].add(1);
  }

  countLeftOut(counts: Readonly<Record<LeftOutReason, number>>): void {
    for (const reason of LEFT_OUT_REASONS) if (counts[reason] > 0) this.#records[reason].add(counts[reason]);
  }
}
