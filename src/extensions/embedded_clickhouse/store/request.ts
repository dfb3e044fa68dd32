/** What a request of ClickHouse's HTTP interface says in its address and headers. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Engine } from './engine.ts';
import { badArguments, CODE_UNKNOWN_SETTING, notImplemented, StoreError } from './store-error.ts';

export interface StoreRequest {
  /** Text of `?query=`; the body goes on behind it. */
  query: string;
  queryId: string;
  database: string;
  defaultFormat: string;
  settings: ReadonlyMap<string, string>;
  params: ReadonlyMap<string, string>;
  /** GET and HEAD change nothing. */
  isReadOnly: boolean;
  /** The whole result is known before the first byte is sent, so its status is right. */
  waitsForEnd: boolean;
  /** `gzip` or another coding that both sides know; undefined for none. */
  responseEncoding: ResponseEncoding | undefined;
}

export type ResponseEncoding = 'br' | 'gzip' | 'deflate';

/** Parameters of the interface itself: of no meaning to the engine. */
const INTERFACE_PARAMETERS: ReadonlySet<string> = new Set([
  ...['query', 'query_id', 'database', 'default_format', 'user', 'password', 'quota_key', 'stacktrace'],
  ...['wait_end_of_query', 'buffer_size', 'enable_http_compression', 'send_progress_in_http_headers'],
  ...['http_wait_end_of_query', 'http_response_buffer_size', 'http_zlib_compression_level'],
  ...['http_headers_progress_interval_ms', 'http_write_exception_in_output_format'],
  ...['cancel_http_readonly_queries_on_client_close', 'client_protocol_version', 'readonly'],
]);

/** Asked for by name, and refused rather than ignored: the answer would be another one than expected. */
const REFUSED_PARAMETERS: ReadonlyMap<string, string> = new Map([
  ['session_id', 'A session over several requests'],
  ['role', 'A role'],
  ['profile', 'A settings profile'],
]);

export function parseRequest(message: IncomingMessage, engine: Engine): StoreRequest {
  const { headers } = message;
  const search = (message.url ?? '/').split('?', 2)[1] ?? '';
  const settings = new Map(engine.querySettings);
  const params = new Map<string, string>();
  const own = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) {
    if (INTERFACE_PARAMETERS.has(name)) own.set(name, value);
    else if (name.startsWith('param_')) params.set(paramName(name), value);
    else if (name === 'compress' || name === 'decompress') {
      if (value !== '' && value !== '0') throw notImplemented(`${name}=1 (native compressed blocks)`);
    } else if (REFUSED_PARAMETERS.has(name)) throw notImplemented(REFUSED_PARAMETERS.get(name)!);
    else if (engine.settingNames.has(name)) settings.set(name, value);
    else
      throw new StoreError(
        CODE_UNKNOWN_SETTING,
        `Setting ${name} is neither a builtin setting nor a parameter.`,
      );
  }
  const flag = (name: string, fallback: string) => !/^(|0|false)$/.test(own.get(name) ?? fallback);
  const format = own.get('default_format') ?? header(message, 'x-clickhouse-format') ?? 'TabSeparated';
  const encoding = flag('enable_http_compression', '1') ? headers['accept-encoding'] : undefined;
  if (/^multipart\//.test(headers['content-type'] ?? '')) throw notImplemented('A multipart body');
  return {
    query: own.get('query') ?? '',
    queryId: own.get('query_id') || randomUUID(),
    database: own.get('database') ?? header(message, 'x-clickhouse-database') ?? '',
    defaultFormat: format,
    settings,
    params,
    isReadOnly: message.method !== 'POST' || flag('readonly', '0'),
    waitsForEnd: flag('wait_end_of_query', '0') || flag('http_wait_end_of_query', '0'),
    responseEncoding: chooseEncoding(encoding),
  };
}

function paramName(name: string): string {
  const result = name.slice('param_'.length);
  // It becomes part of a statement.
  if (!/^\w{1,200}$/.test(result)) throw badArguments(`${JSON.stringify(name)} is no name of a parameter.`);
  return result;
}

function header(message: IncomingMessage, name: string): string | undefined {
  const value = message.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function chooseEncoding(accepted: unknown): ResponseEncoding | undefined {
  if (typeof accepted !== 'string') return undefined;
  const codings = accepted.split(',').map((part) => part.trim().split(';')[0]);
  return (['gzip', 'br', 'deflate'] as const).find((coding) => codings.includes(coding));
}
