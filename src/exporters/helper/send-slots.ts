import { Notifier } from '../../stdx/abortable.ts';

/** `sending_queue.num_consumers` of one exporter instance: sends in flight of all its deliveries together. */
export class SendSlots {
  readonly #max: number;
  readonly #freed = new Notifier();
  inFlight = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get free(): number {
    return this.#max - this.inFlight;
  }

  take(): void {
    this.inFlight += 1;
  }

  give(): void {
    this.inFlight -= 1;
    this.#freed.notify();
  }

  /** Something else came free that a sender may have waited for. */
  wake(): void {
    this.#freed.notify();
  }

  whenFreed(): Promise<void> {
    return this.#freed.wait();
  }
}
