/** POST over a pool of keep-alive connections. The only file that uses undici. */
import type { Dispatcher } from 'undici';
import type { TlsOptions, tlsPeerOptions } from '../../stdx/tls-material.ts';

export interface HttpClientOptions {
  url: URL;
  /** 0: no limit. */
  connectionsMax: number;
  /** 0: for ever. */
  idleTimeoutMs: number;
  disablesKeepAlives: boolean;
  /** undefined: as the environment says. */
  proxyUrl: string | undefined;
}

export type HttpTls = TlsOptions & ReturnType<typeof tlsPeerOptions>;

export interface HttpAnswer {
  status: number;
  contentType: string;
  contentEncoding: string;
  retryAfter: string | undefined;
  /** Undefined when it was longer than allowed, or broke off. */
  body: Uint8Array | undefined;
  isTooLong: boolean;
}

/** How much of a body is read; connections with longer ones are closed. */
export type BodyLimit = (status: number) => number;

const CONNECT_TIMEOUT_MS = 30_000;
const KEEP_FOREVER_MS = 2 ** 31 - 1;
const LOOPBACK_HOST = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

export class HttpClient {
  readonly #undici: typeof import('undici');
  readonly #options: HttpClientOptions;
  #dispatcher: Dispatcher;

  private constructor(undici: typeof import('undici'), options: HttpClientOptions, tls: HttpTls) {
    this.#undici = undici;
    this.#options = options;
    this.#dispatcher = createDispatcher(undici, options, tls);
  }

  /** Loads the library; connects nowhere. */
  static async open(options: HttpClientOptions, tls: HttpTls): Promise<HttpClient> {
    return new HttpClient(await import('undici'), options, tls);
  }

  /** New connections use this; requests in flight end on theirs. */
  setTls(tls: HttpTls): void {
    const before = this.#dispatcher;
    this.#dispatcher = createDispatcher(this.#undici, this.#options, tls);
    before.close().catch(() => undefined);
  }

  /**
   * Never follows a redirect, never repeats a request.
   *
   * @param chunks must not change until the promise settles.
   * @throws whatever the connection fails with before the head of an answer is there.
   */
  async post(
    headers: Readonly<Record<string, string>>,
    chunks: readonly Uint8Array[],
    limit: BodyLimit,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const {
      statusCode,
      headers: got,
      body,
    } = await this.#undici.request(this.#options.url, {
      dispatcher: this.#dispatcher,
      method: 'POST',
      headers,
      // Any iterable is a body, which the type does not say: the chunks are written one by one, without a copy.
      body: chunks.length === 1 ? chunks[0]! : (chunks as unknown as Uint8Array),
      signal,
    });
    return {
      status: statusCode,
      contentType: one(got['content-type']) ?? '',
      contentEncoding: one(got['content-encoding']) ?? '',
      retryAfter: one(got['retry-after']),
      ...(await readBody(body, limit(statusCode))),
    };
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }
}

function createDispatcher(
  undici: typeof import('undici'),
  options: HttpClientOptions,
  tls: HttpTls,
): Dispatcher {
  const { url, connectionsMax, idleTimeoutMs, disablesKeepAlives, proxyUrl } = options;
  const keepAliveMs = idleTimeoutMs === 0 ? KEEP_FOREVER_MS : idleTimeoutMs;
  const connect = { ...tls, timeout: CONNECT_TIMEOUT_MS };
  const shared = {
    connections: connectionsMax === 0 ? null : connectionsMax,
    // 0 closes every connection after its request.
    pipelining: disablesKeepAlives ? 0 : 1,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    // One attempt is bounded by its signal.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const proxied = { ...shared, requestTls: connect, proxyTunnel: false };
  if (proxyUrl !== undefined) return new undici.ProxyAgent({ ...proxied, uri: proxyUrl });
  if (LOOPBACK_HOST.test(url.hostname)) return new undici.Agent({ ...shared, connect });
  return new undici.EnvHttpProxyAgent({ ...proxied, connect });
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

async function readBody(
  body: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<Pick<HttpAnswer, 'body' | 'isTooLong'>> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const chunk of body) {
      total += chunk.byteLength;
      // Leaving the loop destroys the stream and its connection.
      if (total > bytesMax) return { body: undefined, isTooLong: true };
      chunks.push(chunk);
    }
  } catch {
    // The status is known, and it decides: what a broken or slow body would have said comes too late.
    return { body: undefined, isTooLong: false };
  }
  return { body: chunks.length === 1 ? chunks[0] : Buffer.concat(chunks), isTooLong: false };
}
