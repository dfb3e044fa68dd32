/** Injected time, so that tests and simulations decide how it passes. */
export interface Clock {
  /** Wall clock in milliseconds since the Unix epoch: for record fields and names, never for durations. */
  unixMs(): number;
  /** Monotonic milliseconds with sub-millisecond fraction: for durations, deadlines and back-off. */
  monotonicMs(): number;
}

/** The clock of the machine. Both readings are comparable between threads of one process. */
export const systemClock: Clock = {
  unixMs: () => Date.now(),
  // Threads have different time origins, so the origin is added to make readings comparable.
  monotonicMs: () => performance.timeOrigin + performance.now(),
};
