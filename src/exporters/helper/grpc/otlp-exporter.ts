import { type ClientAuthenticator, findClientAuthenticator } from '../../../component/auth.ts';
import type { ClientContext } from '../../../component/client-context.ts';
import { PipelineError } from '../../../component/errors.ts';
import type { ExportBatch, Exporter, ExportReceipt } from '../../../component/exporter.ts';
import type { ComponentSettings, Labels } from '../../../component/settings.ts';
import type { Signal } from '../../../component/signal.ts';
import { GRPC_DEADLINE_EXCEEDED, GRPC_UNAVAILABLE } from '../../../otlp/status.ts';
import { decodeExportResponse, RESPONSE_BYTES_MAX } from '../../../otlp/status-decode.ts';
import { userAgent } from '../../../stdx/product.ts';
import { TlsMaterial, type TlsOptions, tlsPeerOptions } from '../../../stdx/tls-material.ts';
import { type BodyCompression, bodyCompressor, type CompressBody, totalBytes } from '../body-compression.ts';
import { attemptHeaders } from '../client-auth.ts';
import { acceptAnswer, connectionError, grpcError, timeoutError } from '../otlp-answers.ts';
import { mergeHeaders } from '../request-headers.ts';
import { CallMetrics } from './call-metrics.ts';
import { GrpcChannel } from './channel.ts';
import { type GrpcCompression, isPlainText, type OtlpConfig } from './config.ts';
import type { CallEnd, ConnectionTls } from './connection.ts';
import { frameHead, readMessageBytes, readStatus } from './grpc-answer.ts';
import { type GrpcTarget, parseTarget } from './target.ts';

const METHODS: Readonly<Record<Signal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
};
/** What the gRPC codecs of these names are: its snappy is the framed form. */
const BODY_COMPRESSION: Readonly<Record<GrpcCompression, BodyCompression>> = {
  '': 'none',
  none: 'none',
  gzip: 'gzip',
  snappy: 'x-snappy-framed',
  zstd: 'zstd',
};
/** `grpc-timeout` has at most eight digits. */
const TIMEOUT_HEADER_MS_MAX = 99_999_999;

/** Sends batches of one signal over gRPC. */
export class OtlpExporter implements Exporter {
  readonly peerLabels: Labels;
  readonly #settings: ComponentSettings;
  readonly #config: OtlpConfig;
  readonly #target: GrpcTarget;
  readonly #headers: Readonly<Record<string, string>>;
  /** What makes it a gRPC call of OTLP. */
  readonly #fixedHeaders: Readonly<Record<string, string>>;
  readonly #tls: TlsMaterial;
  readonly #compress: CompressBody;
  readonly #isCompressed: boolean;
  readonly #metrics: CallMetrics;
  #channel: GrpcChannel | undefined;
  #auth: ClientAuthenticator | undefined;

  /** @throws PipelineError CONFIG_INVALID for an endpoint that the schema would have refused. */
  constructor(settings: ComponentSettings, config: OtlpConfig, signal: Signal) {
    const target = parseTarget(config.endpoint);
    if ('error' in target) {
      throw new PipelineError('CONFIG_INVALID', `${settings.id}: ${target.error}`, { permanent: true });
    }
    this.#settings = settings;
    this.#config = config;
    this.#target = target;
    this.peerLabels =
      'path' in target.at
        ? { server_address: target.at.path }
        : { server_address: target.at.host, server_port: String(target.at.port) };
    this.#fixedHeaders = fixedHeaders(config, target, signal);
    this.#headers = metadata(config);
    this.#metrics = new CallMetrics(settings.meter, METHODS[signal], this.peerLabels);
    this.#tls = new TlsMaterial(config.tls);
    const compression = BODY_COMPRESSION[config.compression];
    this.#compress = bodyCompressor(compression, undefined);
    this.#isCompressed = compression !== 'none';
  }

  /** Reads certificates; connects with the first batch. @throws PipelineError START_FAILED. */
  async start(): Promise<void> {
    const { balancer, waitsForReady, keepalive, authority } = this.#config;
    this.#auth = await this.#findAuth();
    this.#channel = new GrpcChannel({
      target: this.#target,
      authority: authority ?? this.#target.authority,
      tls: await this.#loadTls(),
      balancer,
      waitsForReady,
      keepalive,
      clock: this.#settings.clock,
    });
  }

  async shutdown(): Promise<void> {
    this.#tls.stop();
    this.#channel?.close();
    this.#channel = undefined;
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<ExportReceipt> {
    const message = await this.#compress(batch.slices);
    const chunks = [frameHead(this.#isCompressed, totalBytes(message)), ...message];
    const { clock } = this.#settings;
    const startedMs = clock.monotonicMs();
    const { headers, httpStatus, body } = await this.#call(chunks, batch.client, signal).catch(
      (error: unknown) => {
        const code = signal.aborted ? GRPC_DEADLINE_EXCEEDED : GRPC_UNAVAILABLE;
        this.#metrics.record(code, clock.monotonicMs() - startedMs);
        throw error;
      },
    );
    this.#metrics.record(readStatus(headers, httpStatus).code, clock.monotonicMs() - startedMs);
    if (body === undefined) {
      const text = `the answer of ${this.#config.endpoint} is longer than ${RESPONSE_BYTES_MAX} bytes`;
      throw new PipelineError('EXPORT_REJECTED', text, { permanent: true });
    }
    const status = readStatus(headers, httpStatus);
    if (status.code !== 0) throw grpcError(status);
    return acceptAnswer(batch, this.#settings.logger, () =>
      decodeExportResponse(readMessageBytes(body, headers['grpc-encoding']?.toString())),
    );
  }

  async #call(
    chunks: readonly Uint8Array[],
    sender: ClientContext | undefined,
    signal: AbortSignal,
  ): Promise<CallEnd> {
    const channel = this.#channel;
    const { endpoint } = this.#config;
    if (channel === undefined || signal.aborted) throw timeoutError(endpoint);
    const headers = await attemptHeaders(this.#auth, this.#headers, this.#fixedHeaders, sender);
    try {
      const connection = await channel.acquire(signal);
      return await connection.call(headers, chunks, signal);
    } catch (error) {
      throw signal.aborted ? timeoutError(endpoint) : connectionError(endpoint, error);
    }
  }

  async #findAuth(): Promise<ClientAuthenticator | undefined> {
    const { auth } = this.#config;
    if (auth === undefined) return undefined;
    const found = await findClientAuthenticator(this.#settings, auth.authenticator);
    if (found.requiresTlsForGrpc && isPlainText(this.#config, this.#target.isSecure)) {
      const message = `${this.#settings.id}: the authenticator "${auth.authenticator}" needs TLS: its credentials would be readable`;
      throw new PipelineError('START_FAILED', message, { permanent: true });
    }
    return found;
  }

  async #loadTls(): Promise<ConnectionTls | undefined> {
    const { tls } = this.#config;
    if (isPlainText(this.#config, this.#target.isSecure)) return undefined;
    const { logger, id } = this.#settings;
    const withPeer = (options: TlsOptions): ConnectionTls => ({ ...options, ...tlsPeerOptions(tls) });
    try {
      const options = await this.#tls.start(
        (changed) => this.#channel?.setTls(withPeer(changed)),
        (error) => logger.error('the changed TLS files are not used', { error: error.message }),
      );
      return withPeer(options);
    } catch (error) {
      throw new PipelineError('START_FAILED', `${id}: ${(error as Error).message}`, {
        permanent: true,
        cause: error,
      });
    }
  }
}

/** Set last, whatever metadata says. */
function fixedHeaders(config: OtlpConfig, target: GrpcTarget, signal: Signal): Record<string, string> {
  const { compression, delivery } = config;
  const fixed: Record<string, string> = {
    ':method': 'POST',
    ':scheme': isPlainText(config, target.isSecure) ? 'http' : 'https',
    ':path': METHODS[signal],
    ':authority': config.authority ?? target.authority,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-accept-encoding': 'identity,gzip',
  };
  if (BODY_COMPRESSION[compression] !== 'none') fixed['grpc-encoding'] = compression;
  if (delivery.timeoutMs > 0) {
    fixed['grpc-timeout'] = `${Math.min(Math.ceil(delivery.timeoutMs), TIMEOUT_HEADER_MS_MAX)}m`;
  }
  return fixed;
}

function metadata(config: OtlpConfig): Record<string, string> {
  const configured = Object.entries(config.headers).map(([name, value]) => [
    name,
    name.toLowerCase().endsWith('-bin') ? Buffer.from(value, 'latin1').toString('base64') : value,
  ]);
  return mergeHeaders({ 'user-agent': config.userAgent ?? userAgent() }, Object.fromEntries(configured));
}
