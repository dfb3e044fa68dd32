/** Bearer tokens for SASL OAUTHBEARER (RFC 7628) from the extensions that sign HTTP requests with them. */
import type { ClientAuthenticator } from '../component/auth.ts';
import { PipelineError } from '../component/errors.ts';

const BEARER = /^bearer +/i;

/**
 * @returns the current token; each call asks the extension again, which reloads and renews.
 * @throws (from the returned function) PipelineError retryable when the extension gives none, or another kind of credential.
 */
export function bearerTokens(auth: ClientAuthenticator, id: string): () => Promise<string> {
  return async () => {
    const headers: Record<string, string> = {};
    await auth.apply(headers);
    const value = headers.authorization;
    if (value === undefined || !BEARER.test(value)) {
      throw new PipelineError('EXPORT_UNAVAILABLE', `"${id}" gives no bearer token`, { permanent: false });
    }
    return value.replace(BEARER, '');
  };
}
