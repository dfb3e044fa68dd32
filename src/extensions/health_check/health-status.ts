/** State of the engine as the second version of the health check tells it: an event for each part, and their sum. */
import type { ComponentState, ComponentStatus, EngineView, PipelineView } from '../../component/status.ts';
import type { ComponentHealthConfig } from './config.ts';

export interface HealthEvent {
  state: ComponentState;
  /** Empty when all is well. */
  error: string;
  sinceUnixMs: number;
  /** Parts by name; undefined for a single component. */
  parts?: ReadonlyMap<string, HealthEvent>;
}

/** The first of these that a part has is the state of the whole. */
const PRECEDENCE: readonly ComponentState[] = [
  'fatal_error',
  'starting',
  'stopping',
  'stopped',
  'permanent_error',
  'recoverable_error',
  'ok',
  'none',
];

function sumOf(parts: ReadonlyMap<string, HealthEvent>): HealthEvent {
  const events = [...parts.values()];
  const rank = ({ state }: HealthEvent) => PRECEDENCE.indexOf(state);
  const [worst] = events.toSorted(
    (one, other) => rank(one) - rank(other) || one.sinceUnixMs - other.sinceUnixMs,
  );
  if (worst === undefined) return { state: 'none', error: '', sinceUnixMs: 0, parts };
  // A healthy whole is as old as its youngest part.
  const sinceUnixMs =
    worst.state === 'ok' ? Math.max(...events.map((each) => each.sinceUnixMs)) : worst.sinceUnixMs;
  return { state: worst.state, error: worst.error, sinceUnixMs, parts };
}

export class HealthStatus {
  readonly #engine: EngineView | undefined;
  readonly #health: ComponentHealthConfig;

  constructor(engine: EngineView | undefined, health: ComponentHealthConfig) {
    this.#engine = engine;
    this.#health = health;
  }

  get startedUnixMs(): number {
    return this.#engine?.startedUnixMs ?? 0;
  }

  /** Ready to take requests, whatever single components say. */
  get isReady(): boolean {
    return this.#engine?.readiness().isReady === true;
  }

  /** @returns everything, with a part for the extensions and one for each pipeline. */
  whole(): HealthEvent {
    const engine = this.#engine;
    if (engine === undefined) return { state: 'none', error: '', sinceUnixMs: 0 };
    const statuses = engine.components();
    const extensions = new Map(
      statuses
        .filter(({ kind }) => kind === 'extension')
        .map((status) => [`extension:${status.id}`, eventOf(status)] as const),
    );
    const parts = new Map<string, HealthEvent>();
    if (extensions.size > 0) parts.set('extensions', sumOf(extensions));
    for (const pipeline of engine.pipelines())
      parts.set(`pipeline:${pipeline.id}`, this.#pipelineEvent(pipeline, statuses));
    return this.#withReadiness(sumOf(parts));
  }

  /** @param id of a pipeline; undefined for one that is not there. */
  pipeline(id: string): HealthEvent | undefined {
    const engine = this.#engine;
    const pipeline = engine?.pipelines().find((each) => each.id === id);
    if (engine === undefined || pipeline === undefined) return undefined;
    return this.#withReadiness(this.#pipelineEvent(pipeline, engine.components()));
  }

  isHealthy({ state, sinceUnixMs }: HealthEvent, nowUnixMs: number): boolean {
    const { includesPermanent, includesRecoverable, recoveryMs } = this.#health;
    if (state === 'permanent_error') return !includesPermanent;
    if (state === 'recoverable_error') return !includesRecoverable || nowUnixMs - sinceUnixMs <= recoveryMs;
    return state === 'ok';
  }

  /** Processors have no state of their own: they are as ready as the workers that they run in. */
  #pipelineEvent(pipeline: PipelineView, statuses: readonly ComponentStatus[]): HealthEvent {
    const parts = new Map<string, HealthEvent>();
    const find = (kind: 'receiver' | 'exporter', id: string) => {
      const status = statuses.find((each) => each.kind === kind && each.id === id);
      parts.set(`${kind}:${id}`, status === undefined ? NOT_THERE : eventOf(status));
    };
    for (const id of pipeline.receivers) find('receiver', id);
    for (const id of pipeline.processors) parts.set(`processor:${id}`, this.#processorEvent());
    for (const id of pipeline.exporters) find('exporter', id);
    return sumOf(parts);
  }

  #processorEvent(): HealthEvent {
    const { isReady, readySinceUnixMs } = this.#engine!.readiness();
    if (isReady) return { state: 'ok', error: '', sinceUnixMs: readySinceUnixMs };
    return { state: 'starting', error: '', sinceUnixMs: this.startedUnixMs };
  }

  /** All components may be well while a log takes no data: then nothing is well. */
  #withReadiness(event: HealthEvent): HealthEvent {
    const { isReady, reasons } = this.#engine!.readiness();
    if (isReady || (event.state !== 'ok' && event.state !== 'starting')) return event;
    return { ...event, error: reasons.join('; ') };
  }
}

const NOT_THERE: HealthEvent = { state: 'none', error: '', sinceUnixMs: 0 };

function eventOf({ state, message, sinceUnixMs }: ComponentStatus): HealthEvent {
  return { state, error: message, sinceUnixMs };
}
