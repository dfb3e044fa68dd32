/**
 * Authentication, both ways. An extension that is an authenticator says so with one of the two contracts here:
 *
 * - of clients that send to us: its component, on the main thread, is a `ServerAuthenticator`. A receiver with
 *   `auth: {authenticator: ID}` finds it with `findServerAuthenticator`.
 * - of us towards backends: its factory has `createClientAuth`, which runs once in every exporter worker, because
 *   that is where requests are sent. An exporter with `auth: {authenticator: ID}` gets it in its `start()` with
 *   `await findClientAuthenticator(settings, id)` and calls `apply` for every attempt. A receiver that reaches out for
 *   its data finds one of the main thread in the same way; it lives as long as the extension.
 */
import type { ClientContext } from './client-context.ts';
import type { Component } from './component.ts';
import { PipelineError } from './errors.ts';
import type { ComponentSettings } from './settings.ts';

/** Values of the headers that an authenticator asked for, in its order; undefined when absent. */
export type AuthHeaders = readonly (string | undefined)[];

export type AuthResult =
  | { isAllowed: true }
  /** The message goes to the client: never a credential, never why exactly it was wrong. */
  | { isAllowed: false; message: string }
  /** Nothing was decided, e.g. too many checks are under way: the client shall come again. */
  | { isAllowed: 'later'; message: string };

/** Checks requests by their headers, before a byte of the body is looked at. Lives on the main thread. */
export interface ServerAuthenticator {
  /** Lower case. A receiver collects these headers and no others. */
  readonly headerNames: readonly string[];
  /** What HTTP clients are told in WWW-Authenticate (RFC 9110, section 11.6.1), e.g. `Bearer`. */
  readonly challenge: string;
  /**
   * Never throws and never blocks: what takes long happens on another thread and gives a promise, which never
   * rejects. Compares in constant time.
   *
   * @param headers as many as `headerNames`. A header that came twice has its values joined with a comma.
   */
  authenticate(headers: AuthHeaders): AuthResult | Promise<AuthResult>;
  /**
   * What is known of a client that these headers let in, by the names of `from_context: auth.NAME`. Asked only where
   * the configuration names such an attribute.
   */
  attributes?(headers: AuthHeaders): Readonly<Record<string, string>>;
}

/**
 * Puts credentials or other headers on requests of an exporter. One instance for each extension id and thread,
 * shared by all exporters of the thread that name it; the thread owns its life.
 */
export interface ClientAuthenticator extends Component {
  /** gRPC clients refuse it on a connection without TLS, as the Collector does: it would show a credential. */
  readonly requiresTlsForGrpc: boolean;
  /**
   * Changes the headers of one attempt in place; call it again for a retry, because credentials are reloaded.
   * Await the result: some authenticators have to fetch a token first.
   *
   * @param headers names in lower case, with what the exporter itself sends; what it must not lose
   *   (content type, encoding, length) it sets afterwards.
   * @param client of the requests in the batch, as far as the factory's `clientKeys` name it; absent: unknown.
   * @throws PipelineError permanent EXPORT_REJECTED when what is known of the client cannot become a header.
   * @throws PipelineError retryable EXPORT_UNAVAILABLE when no credential can be had now.
   */
  apply(headers: Record<string, string>, client?: ClientContext): void | Promise<void>;
}

/** @throws PipelineError START_FAILED when the id is no running extension or no authenticator of clients. */
export function findServerAuthenticator(settings: ComponentSettings, id: string): ServerAuthenticator {
  const extension = settings.findExtension?.(id);
  if (extension === undefined) throw notFound(id);
  if ('authenticate' in extension && 'headerNames' in extension) {
    // The two members are the contract, and no other component has them.
    return extension as unknown as ServerAuthenticator;
  }
  throw startFailed(`"${id}" is not a server authenticator`);
}

/**
 * @returns started and ready to use; do not shut it down.
 * @throws PipelineError START_FAILED when the id is not in `service.extensions` or cannot authenticate us.
 */
export async function findClientAuthenticator(
  settings: ComponentSettings,
  id: string,
): Promise<ClientAuthenticator> {
  const found = await settings.findClientAuth?.(id);
  if (found === undefined) throw notFound(id);
  return found;
}

/** For the host of exporters: the extension exists, but has no `createClientAuth`. */
export function notClientAuthenticator(id: string): PipelineError {
  return startFailed(`"${id}" is not a client authenticator`);
}

function notFound(id: string): PipelineError {
  return startFailed(`failed to resolve authenticator "${id}": authenticator not found`);
}

function startFailed(message: string): PipelineError {
  return new PipelineError('START_FAILED', message, { permanent: true });
}
