/**
 * What the engine tells about itself: the state of each component, and whether it takes requests. Contracts for
 * extensions that show it to people and to machines; the engine's side is in service.
 */
import type { ProfileKind } from '../stdx/profile.ts';
import type { ComponentKind } from './factory.ts';
import type { Signal } from './signal.ts';

/** The Collector's states, in its order. */
export const COMPONENT_STATES = [
  'none',
  'starting',
  'ok',
  'recoverable_error',
  'permanent_error',
  'fatal_error',
  'stopping',
  'stopped',
] as const;
export type ComponentState = (typeof COMPONENT_STATES)[number];

const ERRORS: readonly ComponentState[] = ['recoverable_error', 'permanent_error', 'fatal_error'];

/** State -> states that may follow it; everything else is ignored by whoever keeps states. */
const FOLLOWERS: Readonly<Record<ComponentState, readonly ComponentState[]>> = {
  none: ['starting'],
  starting: ['ok', ...ERRORS, 'stopping'],
  ok: ['ok', ...ERRORS, 'stopping'],
  recoverable_error: ['ok', ...ERRORS, 'stopping'],
  permanent_error: ['stopping'],
  fatal_error: [],
  stopping: [...ERRORS, 'stopped'],
  // A reload starts a component of the same id again.
  stopped: ['starting'],
};

export function mayFollow(from: ComponentState, to: ComponentState): boolean {
  return FOLLOWERS[from].includes(to);
}

export interface ComponentStatus {
  kind: ComponentKind;
  id: string;
  state: ComponentState;
  /** Why, when the state is an error; otherwise empty. Never a secret: it is shown to anybody who asks. */
  message: string;
  /** Wall clock of the change, ms since the epoch. */
  sinceUnixMs: number;
}

/** Ready means: every listener is bound, every worker runs, every log is open and takes data. */
export interface Readiness {
  isReady: boolean;
  /** Why it is not ready, one short sentence each; empty when it is. */
  reasons: readonly string[];
  /** Wall clock since when it is ready, ms since the epoch; 0 while it is not. */
  readySinceUnixMs: number;
}

export interface PipelineView {
  id: string;
  signal: Signal;
  receivers: readonly string[];
  processors: readonly string[];
  exporters: readonly string[];
}

/** What extensions may ask the engine; every answer is of this moment. Main thread only. */
export interface EngineView {
  readonly version: string;
  /** Wall clock of the start, ms since the epoch. */
  readonly startedUnixMs: number;
  readiness(): Readiness;
  components(): readonly ComponentStatus[];
  pipelines(): readonly PipelineView[];
  /** `main` and the names of the worker threads that are ready. */
  threads(): readonly string[];
  /**
   * Profile of one thread as text in parts, see stdx/profile.ts.
   * @returns undefined when there is no such thread. The text ends early when the thread ends.
   */
  profile(thread: string, kind: ProfileKind, seconds: number): AsyncIterable<string> | undefined;
}
