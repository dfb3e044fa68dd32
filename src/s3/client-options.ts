/** What the clients of AWS have in common: who asks, how often, and how long a connection may be silent. */
import { Prng } from '../stdx/prng.ts';
import type { S3ConnectionConfig } from './config.ts';
import { boundedRetries } from './retry.ts';

/** For a connection, and for silence on one: longer than any answer is held back on purpose. */
const CONNECT_TIMEOUT_MS = 10_000;
const SILENCE_TIMEOUT_MS = 60_000;

/** @param connectionsMax at a time. */
export function connectionHandler(connectionsMax: number) {
  const sockets = { maxSockets: connectionsMax };
  return {
    connectionTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENCE_TIMEOUT_MS,
    httpAgent: sockets,
    httpsAgent: sockets,
  };
}

/**
 * How often the client itself repeats a request.
 * @param seed of the pauses between them.
 * @param leavesThrottled see `boundedRetries`; the client's own modes know nothing of it.
 */
export function retryOptions(config: S3ConnectionConfig, seed: number, leavesThrottled = false) {
  const { retryMode, retryMaxAttempts, retryMaxBackoffMs } = config;
  if (retryMode === 'nop') return { maxAttempts: 1 };
  if (retryMode === 'standard')
    return {
      retryStrategy: boundedRetries(retryMaxAttempts, retryMaxBackoffMs, new Prng(seed), leavesThrottled),
    };
  return { retryMode, maxAttempts: retryMaxAttempts === 0 ? Number.MAX_SAFE_INTEGER : retryMaxAttempts };
}

/** Credentials of the usual places, or of the role that is assumed with them. */
export async function credentialOptions({ roleArn, externalId, region }: S3ConnectionConfig) {
  if (roleArn === undefined) return {};
  const { fromTemporaryCredentials } = await import('@aws-sdk/credential-providers');
  const role = { RoleArn: roleArn, RoleSessionName: 'millrace' };
  return {
    credentials: fromTemporaryCredentials({
      params: externalId === undefined ? role : { ...role, ExternalId: externalId },
      clientConfig: region === '' ? {} : { region },
    }),
  };
}
