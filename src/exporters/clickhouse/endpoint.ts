/** Where a configured endpoint leads: always the HTTP interface. */
export interface ParsedEndpoint {
  /** `http://host:port` or `https://host:port`. */
  url: string;
  username: string | undefined;
  password: string | undefined;
  database: string | undefined;
  /** Settings from the query string. */
  settings: Record<string, string>;
  isLoopback: boolean;
  /** The address was written for the native protocol and its usual port was replaced. */
  wasNative: boolean;
}

/** ClickHouse's usual ports of the HTTP interface; those of the native protocol are 9000 and 9440. */
const HTTP_PORT = { plain: '8123', secure: '8443' } as const;
/** Options of the native protocol driver that a Collector configuration may carry; the server knows none of them. */
const DRIVER_OPTIONS: ReadonlySet<string> = new Set([
  'secure',
  'skip_verify',
  'compress',
  'compress_level',
  'dial_timeout',
  'read_timeout',
  'debug',
  'async_insert',
  'wait_for_async_insert',
  'block_buffer_size',
  'max_compression_buffer',
  'max_open_conns',
  'max_idle_conns',
  'conn_max_lifetime',
  'connection_open_strategy',
  'client_info_product',
  'http_proxy',
  'username',
  'password',
  'database',
]);
const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['localhost', '[::1]']);

/** Takes an endpoint apart. It is a URL with scheme http, https, tcp or clickhouse. */
export function parseEndpoint(text: string): ParsedEndpoint | { error: string } {
  if (!URL.canParse(text)) return { error: 'endpoint must be url format' };
  const url = new URL(text);
  const wasNative = url.protocol === 'tcp:' || url.protocol === 'clickhouse:';
  const isSecure =
    url.protocol === 'https:' || url.searchParams.get('secure') === 'true' || url.port === '9440';
  const port = wasNative
    ? nativePort(url.port, isSecure)
    : url.port === ''
      ? isSecure
        ? '8443'
        : '8123'
      : url.port;
  if (port === undefined) {
    return {
      error: `port ${url.port} of a ${url.protocol}// endpoint is unknown: give the HTTP interface as http://host:8123`,
    };
  }
  const database = url.pathname.replace(/^\/+|\/+$/g, '');
  return {
    url: `${isSecure ? 'https' : 'http'}://${url.hostname}:${port}`,
    username: decoded(url.username) ?? url.searchParams.get('username') ?? undefined,
    password: decoded(url.password) ?? url.searchParams.get('password') ?? undefined,
    database: database === '' ? (url.searchParams.get('database') ?? undefined) : database,
    settings: withoutDriverOptions(Object.fromEntries(url.searchParams)),
    isLoopback: LOOPBACK_HOSTS.has(url.hostname) || /^127\.\d+\.\d+\.\d+$/.test(url.hostname),
    wasNative,
  };
}

function nativePort(port: string, isSecure: boolean): string | undefined {
  if (port === '') return HTTP_PORT[isSecure ? 'secure' : 'plain'];
  return port === '9000' || port === '9440' ? HTTP_PORT[isSecure ? 'secure' : 'plain'] : undefined;
}

function decoded(text: string): string | undefined {
  return text === '' ? undefined : decodeURIComponent(text);
}

/** What of a set of connection options are settings of the server. */
export function withoutDriverOptions(options: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(options).filter(([key]) => !DRIVER_OPTIONS.has(key)));
}
