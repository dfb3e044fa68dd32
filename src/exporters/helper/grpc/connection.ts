/** One HTTP/2 connection of a gRPC client: unary calls, and pings that find out when the other side is gone. */
import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { RESPONSE_BYTES_MAX } from '../../../otlp/status-decode.ts';
import type { TlsOptions, tlsPeerOptions } from '../../../stdx/tls-material.ts';
import type { KeepaliveConfig } from './config.ts';

export type ConnectionTls = TlsOptions & ReturnType<typeof tlsPeerOptions>;

export interface ConnectionOptions {
  at: { path: string } | { host: string; port: number };
  authority: string;
  /** undefined: plain text. */
  tls: ConnectionTls | undefined;
  keepalive: KeepaliveConfig | undefined;
}

/** What came back of a call that the server answered. */
export interface CallEnd {
  /** HTTP head, then trailers over it. */
  headers: http2.IncomingHttpHeaders;
  httpStatus: number;
  /** Frames of the response; undefined when they were more than RESPONSE_BYTES_MAX. */
  body: Buffer | undefined;
}

/** As in grpc-go: a peer that does not speak HTTP/2 in that time is not there. */
const CONNECT_TIMEOUT_MS = 20_000;
const PROBE_TIMEOUT_MS = 10_000;
/** Batches in flight are bounded by the sending queue; Node's own bound of 10 MB would refuse streams before. */
const SESSION_MEMORY_MB = 1024;
const { NGHTTP2_CANCEL } = http2.constants;

export class GrpcConnection {
  readonly #session: http2.ClientHttp2Session;
  #callCount = 0;
  #pingTimer: NodeJS.Timeout | undefined;
  #isPinging = false;

  private constructor(session: http2.ClientHttp2Session) {
    this.#session = session;
    session.once('close', () => clearInterval(this.#pingTimer));
  }

  /** Resolves once the server has sent its settings. @throws Error of the socket, of TLS or of HTTP/2. */
  static open(options: ConnectionOptions): Promise<GrpcConnection> {
    return new Promise((resolve, reject) => {
      const session = http2.connect(`http://${options.authority}`, {
        createConnection: () => openSocket(options),
        settings: { enablePush: false },
        maxSessionMemory: SESSION_MEMORY_MB,
      });
      const timer = setTimeout(() => {
        session.destroy(new Error(`no HTTP/2 within ${CONNECT_TIMEOUT_MS} ms`));
      }, CONNECT_TIMEOUT_MS);
      let failure: Error | undefined;
      session.on('error', (error) => {
        failure ??= error;
      });
      session.once('close', () => {
        clearTimeout(timer);
        reject(failure ?? new Error('the connection was closed'));
      });
      session.once('remoteSettings', () => {
        clearTimeout(timer);
        const connection = new GrpcConnection(session);
        if (options.keepalive !== undefined) connection.#keepAlive(options.keepalive);
        resolve(connection);
      });
    });
  }

  /** Whether it takes new calls; a server that goes away says so. */
  get isUsable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  /**
   * @param chunks of the request, framed; they must not change until the promise settles.
   * @throws Error when the stream ended before there was an answer.
   */
  call(
    headers: http2.OutgoingHttpHeaders,
    chunks: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<CallEnd> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request(headers);
      const answer = new AnswerReader(stream);
      const onAbort = () => {
        stream.close(NGHTTP2_CANCEL);
        this.#probe(PROBE_TIMEOUT_MS);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#callCount++;
      stream.once('close', () => {
        this.#callCount--;
        signal.removeEventListener('abort', onAbort);
        if (answer.isComplete) resolve(answer.end());
        else reject(answer.failure ?? new Error(`the stream ended without a status, code ${stream.rstCode}`));
      });
      stream.cork();
      for (const chunk of chunks) stream.write(chunk);
      stream.end();
      stream.uncork();
    });
  }

  /** Lets calls in flight end. */
  close(): void {
    this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
  }

  #keepAlive({ timeMs, timeoutMs, permitsWithoutStream }: KeepaliveConfig): void {
    this.#pingTimer = setInterval(() => {
      if (this.#callCount > 0 || permitsWithoutStream) this.#probe(timeoutMs);
    }, timeMs);
    this.#pingTimer.unref();
  }

  /** A connection that does not answer a ping is destroyed: later calls must not wait on it. */
  #probe(timeoutMs: number): void {
    if (this.#isPinging || this.#session.destroyed) return;
    this.#isPinging = true;
    const timer = setTimeout(() => {
      this.#session.destroy(new Error(`no answer to a ping within ${timeoutMs} ms`));
    }, timeoutMs);
    timer.unref();
    const isSent = this.#session.ping(() => {
      this.#isPinging = false;
      clearTimeout(timer);
    });
    if (!isSent) clearTimeout(timer);
  }
}

/** Collects the answer of one stream. */
class AnswerReader {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #httpStatus = 0;
  #headers: http2.IncomingHttpHeaders = {};
  failure: Error | undefined;

  constructor(stream: http2.ClientHttp2Stream) {
    stream.on('response', (headers) => {
      this.#httpStatus = headers[':status'] ?? 0;
      this.#headers = headers;
    });
    stream.on('trailers', (trailers) => {
      this.#headers = { ...this.#headers, ...trailers };
    });
    stream.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.byteLength;
      if (!this.#isTooLong) this.#chunks.push(chunk);
      else stream.close(NGHTTP2_CANCEL);
    });
    stream.on('end', () => {
      // The server has answered without reading everything, and may never read on.
      if (!stream.writableFinished) stream.close(NGHTTP2_CANCEL);
    });
    stream.on('error', (error) => {
      this.failure ??= error;
    });
  }

  get #isTooLong(): boolean {
    return this.#bytes > RESPONSE_BYTES_MAX;
  }

  get isComplete(): boolean {
    if (this.#isTooLong || this.#headers['grpc-status'] !== undefined) return true;
    // Something that is no gRPC server has answered.
    return this.#httpStatus !== 0 && this.#httpStatus !== 200;
  }

  end(): CallEnd {
    return {
      headers: this.#headers,
      httpStatus: this.#httpStatus,
      body: this.#isTooLong ? undefined : Buffer.concat(this.#chunks),
    };
  }
}

function openSocket({ at, tls: tlsOptions, authority }: ConnectionOptions): net.Socket {
  const where = 'path' in at ? at : { ...at, noDelay: true };
  if (tlsOptions === undefined) return net.connect(where);
  const host = new URL(`http://${authority}`).hostname.replace(/^\[|\]$/g, '');
  // An address cannot be asked for by name indication (RFC 6066, section 3).
  const servername = net.isIP(host) === 0 ? { servername: host } : {};
  return tls.connect({ ...where, ...servername, ...tlsOptions, ALPNProtocols: ['h2'] });
}
