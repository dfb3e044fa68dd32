/** Whether the engine takes requests, and since when. */
import type { Readiness } from '../component/status.ts';
import type { Clock } from '../stdx/clock.ts';

export type ServicePhase = 'starting' | 'running' | 'reloading' | 'stopping' | 'failed';

const PHASE_REASONS: Readonly<Record<ServicePhase, string | undefined>> = {
  starting: 'starting',
  running: undefined,
  reloading: 'a new configuration is being started',
  stopping: 'shutting down',
  failed: 'a failure ends the process',
};

export interface ReadinessSources {
  phase: ServicePhase;
  path: { troubles(): string[] } | undefined;
}

export class ReadinessWatch {
  readonly #clock: Clock;
  readonly #sources: () => ReadinessSources;
  #readySinceUnixMs = 0;

  constructor(clock: Clock, sources: () => ReadinessSources) {
    this.#clock = clock;
    this.#sources = sources;
  }

  /** Looks now; `readySinceUnixMs` is as old as the first look that found it ready. */
  look(): Readiness {
    const { phase, path } = this.#sources();
    const ofPhase = PHASE_REASONS[phase];
    const reasons = ofPhase === undefined ? (path?.troubles() ?? ['no workers']) : [ofPhase];
    if (reasons.length > 0) this.#readySinceUnixMs = 0;
    else if (this.#readySinceUnixMs === 0) this.#readySinceUnixMs = this.#clock.unixMs();
    return { isReady: reasons.length === 0, reasons, readySinceUnixMs: this.#readySinceUnixMs };
  }
}
