/** A small HTTP server for the pages of one extension. Loopback and open to everybody there unless configured. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import { parseHostPort } from '../../config/host-port.ts';
import { CorsPolicy } from '../../stdx/cors-policy.ts';
import { TlsMaterial, TlsMaterialError } from '../../stdx/tls-material.ts';
import type { TlsServerSettings } from '../../stdx/tls-settings.ts';
import { PageAuth } from './page-auth.ts';
import type { PageServerConfig } from './page-config.ts';

const BASE = 'http://localhost';
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const CONNECTIONS_MAX = 64;
const METHODS = ['GET', 'HEAD'];

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
  readonly #settings: ComponentSettings;
  readonly #config: PageServerConfig;
  readonly #answer: AnswerPage;
  readonly #auth: PageAuth | undefined;
  readonly #cors: CorsPolicy | undefined;
  #server: Server | SecureServer | undefined;
  #material: TlsMaterial | undefined;

  constructor(settings: ComponentSettings, config: PageServerConfig, answer: AnswerPage) {
    this.#settings = settings;
    this.#config = config;
    this.#answer = answer;
    const { auth, cors } = config;
    this.#auth = auth === undefined ? undefined : new PageAuth(settings, auth.authenticator);
    this.#cors = cors === undefined ? undefined : new CorsPolicy(cors, METHODS);
  }

  /** Bound port, known after `start`. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** @throws PipelineError START_FAILED naming the extension and the address. */
  async start(): Promise<void> {
    const { endpoint, tls } = this.#config;
    const { host, port } = parseHostPort(endpoint)!;
    const server = await this.#create(tls);
    this.#server = server;
    server.headersTimeout = HEADERS_TIMEOUT_MS;
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(this.#startFailed(`cannot listen on ${endpoint}: ${cause.code}`, cause));
      });
      server.listen(host === '' ? { port } : { port, host }, resolve);
    });
    // A late error of the listening socket must not end the process.
    server.on('error', () => {});
  }

  /** Idempotent; whatever is still being sent is cut. */
  async shutdown(): Promise<void> {
    this.#material?.stop();
    const server = this.#server;
    if (server === undefined || !server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  async #create(tls: TlsServerSettings | undefined): Promise<Server | SecureServer> {
    const serve = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    if (tls === undefined) return createServer(serve);
    const { logger } = this.#settings;
    const material = new TlsMaterial(tls);
    this.#material = material;
    let server: SecureServer | undefined;
    try {
      const options = await material.start(
        (changed) => server?.setSecureContext(changed),
        (error) => logger.error('the TLS files cannot be used; the old ones stay', { error: error.message }),
      );
      const asksClient = tls.clientCaFile !== undefined;
      const asking = { requestCert: asksClient, rejectUnauthorized: asksClient };
      server = createSecureServer({ ...options, ...asking, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }, serve);
      return server;
    } catch (error) {
      if (error instanceof TlsMaterialError) throw this.#startFailed(`tls: ${error.message}`, error);
      throw error;
    }
  }

  #startFailed(reason: string, cause: unknown): PipelineError {
    const message = `extension ${this.#settings.id}: ${reason}`;
    return new PipelineError('START_FAILED', message, { permanent: true, cause });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    request.resume();
    try {
      for (const [name, value] of this.#alwaysHeaders(request.headers.origin))
        response.setHeader(name, value);
      const reply = await this.#reply(request, gone.signal);
      await send(response, reply, request.method !== 'HEAD');
    } catch {
      if (response.headersSent) response.destroy();
      else await send(response, textReply(500, 'the page could not be made\n'), true);
    }
  }

  #alwaysHeaders(origin: string | undefined): readonly (readonly [string, string])[] {
    const own = Object.entries(this.#config.responseHeaders);
    return origin === undefined ? own : [...own, ...(this.#cors?.responseHeaders(origin) ?? [])];
  }

  async #reply(
    { method = '', url: target = '', headers }: IncomingMessage,
    gone: AbortSignal,
  ): Promise<PageReply> {
    const { origin } = headers;
    const isPreflight = headers['access-control-request-method'] !== undefined;
    if (method === 'OPTIONS' && origin !== undefined && isPreflight && this.#cors !== undefined) {
      return { ...textReply(204, ''), headers: Object.fromEntries(this.#cors.preflightHeaders(origin)) };
    }
    const verdict = await this.#auth?.check((name) => joined(headers[name]));
    if (verdict !== undefined && !verdict.isAllowed) {
      const { status, message, challenge } = verdict;
      const reply = textReply(status, `${message}\n`);
      return challenge === '' ? reply : { ...reply, headers: { 'www-authenticate': challenge } };
    }
    if (!METHODS.includes(method))
      return { ...textReply(405, 'method not allowed\n'), headers: { allow: METHODS.join(', ') } };
    if (!URL.canParse(target, BASE)) return textReply(400, 'bad request target\n');
    return this.#answer(new URL(target, BASE), gone);
  }
}

function joined(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
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
