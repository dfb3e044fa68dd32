import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import { TlsMaterial, tlsPeerOptions } from '../../stdx/tls-material.ts';
import type { TlsClientSettings } from '../../stdx/tls-settings.ts';
import { clickhouseCode, INSERT_WAS_DEDUPLICATED, toPipelineError } from './insert-errors.ts';

/** How insert bodies are compressed on the wire. */
export type BodyCompression = 'none' | 'gzip' | 'zstd';

export interface InsertClientOptions {
  /** `http://host:port`, without user information. */
  url: string;
  username: string;
  password: string;
  compression: BodyCompression;
  /** Sent with every statement. */
  settings: Readonly<Record<string, string>>;
  /** Sockets kept at most. */
  connectionsMax: number;
  /** Of `https` URLs. */
  tls: TlsClientSettings;
  /** Changed files cannot be used; the connections go on with what was read before. */
  onTlsTrouble?: (error: Error) => void;
}

/** Self-hosted servers close idle sockets after 10 s, the cloud after 3 s: ours must be gone before. */
const IDLE_SOCKET_TTL_MS = 2_500;
/** Attempts are bounded by their AbortSignal; this only catches a socket that nobody watches. */
const SOCKET_TIMEOUT_MS = 15 * 60_000;
/** Long inserts announce progress in headers, which outgrow Node's own limit. */
const RESPONSE_HEADERS_BYTES_MAX = 256 * 1024;
const GZIP_LEVEL = 1;
const ZSTD_LEVEL = 1;

/** Whether this Node.js can compress with zstd. */
export const HAS_ZSTD = typeof zlib.createZstdCompress === 'function';

const INSERT_SETTINGS: ClickHouseSettings = {
  // The batch is the unit: the server must not merge it with others, and must answer when it is written.
  async_insert: 0,
  wait_end_of_query: 1,
  materialized_views_ignore_errors: 0,
  // One record with a wrong clock must not make a whole batch impossible to store.
  throw_on_max_partitions_per_insert_block: 0,
};

/** The only user of @clickhouse/client: statements and Native inserts over HTTP. Errors are PipelineErrors. */
export class InsertClient {
  readonly #client: ClickHouseClient;
  readonly #compression: BodyCompression;
  readonly #tls: TlsMaterial | undefined;

  private constructor(client: ClickHouseClient, compression: BodyCompression, tls: TlsMaterial | undefined) {
    this.#client = client;
    this.#compression = compression;
    this.#tls = tls;
  }

  /** Loads the client library and certificates; connects nowhere. @throws TlsMaterialError. */
  static async open(options: InsertClientOptions): Promise<InsertClient> {
    const { createClient } = await import('@clickhouse/client');
    const tls = options.url.startsWith('https:') ? new TlsMaterial(options.tls) : undefined;
    const client = createClient({
      url: options.url,
      username: options.username,
      password: options.password,
      application: 'millrace',
      request_timeout: SOCKET_TIMEOUT_MS,
      max_open_connections: options.connectionsMax,
      max_response_headers_size: RESPONSE_HEADERS_BYTES_MAX,
      keep_alive: { idle_socket_ttl: IDLE_SOCKET_TTL_MS, eagerly_destroy_stale_sockets: true },
      clickhouse_settings: { ...options.settings },
      // The library's own lines would bypass the engine's logger; every failure reaches the caller as an error.
      log: { level: 127 },
      ...(tls === undefined ? {} : await tlsOptions(tls, options)),
    });
    return new InsertClient(client, options.compression, tls);
  }

  /**
   * Sends one or more Native blocks and waits until the server has written them.
   *
   * @param statement `INSERT INTO ... FORMAT Native`.
   * @param chunks body in order; must not change until the promise settles.
   * @param token repeats with the same token are discarded by the server.
   * @throws PipelineError permanent or retryable.
   */
  async insert(
    statement: string,
    chunks: readonly Uint8Array[],
    token: string,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#attempt(signal, async () => {
      const { stream } = await this.#client.exec({
        query: statement,
        values: this.#body(chunks),
        abort_signal: signal,
        clickhouse_settings: { ...INSERT_SETTINGS, insert_deduplication_token: token },
        ...(this.#compression === 'none' ? {} : { http_headers: { 'Content-Encoding': this.#compression } }),
      });
      await drain(stream);
    });
  }

  async #attempt<T>(signal: AbortSignal, send: () => Promise<T>): Promise<T | undefined> {
    // The library waits for an abort to come and would not see one that has been.
    if (signal.aborted) throw toPipelineError(signal.reason, true);
    try {
      return await send();
    } catch (error) {
      if (clickhouseCode(error) === INSERT_WAS_DEDUPLICATED) return undefined;
      throw toPipelineError(error, signal.aborted);
    }
  }

  #body(chunks: readonly Uint8Array[]): Readable {
    const source = Readable.from(chunks);
    if (this.#compression === 'none') return source;
    const compressor =
      this.#compression === 'zstd'
        ? zlib.createZstdCompress({ params: { [zlib.constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } })
        : zlib.createGzip({ level: GZIP_LEVEL });
    // A broken request destroys the compressor; the chunks behind it are plain memory and need no closing.
    return source.pipe(compressor);
  }

  /** Runs a statement without a result. @throws PipelineError. */
  async command(statement: string, signal: AbortSignal): Promise<void> {
    await this.#attempt(signal, () =>
      this.#client.command({
        query: statement,
        abort_signal: signal,
        clickhouse_settings: { wait_end_of_query: 1 },
      }),
    );
  }

  /** Rows of a small result as objects. @throws PipelineError. */
  async query<T>(statement: string, signal: AbortSignal): Promise<T[]> {
    const rows = await this.#attempt(signal, async () => {
      const result = await this.#client.query({
        query: statement,
        format: 'JSONEachRow',
        abort_signal: signal,
      });
      return result.json<T>();
    });
    return rows ?? [];
  }

  async close(): Promise<void> {
    this.#tls?.stop();
    await this.#client.close();
  }
}

/** Reads the response to its end, because a socket with an unread response is lost to the pool. */
async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _chunk of stream);
}

/** The agent's options count for connections from their change on; those that are open end with their work. */
async function tlsOptions(tls: TlsMaterial, options: InsertClientOptions) {
  const https = await import('node:https');
  const loaded = await tls.start(
    (changed) => Object.assign(agent.options, changed),
    (error) => options.onTlsTrouble?.(error),
  );
  const agent = new https.Agent({
    keepAlive: true,
    maxSockets: options.connectionsMax,
    timeout: SOCKET_TIMEOUT_MS,
    ...loaded,
    ...tlsPeerOptions(options.tls),
  });
  return { http_agent: agent, set_basic_auth_header: true };
}
