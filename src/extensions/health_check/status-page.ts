/** `/status` of the second version: bodies and codes of the Collector's. */
import type { ComponentState } from '../../component/status.ts';
import type { Clock } from '../../stdx/clock.ts';
import { type PageReply, textReply } from '../helper/page-server.ts';
import type { HealthEvent, HealthStatus } from './health-status.ts';

const NAMES: Readonly<Record<ComponentState, string>> = {
  none: 'StatusNone',
  starting: 'StatusStarting',
  ok: 'StatusOK',
  recoverable_error: 'StatusRecoverableError',
  permanent_error: 'StatusPermanentError',
  fatal_error: 'StatusFatalError',
  stopping: 'StatusStopping',
  stopped: 'StatusStopped',
};
const NOT_RUNNING: readonly ComponentState[] = ['none', 'starting', 'stopping', 'stopped'];

/** The zero of Go's clock. */
const NEVER = '0001-01-01T00:00:00Z';

function timeText(unixMs: number): string {
  return unixMs === 0 ? NEVER : new Date(unixMs).toISOString();
}

export class StatusPage {
  readonly #health: HealthStatus;
  readonly #clock: Clock;

  constructor(health: HealthStatus, clock: Clock) {
    this.#health = health;
    this.#clock = clock;
  }

  answer(query: URLSearchParams): PageReply {
    const pipeline = query.get('pipeline') ?? '';
    const event = pipeline === '' ? this.#health.whole() : this.#health.pipeline(pipeline);
    if (event === undefined) return textReply(404, '');
    const isVerbose = query.has('verbose') && query.get('verbose') !== 'false';
    const body = {
      start_time: timeText(this.#health.startedUnixMs),
      ...this.#describe(event, isVerbose),
    };
    return { status: this.#statusCode(event), contentType: 'application/json', body: JSON.stringify(body) };
  }

  #statusCode(event: HealthEvent): number {
    if (NOT_RUNNING.includes(event.state)) return 503;
    if (!this.#health.isHealthy(event, this.#clock.unixMs())) return 500;
    // Nothing is refused without this saying so, whatever counts as ill health.
    return this.#health.isReady ? 200 : 503;
  }

  #describe(event: HealthEvent, isVerbose: boolean): object {
    const { state, error, sinceUnixMs, parts } = event;
    return {
      healthy: this.#health.isHealthy(event, this.#clock.unixMs()),
      status: NAMES[state],
      ...(error === '' ? {} : { error }),
      status_time: timeText(sinceUnixMs),
      ...(isVerbose && parts !== undefined
        ? {
            components: Object.fromEntries(
              [...parts].map(([name, part]) => [name, this.#describe(part, true)] as const),
            ),
          }
        : {}),
    };
  }
}
