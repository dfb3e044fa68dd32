/** The pauses between repeated requests of one operation: the AWS client's standard mode with bounds of our own. */
import type { Prng } from '../stdx/prng.ts';

/** What the AWS client hands around; its interface `RetryToken`. */
interface RetryToken {
  getRetryCount(): number;
  getRetryDelay(): number;
}

interface RetryErrorInfo {
  errorType: string;
  retryAfterHint?: Date;
}

/** Interface `RetryStrategyV2` of the AWS client, as far as it asks. */
export interface BoundedRetries {
  readonly mode: 'standard';
  acquireInitialRetryToken(scope: string): Promise<RetryToken>;
  refreshRetryTokenForRetry(token: RetryToken, error: RetryErrorInfo): Promise<RetryToken>;
  recordSuccess(token: RetryToken): void;
  maxAttempts(): Promise<number>;
}

const FIRST_BACKOFF_MS = 1_000;

function token(count: number, delayMs: number): RetryToken {
  return { getRetryCount: () => count, getRetryDelay: () => delayMs };
}

/**
 * Uniform between nothing and a bound that doubles from one second on, as in the AWS client of Go.
 * @param attemptsMax requests of one operation; 0: no limit.
 * @param leavesThrottled a request that the store refuses for being too many is not repeated here: whoever sends it
 * slows down all of its requests, which nobody in here could.
 */
export function boundedRetries(
  attemptsMax: number,
  backoffMaxMs: number,
  prng: Prng,
  leavesThrottled = false,
): BoundedRetries {
  const limit = attemptsMax === 0 ? Number.MAX_SAFE_INTEGER : attemptsMax;
  return {
    mode: 'standard',
    acquireInitialRetryToken: async () => token(0, 0),
    refreshRetryTokenForRetry: async (last, { errorType }) => {
      const count = last.getRetryCount() + 1;
      const canRecover = (errorType === 'THROTTLING' && !leavesThrottled) || errorType === 'TRANSIENT';
      if (!canRecover || count >= limit) throw new Error('no more retries');
      const boundMs = Math.min(FIRST_BACKOFF_MS * 2 ** (count - 1), backoffMaxMs);
      // The client waits, and stops waiting when the attempt is over.
      return token(count, prng.nextFloat() * boundMs);
    },
    recordSuccess: () => undefined,
    maxAttempts: async () => limit,
  };
}
