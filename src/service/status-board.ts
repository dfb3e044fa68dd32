/** Keeps the state of every component; changes that the table of states does not allow are ignored. */
import type { ComponentKind } from '../component/factory.ts';
import type { Logger } from '../component/settings.ts';
import { type ComponentState, type ComponentStatus, mayFollow } from '../component/status.ts';
import type { Clock } from '../stdx/clock.ts';

export class StatusBoard {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #statuses = new Map<string, ComponentStatus>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  set(kind: ComponentKind, id: string, state: ComponentState, message = ''): void {
    const key = `${kind}:${id}`;
    const from = this.#statuses.get(key)?.state ?? 'none';
    if (!mayFollow(from, state)) {
      this.#logger.debug('a change of a component state is ignored', { component: id, from, to: state });
      return;
    }
    this.#statuses.set(key, { kind, id, state, message, sinceUnixMs: this.#clock.unixMs() });
  }

  /** For components that left the configuration: their end is not news any more. */
  forget(kind: ComponentKind, id: string): void {
    this.#statuses.delete(`${kind}:${id}`);
  }

  /** undefined for what has none. */
  stateOf(kind: ComponentKind, id: string): ComponentState | undefined {
    return this.#statuses.get(`${kind}:${id}`)?.state;
  }

  list(): ComponentStatus[] {
    return [...this.#statuses.values()];
  }
}
