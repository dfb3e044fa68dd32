/** `auth` of clients: the extension that signs requests. */
import type { ClientAuthenticator } from '../../component/auth.ts';
import type { ClientContext } from '../../component/client-context.ts';
import { section, string } from '../../config/field-kinds.ts';
import { defineShape } from '../../config/schema.ts';
import { FRAMING_HEADERS } from './request-headers.ts';

export interface ClientAuthConfig {
  authenticator: string;
}

/** A field of its own at each call, because a table owns its fields. */
export const clientAuthField = () =>
  section(
    'auth',
    defineShape<ClientAuthConfig>({
      authenticator: string('authenticator', {
        required: true,
        doc: 'Id of the extension that adds credentials to every request.',
      }),
    }),
    { optional: true, doc: 'Who requests come from; absent means that nothing is added.' },
  );

/**
 * The headers of one attempt: what the extension adds wins, except over `fixed`, without which no server could read
 * the request.
 * @param client of the batch.
 * @throws PipelineError retryable when there are no credentials now.
 */
export async function attemptHeaders(
  auth: ClientAuthenticator | undefined,
  own: Readonly<Record<string, string>>,
  fixed: Readonly<Record<string, string>>,
  client: ClientContext | undefined,
): Promise<Record<string, string>> {
  if (auth === undefined) return { ...own, ...fixed };
  const headers = { ...own };
  await auth.apply(headers, client);
  for (const name of FRAMING_HEADERS) delete headers[name];
  return Object.assign(headers, fixed);
}
