/** The socket of the store process. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { RequestHandler } from './request-handler.ts';
import { badArguments, CODE_ACCESS_DENIED, StoreError } from './store-error.ts';

/** As ClickHouse: `http_max_uri_size`, and room for the other headers. */
const URL_CHARACTERS_MAX = 1_048_576;
const HEADERS_BYTES_MAX = URL_CHARACTERS_MAX + 65_536;
/** Clients close idle connections before this: `@clickhouse/client` after 2.5 s. */
const KEEP_ALIVE_MS = 10_000;

/** @param host what the server is bound to; on a loopback address, requests for other names are refused. */
export function createStoreServer(handler: RequestHandler, host: string): Server {
  const isLoopback = host === 'localhost' || host === '::1' || host.startsWith('127.');
  const server = createServer(
    { maxHeaderSize: HEADERS_BYTES_MAX, keepAliveTimeout: KEEP_ALIVE_MS },
    (message, response) => route(message, response, handler, isLoopback),
  );
  // A body may take as long as its sender needs; a sender that is gone closes the socket.
  server.requestTimeout = 0;
  return server;
}

function route(
  message: IncomingMessage,
  response: ServerResponse,
  handler: RequestHandler,
  isLoopback: boolean,
): void {
  const url = message.url ?? '/';
  const path = url.split('?', 1)[0];
  const refusal = refusalOf(message, isLoopback);
  if (refusal !== undefined) {
    answer(response, refusal.status, refusal.bodyText('1'));
  } else if (url.length > URL_CHARACTERS_MAX) {
    answer(response, 414, badArguments('The address is too long.').bodyText('1'));
  } else if (path === '/ping' || path === '/replicas_status') {
    answer(response, 200, 'Ok.\n');
  } else if (path !== '/') {
    answer(response, 404, `There is no handle ${path}\n\nUse / or /ping for health checks.\n`);
  } else if (message.method !== 'GET' && message.method !== 'POST') {
    response.setHeader('Allow', 'GET, POST');
    answer(response, 405, 'Only GET and POST are known here.\n');
  } else {
    void handler.handle(message, response);
  }
}

/**
 * The interface has no passwords, so it must not be open to what a browser on this machine runs: scripts of web
 * pages send an Origin, and a rebound name shows in Host.
 */
function refusalOf(message: IncomingMessage, isLoopback: boolean): StoreError | undefined {
  const { host = '', origin } = message.headers;
  const isForeign = origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host);
  // Images and links send no Origin, but say this.
  const site = message.headers['sec-fetch-site'] ?? 'none';
  if (isForeign || (site !== 'none' && site !== 'same-origin')) {
    return new StoreError(CODE_ACCESS_DENIED, 'Requests of other web origins are refused.', 'ACCESS_DENIED');
  }
  const name = host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
  if (isLoopback && name !== 'localhost' && isIP(name) === 0 && name !== '') {
    return new StoreError(CODE_ACCESS_DENIED, `This address is not known as ${name}.`, 'ACCESS_DENIED');
  }
  return undefined;
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=UTF-8',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}
