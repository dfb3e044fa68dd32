import type { Prng } from './prng.ts';

export interface BackoffConfig {
  initialIntervalMs: number;
  /** Share of the interval by which it is varied, 0..1. */
  randomizationFactor: number;
  multiplier: number;
  maxIntervalMs: number;
}

/**
 * Wait before retry number `retry` (0 = first): the interval grows by `multiplier` up to `maxIntervalMs` and is then
 * spread evenly by the randomization factor, so that many senders do not come back together.
 */
export function backoffMs(config: BackoffConfig, retry: number, prng: Prng): number {
  const grown = config.initialIntervalMs * config.multiplier ** retry;
  const intervalMs = Math.min(Number.isFinite(grown) ? grown : config.maxIntervalMs, config.maxIntervalMs);
  const spread = config.randomizationFactor * intervalMs;
  return intervalMs - spread + prng.nextFloat() * 2 * spread;
}
