/** A small HTTP server for the pages of one extension. Loopback unless configured; nothing here is authenticated. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { PipelineError } from '../../component/errors.ts';
import { parseHostPort } from '../../config/host-port.ts';

const BASE = 'http://localhost';
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const CONNECTIONS_MAX = 64;

export interface PageReply {
  status: number;
  contentType: string;
  headers?: Readonly<Record<string, string>>;
  /** Text, or its parts as they come. */
  body: string | AsyncIterable<string>;
}

/** @param signal aborted when the client has gone. */
export type AnswerPage = (url: URL, signal: AbortSignal) => PageReply | Promise<PageReply>;

export function textReply(status: number, body: string): PageReply {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

export class PageServer {
  readonly #id: string;
  readonly #endpoint: string;
  readonly #server: Server;

  /** @param endpoint `host:port` of the configuration of the extension `id`. */
  constructor(id: string, endpoint: string, answer: AnswerPage) {
    this.#id = id;
    this.#endpoint = endpoint;
    this.#server = createServer((request, response) => void serve(request, response, answer));
    this.#server.headersTimeout = HEADERS_TIMEOUT_MS;
    this.#server.requestTimeout = REQUEST_TIMEOUT_MS;
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Bound port, known after `start`. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** @throws PipelineError START_FAILED naming the extension and the address. */
  async start(): Promise<void> {
    const { host, port } = parseHostPort(this.#endpoint)!;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const message = `extension ${this.#id}: cannot listen on ${this.#endpoint}: ${cause.code}`;
        reject(new PipelineError('START_FAILED', message, { permanent: true, cause }));
      });
      this.#server.listen(host === '' ? { port } : { port, host }, resolve);
    });
    // A late error of the listening socket must not end the process.
    this.#server.on('error', () => {});
  }

  /** Idempotent; whatever is still being sent is cut. */
  async shutdown(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, answer: AnswerPage): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  request.resume();
  const { method, url: target = '' } = request;
  try {
    if (method !== 'GET' && method !== 'HEAD') {
      await send(
        response,
        { ...textReply(405, 'method not allowed\n'), headers: { allow: 'GET, HEAD' } },
        true,
      );
    } else if (!URL.canParse(target, BASE))
      await send(response, textReply(400, 'bad request target\n'), true);
    else await send(response, await answer(new URL(target, BASE), gone.signal), method === 'GET');
  } catch {
    if (response.headersSent) response.destroy();
    else await send(response, textReply(500, 'the page could not be made\n'), true);
  }
}

async function send(response: ServerResponse, reply: PageReply, hasBody: boolean): Promise<void> {
  const { status, contentType, headers, body } = reply;
  const head = { 'content-type': contentType, 'cache-control': 'no-store', ...headers };
  if (typeof body === 'string') {
    response.writeHead(status, { ...head, 'content-length': Buffer.byteLength(body) });
    response.end(hasBody ? body : undefined);
    return;
  }
  response.writeHead(status, head);
  for await (const part of body) {
    if (response.destroyed) return;
    if (!response.write(part)) {
      await new Promise<void>((resolve) => {
        response.once('drain', resolve);
        response.once('close', resolve);
      });
    }
  }
  response.end();
}
