/** What a receiver writes to for as long as it lives, while the data path behind it comes and goes. Main thread. */
import type { RawRequest, RequestConsumer, RequestDone } from '../component/consumer.ts';
import type { Signal } from '../component/signal.ts';

export class ConsumerGate implements RequestConsumer {
  /** Fixed when the receiver is made: it has built its paths from them. */
  readonly signals: ReadonlySet<Signal>;
  #next: RequestConsumer | undefined;

  constructor(signals: ReadonlySet<Signal>) {
    this.signals = signals;
  }

  /** Requests of signals that `next` does not know are refused retryably until the receiver is made anew. */
  open(next: RequestConsumer): void {
    this.#next = next;
  }

  /** From now on every request is refused retryably. */
  close(): void {
    this.#next = undefined;
  }

  tryConsume(request: RawRequest, done: RequestDone): boolean {
    const next = this.#next;
    return next?.signals.has(request.signal) === true && next.tryConsume(request, done);
  }
}
