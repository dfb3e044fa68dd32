import type { OutgoingHttpHeaders } from 'node:http2';
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter, ExportReceipt } from '../../component/exporter.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { decodeExportResponse, RESPONSE_BYTES_MAX } from '../../otlp/status-decode.ts';
import { userAgent } from '../../stdx/product.ts';
import { TlsMaterial, type TlsOptions, tlsPeerOptions } from '../../stdx/tls-material.ts';
import {
  type BodyCompression,
  bodyCompressor,
  type CompressBody,
  totalBytes,
} from '../helper/body-compression.ts';
import { acceptAnswer, connectionError, grpcError, timeoutError } from '../helper/otlp-answers.ts';
import { mergeHeaders } from '../helper/request-headers.ts';
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
  readonly #settings: ComponentSettings;
  readonly #config: OtlpConfig;
  readonly #target: GrpcTarget;
  readonly #headers: Readonly<OutgoingHttpHeaders>;
  readonly #tls: TlsMaterial;
  readonly #compress: CompressBody;
  readonly #isCompressed: boolean;
  #channel: GrpcChannel | undefined;

  /** @throws PipelineError CONFIG_INVALID for an endpoint that the schema would have refused. */
  constructor(settings: ComponentSettings, config: OtlpConfig, signal: Signal) {
    const target = parseTarget(config.endpoint);
    if ('error' in target) {
      throw new PipelineError('CONFIG_INVALID', `${settings.id}: ${target.error}`, { permanent: true });
    }
    this.#settings = settings;
    this.#config = config;
    this.#target = target;
    this.#headers = callHeaders(config, target, signal);
    this.#tls = new TlsMaterial(config.tls);
    const compression = BODY_COMPRESSION[config.compression];
    this.#compress = bodyCompressor(compression, undefined);
    this.#isCompressed = compression !== 'none';
  }

  /** Reads certificates; connects with the first batch. @throws PipelineError START_FAILED. */
  async start(): Promise<void> {
    const { balancer, waitsForReady, keepalive, authority } = this.#config;
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
    const { headers, httpStatus, body } = await this.#call(chunks, signal);
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

  async #call(chunks: readonly Uint8Array[], signal: AbortSignal): Promise<CallEnd> {
    const channel = this.#channel;
    const { endpoint } = this.#config;
    if (channel === undefined || signal.aborted) throw timeoutError(endpoint);
    try {
      const connection = await channel.acquire(signal);
      return await connection.call(this.#headers, chunks, signal);
    } catch (error) {
      throw signal.aborted ? timeoutError(endpoint) : connectionError(endpoint, error);
    }
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

function callHeaders(config: OtlpConfig, target: GrpcTarget, signal: Signal): OutgoingHttpHeaders {
  const { compression, delivery } = config;
  const own: Record<string, string> = {
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': config.userAgent ?? userAgent(),
    'grpc-accept-encoding': 'identity,gzip',
  };
  if (BODY_COMPRESSION[compression] !== 'none') own['grpc-encoding'] = compression;
  if (delivery.timeoutMs > 0) {
    own['grpc-timeout'] = `${Math.min(Math.ceil(delivery.timeoutMs), TIMEOUT_HEADER_MS_MAX)}m`;
  }
  const configured = Object.entries(config.headers).map(([name, value]) => [
    name,
    name.toLowerCase().endsWith('-bin') ? Buffer.from(value, 'latin1').toString('base64') : value,
  ]);
  return {
    ':method': 'POST',
    ':scheme': isPlainText(config, target.isSecure) ? 'http' : 'https',
    ':path': METHODS[signal],
    ':authority': config.authority ?? target.authority,
    ...mergeHeaders(own, Object.fromEntries(configured)),
  };
}
