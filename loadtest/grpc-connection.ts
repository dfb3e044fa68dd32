/** OTLP/gRPC over one bare HTTP/2 session; a unary call is a stream with one framed message. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { Connection, ConnectionSettings, Outcome, Ticket } from './connection.ts';
import { RECONNECT_MS } from './connection.ts';

/** Room for answers; uploads are bound by the window that the server grants. */
const WINDOW_BYTES = 8 * 1024 * 1024;
const GRPC_PREFIX_BYTES = 5;
const STATUS_NAMES: Readonly<Record<string, string>> = {
  '3': 'INVALID_ARGUMENT',
  '4': 'DEADLINE_EXCEEDED',
  '8': 'RESOURCE_EXHAUSTED',
  '12': 'UNIMPLEMENTED',
  '13': 'INTERNAL',
  '14': 'UNAVAILABLE',
};

interface Call {
  readonly ticket: Ticket;
  readonly stream: ClientHttp2Stream;
  httpStatus: number;
  grpcStatus: string | undefined;
  bodyBytes: number;
  isDone: boolean;
}

function outcomeOf(call: Call): [Outcome, string] {
  if (call.grpcStatus === undefined) {
    return call.httpStatus === 0 ? ['failed', 'stream closed'] : ['refused', `HTTP ${call.httpStatus}`];
  }
  if (call.grpcStatus !== '0') return ['refused', `gRPC ${STATUS_NAMES[call.grpcStatus] ?? call.grpcStatus}`];
  return call.bodyBytes > GRPC_PREFIX_BYTES + 2 ? ['refused', 'partial success'] : ['acked', ''];
}

export class GrpcConnection implements Connection {
  readonly #settings: ConnectionSettings;
  readonly #headers: Record<string, string>;
  readonly #calls = new Set<Call>();
  #session: ClientHttp2Session | undefined;
  #isOpen = false;
  #isClosed = false;
  #reconnect: NodeJS.Timeout | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#headers = {
      ':method': 'POST',
      ':path': settings.path,
      ':scheme': settings.isTls ? 'https' : 'http',
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      'user-agent': 'millrace-loadtest',
      ...(settings.contentEncoding === '' ? {} : { 'grpc-encoding': settings.contentEncoding }),
    };
  }

  header(bodyBytes: number): Buffer {
    const prefix = Buffer.alloc(GRPC_PREFIX_BYTES);
    prefix[0] = this.#settings.contentEncoding === '' ? 0 : 1;
    prefix.writeUInt32BE(bodyBytes, 1);
    return prefix;
  }

  isOpen(): boolean {
    return this.#isOpen;
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { host, port, isTls } = this.#settings;
      const session = connect(`${isTls ? 'https' : 'http'}://${host}:${port}`, {
        rejectUnauthorized: false,
        settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
      });
      this.#session = session;
      // The server's settings carry its windows: before they are known a large request would wait for them.
      session.once('remoteSettings', () => {
        this.#isOpen = true;
        resolve();
      });
      session.once('error', reject);
      session.on('goaway', () => {
        this.#isOpen = false;
      });
      session.once('close', () => this.#lost(session));
    });
  }

  send(ticket: Ticket, bytes: Buffer): void {
    const session = this.#session;
    if (session === undefined || session.closed || session.destroyed) {
      queueMicrotask(() => this.#settings.done(ticket, 'failed', 'connection lost'));
      return;
    }
    const stream = session.request(this.#headers, { endStream: false });
    const call: Call = { ticket, stream, httpStatus: 0, grpcStatus: undefined, bodyBytes: 0, isDone: false };
    this.#calls.add(call);
    stream.on('response', (headers) => {
      call.httpStatus = Number(headers[':status']);
      if (headers['grpc-status'] !== undefined) call.grpcStatus = String(headers['grpc-status']);
    });
    stream.on('data', (chunk: Buffer) => {
      call.bodyBytes += chunk.length;
    });
    stream.on('trailers', (trailers) => {
      if (trailers['grpc-status'] !== undefined) call.grpcStatus = String(trailers['grpc-status']);
    });
    stream.once('error', () => undefined);
    stream.once('close', () => this.#finish(call, ...outcomeOf(call)));
    stream.end(bytes);
  }

  expire(sentBeforeMs: number): void {
    for (const call of this.#calls) {
      if (call.ticket.sentMs < sentBeforeMs) {
        call.stream.close(constants.NGHTTP2_CANCEL);
        this.#finish(call, 'failed', 'timeout');
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#reconnect);
    this.#session?.destroy();
  }

  #finish(call: Call, outcome: Outcome, code: string): void {
    if (call.isDone) return;
    call.isDone = true;
    this.#calls.delete(call);
    this.#settings.done(call.ticket, outcome, code);
  }

  #lost(session: ClientHttp2Session): void {
    if (session !== this.#session) return;
    this.#isOpen = false;
    for (const call of this.#calls) this.#finish(call, 'failed', 'connection lost');
    if (this.#isClosed) return;
    this.#reconnect = setTimeout(() => {
      this.connect().then(this.#settings.reopened, () => undefined);
    }, RECONNECT_MS);
  }
}
