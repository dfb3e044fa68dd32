/**
 * The seam between OTLP/HTTP and the program that reads sockets: uWebSockets.js where its native build loads,
 * node:http everywhere, our own reader of HTTP/1.1 for TLS. A server turns its own events into calls of HttpExchange and writes one HttpReply.
 */
import type { HttpExchangeContext } from './http-exchange.ts';
import type { ListenerTls } from './listener-tls.ts';

/** What an exchange needs of the request line and headers. Header values as sent, '' when absent. */
export interface HttpRequestHead {
  /** Upper case. */
  method: string;
  /** Without the query. */
  path: string;
  headerCount: number;
  contentType: string;
  contentEncoding: string;
  /** -1 when the client did not announce it (chunked). */
  contentLengthBytes: number;
  transferEncoding: string;
  /** More than one Content-Length: nobody can say where the body ends. */
  hasTwoLengths: boolean;
  /** Only looked at when CORS is configured. */
  origin: string;
  requestMethod: string;
  /** Of W3C Trace Context: who caused the request. */
  traceParent: string;
}

/** One complete answer; `content-length` is added by the server. */
export interface HttpReply {
  status: number;
  /** Lower-case names, in order, content type included. */
  headers: readonly (readonly [string, string])[];
  body: Uint8Array;
  /** The connection shall not be used again once the answer is sent. */
  closesConnection: boolean;
  /** Nobody can say where the next request starts: not a byte more may be read, even if the answer is lost. */
  isFramingLost?: boolean;
}

/** Writes the answer of one request. */
export interface HttpReplyPort {
  /** Called at most once, never after the exchange was aborted. */
  send(reply: HttpReply): void;
}

export interface HttpServerSettings {
  host: string | undefined;
  /** 0: any free port. */
  port: number;
  /** 0: the default of limits.ts. */
  readHeaderTimeoutMs: number;
  readTimeoutMs: number;
  writeTimeoutMs: number;
  idleTimeoutMs: number;
  connectionsMax: number;
  /** Bound by address; uWebSockets.js does not know addresses when it accepts. */
  connectionsPerAddressMax: number;
  /** undefined: plain text. Only Http1Server knows TLS. */
  tls: ListenerTls | undefined;
  exchange: HttpExchangeContext;
}

export interface HttpServer {
  readonly implementation: 'uws' | 'node' | 'http1';
  /**
   * Listens.
   * @returns the bound port.
   * @throws PipelineError START_FAILED when the address cannot be bound; it names the endpoint.
   */
  start(): Promise<number>;
  /** Accepts no new connection; open ones go on. Idempotent. */
  stopListening(): void;
  /** Resolves when the answers that were sent have left the process; for after `stopListening`. */
  whenDrained(): Promise<void>;
  /** Closes every connection, answered or not. Idempotent. */
  close(): void;
}
