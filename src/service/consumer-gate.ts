/** What a receiver writes to for as long as it lives, while the data path behind it comes and goes. Main thread. */
import type { RawRequest, RequestConsumer, RequestDone } from '../component/consumer.ts';
import type { Signal } from '../component/signal.ts';

export class ConsumerGate implements RequestConsumer {
  readonly #signals = new Set<Signal>();
  #next: RequestConsumer | undefined;

  /** Those of the data path behind it, or of the last one while there is none: a pause must not look like a 404. */
  get signals(): ReadonlySet<Signal> {
    return this.#signals;
  }

  open(next: RequestConsumer): void {
    this.#next = next;
    this.#signals.clear();
    for (const signal of next.signals) this.#signals.add(signal);
  }

  /** From now on every request is refused retryably. */
  close(): void {
    this.#next = undefined;
  }

  tryConsume(request: RawRequest, done: RequestDone): boolean {
    const next = this.#next;
    // A request may have begun before its pipeline went.
    return next?.signals.has(request.signal) === true && next.tryConsume(request, done);
  }
}
