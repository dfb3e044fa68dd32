/** What a receiver writes to for as long as it lives, while the data path behind it comes and goes. Main thread. */
import type { ClientKeys } from '../component/client-context.ts';
import type { RawRequest, RequestConsumer, RequestDone } from '../component/consumer.ts';
import type { Signal } from '../component/signal.ts';
import { refuse, type WaitingRoom, type WaitingRoomOwner } from './waiting-room.ts';

export class ConsumerGate implements RequestConsumer, WaitingRoomOwner {
  readonly #signals = new Set<Signal>();
  readonly #room: WaitingRoom;
  #next: RequestConsumer | undefined;
  #clientKeys: ClientKeys | undefined;

  /** @param room where requests wait while there is no data path. */
  constructor(room: WaitingRoom) {
    this.#room = room;
  }

  /** Those of the data path behind it, or of the last one while there is none: a pause must not look like a 404. */
  get signals(): ReadonlySet<Signal> {
    return this.#signals;
  }

  /** As with the signals. */
  get clientKeys(): ClientKeys | undefined {
    return this.#clientKeys;
  }

  open(next: RequestConsumer): void {
    this.#clientKeys = next.clientKeys;
    this.#next = next;
    this.#signals.clear();
    for (const signal of next.signals) this.#signals.add(signal);
  }

  /** From now on requests wait, as far as there is room for them. */
  close(): void {
    this.#next = undefined;
  }

  tryConsume(request: RawRequest, done: RequestDone): boolean {
    const next = this.#next;
    // Those that waited go first: one that comes now may be the same client's next one.
    if (next === undefined || this.#room.count > 0) return this.#room.tryEnter(this, request, done);
    // A request may have begun before its pipeline went.
    return next.signals.has(request.signal) && next.tryConsume(request, done);
  }

  tryRelease(request: RawRequest, done: RequestDone): boolean {
    const next = this.#next;
    if (next === undefined) return false;
    if (next.signals.has(request.signal)) return next.tryConsume(request, done);
    refuse(done);
    return true;
  }
}
