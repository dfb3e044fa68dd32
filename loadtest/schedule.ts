/**
 * When the requests of an open loop are due. Request k is due at start + k * interval whatever the server does:
 * latency counts from there, so a stall shows in every request that it delayed (no coordinated omission).
 */
export interface ScheduleSettings {
  /** Monotonic milliseconds of request 0. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly itemsPerSecond: number;
  readonly itemsPerRequest: number;
}

export class OpenLoopSchedule {
  readonly startMs: number;
  readonly endMs: number;
  readonly intervalMs: number;
  /** Requests of the whole run. */
  readonly requestCount: number;

  constructor(settings: ScheduleSettings) {
    if (!(settings.itemsPerSecond > 0)) throw new RangeError('an open loop needs a rate above 0');
    this.startMs = settings.startMs;
    this.endMs = settings.startMs + settings.durationMs;
    this.intervalMs = (1_000 * settings.itemsPerRequest) / settings.itemsPerSecond;
    this.requestCount = Math.ceil(settings.durationMs / this.intervalMs);
  }

  /** Monotonic milliseconds at which request `index` should leave. */
  intendedMs(index: number): number {
    return this.startMs + index * this.intervalMs;
  }

  /** How many requests should have left by `nowMs`. */
  dueCount(nowMs: number): number {
    if (nowMs < this.startMs) return 0;
    return Math.min(this.requestCount, Math.floor((nowMs - this.startMs) / this.intervalMs) + 1);
  }
}
