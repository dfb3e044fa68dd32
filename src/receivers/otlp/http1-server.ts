/**
 * OTLP/HTTP over TLS, and in plain text where uWebSockets.js does not load: node's sockets, read into one buffer, with
 * our own reader of HTTP/1.1.
 *
 * node:https makes a buffer, a parser callback and a stream event of every TLS record of 16 KiB, thirteen for an
 * ordinary request; that took more processor time than the whole plain-text path.
 */
import { createServer as createPlainServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { bindFailed } from './bind.ts';
import { ConnectionTable } from './connection-table.ts';
import type { HttpServer, HttpServerSettings } from './http-server.ts';
import { ReplyEncoder } from './http1-answers.ts';
import { Http1Connection, type Http1Context } from './http1-connection.ts';
import { HEADERS_TIMEOUT_MS, KEEP_ALIVE_TIMEOUT_MS, REQUEST_TIMEOUT_MS, SEND_STALL_MS } from './limits.ts';
import type { ListenerTls } from './listener-tls.ts';
import { readInto } from './user-buffer.ts';

/** How late a time limit may be noticed. */
const SWEEP_MS = 1000;
/** A TLS record has 16 KiB; a plain socket gives what the kernel has. */
const READ_BYTES = 64 * 1024;

export class Http1Server implements HttpServer {
  readonly implementation = 'http1';
  readonly #settings: HttpServerSettings;
  readonly #context: Http1Context;
  readonly #sockets: ConnectionTable;
  readonly #connections = new Set<Http1Connection>();
  /** Shared by all connections: what is read is looked at before the next read. */
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  #server: Server | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;

  constructor(settings: HttpServerSettings) {
    this.#settings = settings;
    const { admission } = settings.exchange;
    const requestTimeoutMs = settings.readTimeoutMs || REQUEST_TIMEOUT_MS;
    const keepAliveTimeoutMs = settings.idleTimeoutMs || KEEP_ALIVE_TIMEOUT_MS;
    this.#context = {
      exchange: settings.exchange,
      encoder: new ReplyEncoder(() => admission.unixMs(), keepAliveTimeoutMs),
      headerTimeoutMs: Math.min(settings.readHeaderTimeoutMs || HEADERS_TIMEOUT_MS, requestTimeoutMs),
      requestTimeoutMs,
      keepAliveTimeoutMs,
      writeTimeoutMs: settings.writeTimeoutMs || SEND_STALL_MS,
    };
    this.#sockets = new ConnectionTable({
      perAddressMax: settings.connectionsPerAddressMax,
      refused: () => admission.metrics.countRefusedConnection('http', 'address_limit'),
    });
  }

  async start(): Promise<number> {
    const { host, port, connectionsMax, tls } = this.#settings;
    const server = tls === undefined ? this.#plainServer() : await this.#tlsServer(tls);
    this.#server = server;
    server.maxConnections = connectionsMax;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(bindFailed(host, port, error)));
      server.listen({ host, port }, resolve);
    });
    // A late error of the listening socket must not end the process; connections report their own.
    server.on('error', () => {});
    this.#sweepTimer = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweepTimer.unref();
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  stopListening(): void {
    this.#server?.close();
    for (const connection of this.#connections) connection.finish();
  }

  whenDrained(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return Promise.resolve();
    return new Promise((resolve) => server.close(() => resolve()));
  }

  close(): void {
    clearInterval(this.#sweepTimer);
    this.#server?.close();
    this.#sockets.destroyAll();
    this.#settings.tls?.stop();
    this.#server = undefined;
  }

  #plainServer(): Server {
    return createPlainServer({ noDelay: true }, (socket) => {
      if (this.#sockets.tryAdd(socket)) this.#serve(socket);
    });
  }

  async #tlsServer(tls: ListenerTls): Promise<Server> {
    const options = { ...(await tls.load()), ALPNProtocols: ['http/1.1'], noDelay: true };
    const server = createTlsServer(options, (socket) => this.#serve(socket));
    tls.attach(server);
    const { metrics } = this.#settings.exchange.admission;
    server.on('connection', (socket: Socket) => this.#sockets.tryAdd(socket));
    server.on('tlsClientError', () => metrics.countRefusedConnection('http', 'tls'));
    return server;
  }

  #serve(socket: Socket): void {
    const connection = new Http1Connection(socket, this.#context);
    this.#connections.add(connection);
    // An error is followed by `close`.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#connections.delete(connection);
      connection.closed();
    });
    socket.on('drain', () => connection.goOn());
    readInto(socket, this.#readBuffer, (bytes) => connection.receive(bytes));
  }

  #sweep(): void {
    const nowMs = this.#settings.exchange.admission.nowMs();
    for (const connection of this.#connections) connection.sweep(nowMs);
  }
}
