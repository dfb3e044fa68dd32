import { type ClientAuthenticator, findClientAuthenticator } from '../../component/auth.ts';
import type { ClientContext } from '../../component/client-context.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter, ExportReceipt } from '../../component/exporter.ts';
import type { ComponentSettings, Labels } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { redactEndpoint } from '../../config/host-port.ts';
import type { ExportResult, RpcStatus } from '../../otlp/status.ts';
import {
  decodeExportResponse,
  decodeExportResponseJson,
  decodeStatus,
  decodeStatusJson,
  RESPONSE_BYTES_MAX,
} from '../../otlp/status-decode.ts';
import { userAgent } from '../../stdx/product.ts';
import { TlsMaterial, tlsPeerOptions } from '../../stdx/tls-material.ts';
import { bodyCompressor, type CompressBody, totalBytes } from '../helper/body-compression.ts';
import { attemptHeaders } from '../helper/client-auth.ts';
import { jsonBody } from '../helper/json-body.ts';
import { acceptAnswer, connectionError, httpError, timeoutError } from '../helper/otlp-answers.ts';
import { mergeHeaders } from '../helper/request-headers.ts';
import { HttpClientMetrics, serverLabels } from './client-metrics.ts';
import { type OtlpHttpConfig, signalUrl } from './config.ts';
import { type HttpAnswer, HttpClient } from './http-client.ts';

const CONTENT_TYPES = { proto: 'application/x-protobuf', json: 'application/json' } as const;
/** Of an error's text; what is longer is no status. */
const ERROR_BYTES_MAX = 64 * 1024;
const NOTHING_REJECTED: ExportResult = { rejectedCount: 0, message: '' };

/** Sends batches of one signal to one URL. */
export class OtlpHttpExporter implements Exporter {
  readonly peerLabels: Labels;
  readonly #settings: ComponentSettings;
  readonly #config: OtlpHttpConfig;
  readonly #signal: Signal;
  readonly #url: URL;
  /** For messages. */
  readonly #peer: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fixedHeaders: Readonly<Record<string, string>>;
  readonly #tls: TlsMaterial;
  readonly #compress: CompressBody;
  readonly #metrics: HttpClientMetrics;
  #client: HttpClient | undefined;
  #auth: ClientAuthenticator | undefined;

  /** @throws PipelineError CONFIG_INVALID when nothing says where this signal goes. */
  constructor(settings: ComponentSettings, config: OtlpHttpConfig, signal: Signal) {
    const url = signalUrl(config, signal);
    if (url === undefined) {
      throw new PipelineError(
        'CONFIG_INVALID',
        `${settings.id}: either endpoint or ${signal}_endpoint must be specified`,
        { permanent: true },
      );
    }
    this.#settings = settings;
    this.#config = config;
    this.#signal = signal;
    this.#peer = redactEndpoint(url);
    this.#url = new URL(url);
    this.#headers = requestHeaders(config, this.#url);
    this.#fixedHeaders = pick(this.#headers, ['content-type', 'content-encoding']);
    this.#url.username = '';
    this.#url.password = '';
    this.peerLabels = { ...serverLabels(this.#url), url_path: this.#url.pathname };
    this.#metrics = new HttpClientMetrics(settings.meter, this.#url);
    this.#tls = new TlsMaterial(config.tls);
    this.#compress = bodyCompressor(config.compression || 'none', config.compressionParams.level);
  }

  /** Reads certificates; connects with the first batch. @throws PipelineError START_FAILED. */
  async start(): Promise<void> {
    const { tls, auth } = this.#config;
    const { logger } = this.#settings;
    const peer = tlsPeerOptions(tls);
    if (auth !== undefined) this.#auth = await findClientAuthenticator(this.#settings, auth.authenticator);
    try {
      const options = await this.#tls.start(
        (changed) => this.#client?.setTls({ ...changed, ...peer }),
        (error) => logger.error('the changed TLS files are not used', { error: error.message }),
      );
      this.#client = await HttpClient.open({ ...this.#config, url: this.#url }, { ...options, ...peer });
    } catch (error) {
      throw new PipelineError('START_FAILED', `${this.#settings.id}: ${(error as Error).message}`, {
        permanent: true,
        cause: error,
      });
    }
  }

  async shutdown(): Promise<void> {
    this.#tls.stop();
    await this.#client?.close();
    this.#client = undefined;
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<ExportReceipt> {
    const isJson = this.#config.encoding === 'json';
    const body = await this.#compress(isJson ? await jsonBody(batch) : batch.slices);
    const answer = await this.#post(body, batch.client, signal);
    if (answer.status < 200 || answer.status > 299) throw this.#failure(answer);
    return acceptAnswer(batch, this.#settings.logger, () => this.#readResult(answer));
  }

  async #post(
    body: readonly Uint8Array[],
    sender: ClientContext | undefined,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const client = this.#client;
    if (client === undefined || signal.aborted) throw timeoutError(this.#peer);
    const requestBytes = totalBytes(body);
    const fixed = { ...this.#fixedHeaders, 'content-length': String(requestBytes) };
    const headers = await attemptHeaders(this.#auth, this.#headers, fixed, sender);
    const { clock } = this.#settings;
    const startedMs = clock.monotonicMs();
    try {
      const answer = await client.post(headers, body, bodyLimit, signal);
      this.#metrics.record(answer.status, clock.monotonicMs() - startedMs, requestBytes);
      return answer;
    } catch (error) {
      const kind = signal.aborted ? 'timeout' : 'connection';
      this.#metrics.record(kind, clock.monotonicMs() - startedMs, requestBytes);
      throw signal.aborted ? timeoutError(this.#peer) : connectionError(this.#peer, error);
    }
  }

  #readResult({ body, isTooLong, contentType, contentEncoding }: HttpAnswer): ExportResult {
    if (isTooLong) throw new Error(`it is longer than ${RESPONSE_BYTES_MAX} bytes`);
    if (body === undefined) throw new Error('it broke off');
    if (body.length === 0) return NOTHING_REJECTED;
    // None was asked for, and a small text may inflate without end.
    if (contentEncoding !== '' && contentEncoding !== 'identity') throw new Error('it is compressed');
    if (contentType.startsWith(CONTENT_TYPES.proto)) return decodeExportResponse(body);
    if (contentType.startsWith(CONTENT_TYPES.json)) return decodeExportResponseJson(this.#signal, body);
    return NOTHING_REJECTED;
  }

  #failure(answer: HttpAnswer): PipelineError {
    const { status, retryAfter } = answer;
    const failed = { url: this.#peer, status, retryAfter, details: readDetails(answer) };
    return httpError(failed, this.#settings.clock.unixMs());
  }
}

function pick(headers: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => names.includes(name)));
}

function bodyLimit(status: number): number {
  return status >= 200 && status <= 299 ? RESPONSE_BYTES_MAX : ERROR_BYTES_MAX;
}

function readDetails({ body, contentType, contentEncoding }: HttpAnswer): RpcStatus | undefined {
  if (body === undefined || body.length === 0 || contentEncoding !== '') return undefined;
  try {
    if (contentType.startsWith(CONTENT_TYPES.proto)) return decodeStatus(body);
    if (contentType.startsWith(CONTENT_TYPES.json)) return decodeStatusJson(body);
  } catch {
    // The status code decides, whatever the body is.
  }
  return undefined;
}

function requestHeaders(config: OtlpHttpConfig, url: URL): Record<string, string> {
  const { compression, encoding } = config;
  const own: Record<string, string> = {
    'content-type': CONTENT_TYPES[encoding],
    'user-agent': userAgent(),
  };
  if (compression !== '' && compression !== 'none') own['content-encoding'] = compression;
  if (url.username !== '') {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    own.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
  }
  return mergeHeaders(own, config.headers);
}
