/**
 * OTLP/gRPC on bare node:http2: unary calls of three methods need no more of gRPC than its framing and its
 * trailers, and windows that a library would not let us widen decide the speed of uploads.
 */
import type {
  Http2SecureServer,
  Http2Server,
  ServerHttp2Session,
  ServerHttp2Stream,
  ServerOptions,
} from 'node:http2';
import { createSecureServer, createServer } from 'node:http2';
import type { Socket } from 'node:net';
import { Prng } from '../../stdx/prng.ts';
import { bindFailed } from './bind.ts';
import { ConnectionTable } from './connection-table.ts';
import { GrpcCall, type GrpcCallContext } from './grpc-call.ts';
import { type GrpcKeepaliveConfig, GrpcSession } from './grpc-session.ts';
import {
  HEADER_BYTES_MAX,
  HEADER_COUNT_MAX,
  INVALID_FRAMES_MAX,
  OUTSTANDING_PINGS_MAX,
  REJECTED_STREAMS_MAX,
  RESET_BURST,
  RESET_RATE_PER_S,
  SESSION_MEMORY_MB,
  SETTINGS_ENTRIES_MAX,
  SWEEP_INTERVAL_MS,
  WINDOW_BYTES,
} from './limits.ts';
import type { ListenerTls } from './listener-tls.ts';

export interface GrpcServerSettings {
  host: string | undefined;
  /** 0: any free port. */
  port: number;
  concurrentStreamsMax: number;
  connectionsMax: number;
  connectionsPerAddressMax: number;
  /** undefined: plain text. */
  tls: ListenerTls | undefined;
  keepalive: GrpcKeepaliveConfig;
  call: GrpcCallContext;
}

type CallHeaders = Parameters<GrpcCall['begin']>[0];

export class GrpcServer {
  readonly #settings: GrpcServerSettings;
  readonly #sessions = new Map<ServerHttp2Session, GrpcSession>();
  readonly #nowMs: () => number;
  readonly #ages: Prng;
  readonly #drainWaiters: (() => void)[] = [];
  readonly #connections: ConnectionTable;
  #server: Http2Server | Http2SecureServer | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;

  constructor(settings: GrpcServerSettings) {
    this.#settings = settings;
    this.#nowMs = () => settings.call.admission.nowMs();
    this.#ages = new Prng(settings.port);
    const { metrics } = settings.call.admission;
    this.#connections = new ConnectionTable({
      perAddressMax: settings.connectionsPerAddressMax,
      refused: () => metrics.countRefusedConnection('grpc', 'address_limit'),
    });
  }

  get connectionCount(): number {
    return this.#sessions.size;
  }

  /**
   * Listens.
   * @returns the bound port.
   * @throws PipelineError START_FAILED when the address cannot be bound; it names the endpoint.
   */
  async start(): Promise<number> {
    const { host, port, connectionsMax, tls } = this.#settings;
    const server = await this.#createServer();
    this.#server = server;
    server.maxConnections = connectionsMax;
    // Runs before node's own listener, which makes the session of this socket and announces it at once.
    let accepted: Socket | undefined;
    server.prependListener(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      accepted = socket;
      socket.setNoDelay(true);
      socket.on('error', () => {});
    });
    server.on('connection', (socket: Socket) => this.#connections.tryAdd(socket));
    server.on('session', (session) => {
      if (accepted !== undefined) this.#openSession(session, accepted);
      accepted = undefined;
    });
    // Node gives the header lines as sent behind the flags, though its types do not know.
    server.on('stream', (stream: ServerHttp2Stream, headers: CallHeaders, ...more: unknown[]) => {
      this.#openCall(stream, headers, (more[1] ?? []) as string[]);
    });
    // Without its own listener an error of one connection would end the process.
    server.on('sessionError', () => {});
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(bindFailed(host, port, error)));
      server.listen({ host, port }, resolve);
    });
    server.on('error', () => {});
    this.#sweepTimer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
    this.#sweepTimer.unref();
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /** Accepts no new connection and sends GOAWAY on the open ones; their calls go on. Idempotent. */
  stopListening(): void {
    this.#server?.close();
    for (const session of this.#sessions.values()) session.goAway();
  }

  /** Resolves when the connections that were sent away have ended by themselves. */
  whenDrained(): Promise<void> {
    if (this.#sessions.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drainWaiters.push(resolve));
  }

  /** Closes every connection, answered or not. Idempotent. */
  close(): void {
    clearInterval(this.#sweepTimer);
    for (const session of this.#sessions.values()) session.destroy();
    this.#sessions.clear();
    this.#connections.destroyAll();
    this.#settings.tls?.stop();
    this.#server = undefined;
  }

  async #createServer(): Promise<Http2Server | Http2SecureServer> {
    const { tls } = this.#settings;
    if (tls === undefined) return createServer(this.#serverOptions());
    const server = createSecureServer({ ...this.#serverOptions(), ...(await tls.load()), allowHTTP1: false });
    tls.attach(server);
    const { metrics } = this.#settings.call.admission;
    server.on('tlsClientError', () => metrics.countRefusedConnection('grpc', 'tls'));
    // A client that agreed on no protocol, or on another than HTTP/2.
    server.on('unknownProtocol', (socket) => {
      metrics.countRefusedConnection('grpc', 'tls');
      socket.destroy();
    });
    return server;
  }

  #serverOptions(): ServerOptions {
    return {
      streamResetBurst: RESET_BURST,
      streamResetRate: RESET_RATE_PER_S,
      maxSessionMemory: SESSION_MEMORY_MB,
      maxHeaderListPairs: HEADER_COUNT_MAX,
      maxOutstandingPings: OUTSTANDING_PINGS_MAX,
      maxSettings: SETTINGS_ENTRIES_MAX,
      maxSessionInvalidFrames: INVALID_FRAMES_MAX,
      maxSessionRejectedStreams: REJECTED_STREAMS_MAX,
      settings: {
        enablePush: false,
        initialWindowSize: WINDOW_BYTES,
        maxConcurrentStreams: this.#settings.concurrentStreamsMax,
        maxHeaderListSize: HEADER_BYTES_MAX,
        headerTableSize: 4096,
      },
    };
  }

  #openSession(session: ServerHttp2Session, socket: Socket): void {
    // Ages differ by up to a tenth either way, so that clients do not all come back at once.
    const ageFactor = 0.9 + this.#ages.nextFloat() * 0.2;
    const opened = new GrpcSession(session, socket, this.#settings.keepalive, this.#nowMs, ageFactor);
    this.#sessions.set(session, opened);
    session.on('close', () => this.#closeSession(session));
  }

  #closeSession(session: ServerHttp2Session): void {
    this.#sessions.delete(session);
    if (this.#sessions.size > 0) return;
    for (const resolve of this.#drainWaiters.splice(0)) resolve();
  }

  #openCall(stream: ServerHttp2Stream, headers: CallHeaders, rawHeaders: readonly string[]): void {
    const session =
      stream.session === undefined ? undefined : this.#sessions.get(stream.session as ServerHttp2Session);
    if (session === undefined) {
      stream.on('error', () => {});
      stream.close();
      return;
    }
    const call = new GrpcCall(this.#settings.call, session, stream, this.#nowMs());
    session.callOpened(call);
    call.begin(headers, rawHeaders);
  }

  #sweep(): void {
    const nowMs = this.#nowMs();
    for (const session of this.#sessions.values()) session.sweep(nowMs);
  }
}
