/** Life cycle that every component shares. */
export interface Component {
  /** Opens sockets and clients. Rejects with PipelineError START_FAILED: the process then stops and names the id. */
  start(): Promise<void>;
  /**
   * Stops taking work, finishes or gives back what is in flight, releases everything.
   * Idempotent; tolerates a component that never started.
   * @param deadlineMs reading of `Clock.monotonicMs` after which it must return anyway.
   */
  shutdown(deadlineMs: number): Promise<void>;
}
