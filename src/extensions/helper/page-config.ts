/** Keys of every extension that opens an HTTP port, as the Collector has them. */
import type { AuthReference } from '../../component/factory.ts';
import { corsShape } from '../../config/cors.ts';
import {
  anything,
  boolean,
  byteCount,
  duration,
  endpoint,
  ignored,
  refused,
  section,
  string,
  stringList,
  stringMap,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineShape, type OtherKey, type Shape } from '../../config/schema.ts';
import { tlsServerShape } from '../../config/tls-server.ts';
import type { CorsConfig } from '../../stdx/cors-policy.ts';
import type { TlsServerSettings } from '../../stdx/tls-settings.ts';

export interface PageServerConfig {
  endpoint: string;
  tls: TlsServerSettings | undefined;
  auth: { authenticator: string } | undefined;
  cors: CorsConfig | undefined;
  /** Added to every answer. */
  responseHeaders: Record<string, string>;
}

const FIXED = 'pages are small, and their requests have no bodies: limits and timeouts are fixed';

/** Keys that change nothing here. */
export const PAGE_OTHER_KEYS: readonly OtherKey[] = [
  ignored(byteCount('max_request_body_size', { doc: 'Largest body.' }), FIXED),
  ignored(boolean('include_metadata', { doc: 'Keep headers.' }), FIXED),
  ignored(stringList('compression_algorithms', { doc: 'Content encodings.' }), FIXED),
  ignored(duration('read_timeout', { doc: 'Whole request.' }), FIXED),
  ignored(duration('read_header_timeout', { doc: 'Header.' }), FIXED),
  ignored(duration('write_timeout', { doc: 'Response.' }), FIXED),
  ignored(duration('idle_timeout', { doc: 'Silence.' }), FIXED),
  ignored(boolean('keep_alives_enabled', { doc: 'Kept connections.' }), FIXED),
  ignored(anything('transport', { doc: 'Network.' }), 'pages are served over TCP'),
  refused('middlewares'),
];

export const authShape = defineShape<{ authenticator: string }>({
  authenticator: string('authenticator', {
    required: true,
    doc: 'Id of the extension that checks requests.',
  }),
});

/** @param defaultEndpoint loopback, so that nobody else reaches it unless configured. */
export function pageServerShape(
  defaultEndpoint: string,
  doc = 'Address to listen on.',
): Shape<PageServerConfig> {
  return defineShape<PageServerConfig>(
    {
      endpoint: endpoint('endpoint', { accepts: 'host:port', default: defaultEndpoint, doc }),
      tls: section('tls', tlsServerShape, { optional: true, doc: 'TLS; absent means plain text.' }),
      auth: section('auth', authShape, { optional: true, doc: 'Who may ask; absent means everybody.' }),
      cors: section('cors', corsShape, { optional: true, doc: 'Rules for browsers of other origins.' }),
      responseHeaders: stringMap('response_headers', {
        default: {},
        secretValues: true,
        doc: 'Headers of every response.',
      }),
    },
    checkHeaders,
    PAGE_OTHER_KEYS,
  );
}

/** Node refuses to write others, and would do so at the first request. */
function checkHeaders({ responseHeaders }: PageServerConfig): CheckIssue[] {
  const isWrong = ([name, value]: [string, string]) =>
    !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /[^\t\u0020-\u007e\u0080-\u00ff]/.test(value);
  return Object.entries(responseHeaders)
    .filter(isWrong)
    .map(([name]) => ({ key: 'response_headers', message: `"${name}" cannot be a header` }));
}

/** For factories: the authenticator that the pages name. */
export function serverAuthenticators(
  { auth }: Pick<PageServerConfig, 'auth'>,
  path: readonly string[] = [],
): AuthReference[] {
  return auth === undefined ? [] : [{ path: [...path, 'auth', 'authenticator'], id: auth.authenticator }];
}
