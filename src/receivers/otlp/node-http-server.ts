/**
 * OTLP/HTTP on node:http, plain text only: runs wherever Node runs, and honours every timeout of the configuration.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AuthSource } from './auth-gate.ts';
import { bindFailed } from './bind.ts';
import { joinValues, rawHeaderValues } from './client-capture.ts';
import { ConnectionTable } from './connection-table.ts';
import { HttpExchange, needsSource } from './http-exchange.ts';
import { addHeader, createHead } from './http-head.ts';
import type {
  HttpReply,
  HttpReplyPort,
  HttpRequestHead,
  HttpServer,
  HttpServerSettings,
} from './http-server.ts';
import {
  HEADER_BYTES_MAX,
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  REQUEST_TIMEOUT_MS,
  SEND_STALL_MS,
} from './limits.ts';

/** How late node may be in closing a connection whose request takes too long. */
const CONNECTION_CHECK_MS = 1000;

export class NodeHttpServer implements HttpServer {
  readonly implementation = 'node';
  readonly #settings: HttpServerSettings;
  readonly #connections: ConnectionTable;
  /** Exchanges whose body is on its way, with the reading of the clock at their start. */
  readonly #uploads = new Map<HttpExchange, number>();
  #uploadTimer: NodeJS.Timeout | undefined;
  #server: Server | undefined;

  constructor(settings: HttpServerSettings) {
    this.#settings = settings;
    const { metrics } = settings.exchange.admission;
    this.#connections = new ConnectionTable({
      perAddressMax: settings.connectionsPerAddressMax,
      refused: () => metrics.countRefusedConnection('http', 'address_limit'),
    });
  }

  async start(): Promise<number> {
    const server = this.#createServer();
    this.#server = server;
    const { host, port } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(bindFailed(host, port, error)));
      server.listen({ host, port }, resolve);
    });
    // A late error of the listening socket must not end the process; connections report their own.
    server.on('error', () => {});
    this.#uploadTimer = setInterval(() => this.#sweepUploads(), CONNECTION_CHECK_MS);
    this.#uploadTimer.unref();
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  stopListening(): void {
    this.#server?.close();
    this.#server?.closeIdleConnections();
  }

  /** Connections end by themselves: idle ones were closed, and answers of a drain close theirs. */
  whenDrained(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return Promise.resolve();
    return new Promise((resolve) => server.close(() => resolve()));
  }

  close(): void {
    clearInterval(this.#uploadTimer);
    this.#server?.closeAllConnections();
    this.#connections.destroyAll();
    this.#server = undefined;
  }

  #createServer(): Server {
    const settings = this.#settings;
    const requestTimeout = settings.readTimeoutMs || REQUEST_TIMEOUT_MS;
    const options = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: Math.min(settings.readHeaderTimeoutMs || HEADERS_TIMEOUT_MS, requestTimeout),
      requestTimeout,
      keepAliveTimeout: settings.idleTimeoutMs || KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTION_CHECK_MS,
      noDelay: true,
      insecureHTTPParser: false,
    };
    const server = createServer(options, (request, response) => this.#serve(request, response));
    server.on('connection', (socket: Socket) => this.#connections.tryAdd(socket));
    server.maxConnections = settings.connectionsMax;
    // Node would silently drop the lines above its bound, so the exchange counts and refuses.
    server.maxHeadersCount = 0;
    return server;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { exchange: context } = this.#settings;
    const port = new NodeReplyPort(response, this.#settings.writeTimeoutMs || SEND_STALL_MS);
    const exchange = new HttpExchange(context, port);
    // A socket error is followed by `close`, which is where the exchange learns of it.
    request.on('error', () => {});
    response.on('error', () => {});
    response.on('close', () => {
      this.#uploads.delete(exchange);
      exchange.abort();
    });
    this.#uploads.set(exchange, context.admission.nowMs());
    exchange.begin(readHead(request), needsSource(context) ? authSource(request) : undefined);
    request.on('data', (chunk: Buffer) => exchange.data(chunk, true));
    request.on('end', () => {
      this.#uploads.delete(exchange);
      exchange.end();
    });
  }

  #sweepUploads(): void {
    const nowMs = this.#settings.exchange.admission.nowMs();
    for (const [exchange, startedAtMs] of this.#uploads) exchange.expire(nowMs - startedAtMs);
  }
}

class NodeReplyPort implements HttpReplyPort {
  readonly #response: ServerResponse;
  readonly #writeTimeoutMs: number;

  constructor(response: ServerResponse, writeTimeoutMs: number) {
    this.#response = response;
    this.#writeTimeoutMs = writeTimeoutMs;
  }

  send(reply: HttpReply): void {
    const response = this.#response;
    const headers: string[] = [];
    for (const [name, value] of reply.headers) headers.push(name, value);
    headers.push('content-length', String(reply.body.byteLength));
    if (reply.closesConnection) headers.push('connection', 'close');
    response.writeHead(reply.status, headers);
    response.end(reply.body);
    // Nearly every answer fits the socket's buffer; only one that did not can be held up by its reader.
    if (!response.writableFinished && response.writableLength > 0) {
      response.setTimeout(this.#writeTimeoutMs, () => response.destroy());
    }
  }
}

function authSource(request: IncomingMessage): AuthSource {
  return {
    // Not `request.headers`: it keeps the first of two credentials, and a gateway before us may have checked the second.
    header: (name) => joinValues(rawHeaderValues(request.rawHeaders, name)),
    values: (name) => rawHeaderValues(request.rawHeaders, name),
    address: () => request.socket.remoteAddress ?? '',
  };
}

/** The raw list instead of node's header object, which costs more to build. */
function readHead(request: IncomingMessage): HttpRequestHead {
  const head = createHead(request.method ?? '', request.url ?? '');
  const raw = request.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) addHeader(head, raw[i]!, raw[i + 1]!);
  return head;
}
