/** The receiver `otlp`: an HTTP and a gRPC listener with one admission in front of the engine. */
import type { Component } from '../../component/component.ts';
import type { RequestConsumer } from '../../component/consumer.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { within } from '../../stdx/abortable.ts';
import { Admission } from './admission.ts';
import { AuthGate } from './auth-gate.ts';
import { AuthLimiter } from './auth-limiter.ts';
import { printEndpoint } from './bind.ts';
import { ClientCapture } from './client-capture.ts';
import type { ListenConfig, OtlpConfig, OtlpGrpcConfig, OtlpHttpConfig } from './config.ts';
import type { GrpcServer } from './grpc-server.ts';
import type { HttpServer } from './http-server.ts';
import {
  ASSEMBLY_BYTES_MAX,
  CONNECTIONS_MAX,
  CONNECTIONS_PER_ADDRESS_MAX,
  IN_FLIGHT_BYTES_MAX,
} from './limits.ts';
import { ListenerTls } from './listener-tls.ts';
import { HttpServerMetrics, RpcServerMetrics } from './protocol-metrics.ts';
import { GRPC_METHODS } from './routes.ts';

export class OtlpReceiver implements Component {
  readonly #settings: ComponentSettings;
  readonly #config: OtlpConfig;
  readonly #admission: Admission;
  /** One for both protocols, so that guessing gains nothing by changing them. */
  readonly #limiter = new AuthLimiter();
  #http: HttpServer | undefined;
  #grpc: GrpcServer | undefined;
  #httpPort: number | undefined;
  #grpcPort: number | undefined;

  constructor(settings: ComponentSettings, config: OtlpConfig, next: RequestConsumer) {
    this.#settings = settings;
    this.#config = config;
    // At least two of the largest bodies must fit, or they would refuse each other for ever.
    const bodyBytesMax = Math.max(config.http?.bodyBytesMax ?? 0, config.grpc?.messageBytesMax ?? 0);
    this.#admission = new Admission(settings, next, {
      assemblyBytesMax: Math.max(ASSEMBLY_BYTES_MAX, 2 * bodyBytesMax),
      inFlightBytesMax: Math.max(IN_FLIGHT_BYTES_MAX, 2 * bodyBytesMax),
    });
  }

  /** Bound port, known after `start`; undefined when the protocol is off. */
  get httpPort(): number | undefined {
    return this.#httpPort;
  }

  get grpcPort(): number | undefined {
    return this.#grpcPort;
  }

  async start(): Promise<void> {
    const { http, grpc } = this.#config;
    try {
      if (grpc !== undefined) await this.#startGrpc(grpc);
      if (http !== undefined) await this.#startHttp(http);
    } catch (error) {
      // One protocol without the other is not what was configured.
      this.#closeServers();
      if (!(error instanceof PipelineError)) throw error;
      const message = `receiver ${this.#settings.id}: ${error.message}`;
      throw new PipelineError(error.code, message, { permanent: true, cause: error.cause });
    }
  }

  async shutdown(deadlineMs: number): Promise<void> {
    this.#admission.startDrain();
    this.#http?.stopListening();
    this.#grpc?.stopListening();
    await this.#admission.whenIdle(deadlineMs);
    const drained = Promise.all([this.#http?.whenDrained(), this.#grpc?.whenDrained()]);
    await within(drained, deadlineMs - this.#settings.clock.monotonicMs());
    this.#closeServers();
  }

  async #startGrpc(config: OtlpGrpcConfig): Promise<void> {
    // Loaded late: a process without this protocol does not pay for it.
    const { GrpcServer } = await import('./grpc-server.ts');
    this.#grpc = new GrpcServer({
      host: config.host,
      port: config.port,
      concurrentStreamsMax: config.concurrentStreamsMax,
      connectionsMax: CONNECTIONS_MAX,
      connectionsPerAddressMax: CONNECTIONS_PER_ADDRESS_MAX,
      tls: this.#listenerTls(config),
      keepalive: config.keepalive,
      call: {
        admission: this.#admission,
        auth: this.#authGate(config),
        client: new ClientCapture(this.#admission, config.includesMetadata),
        metrics: new RpcServerMetrics(this.#settings.meter),
        methods: GRPC_METHODS,
        messageBytesMax: config.messageBytesMax,
      },
    });
    this.#grpcPort = await this.#grpc.start();
    this.#logStart('grpc', 'node:http2', config, this.#grpcPort);
  }

  async #startHttp(config: OtlpHttpConfig): Promise<void> {
    const [{ chooseHttpServer }, { HttpReplies }] = await Promise.all([
      import('./choose-http-server.ts'),
      import('./http-replies.ts'),
    ]);
    const paths = Object.entries(config.paths) as [Signal, string][];
    this.#http = chooseHttpServer({
      host: config.host,
      port: config.port,
      readHeaderTimeoutMs: config.readHeaderTimeoutMs,
      readTimeoutMs: config.readTimeoutMs,
      writeTimeoutMs: config.writeTimeoutMs,
      idleTimeoutMs: config.idleTimeoutMs,
      connectionsMax: CONNECTIONS_MAX,
      connectionsPerAddressMax: CONNECTIONS_PER_ADDRESS_MAX,
      tls: this.#listenerTls(config),
      exchange: {
        admission: this.#admission,
        auth: this.#authGate(config),
        client: new ClientCapture(this.#admission, config.includesMetadata),
        metrics: new HttpServerMetrics(this.#settings.meter, {
          host: config.host,
          port: config.port,
          isSecure: config.tls !== undefined,
        }),
        replies: new HttpReplies({
          responseHeaders: Object.entries(config.responseHeaders),
          cors: config.cors,
        }),
        paths: new Map(paths.map(([signal, path]) => [path, signal])),
        compressions: new Set(config.compressions),
        bodyBytesMax: config.bodyBytesMax,
      },
    });
    this.#httpPort = await this.#http.start();
    this.#logStart('http', this.#http.implementation, config, this.#httpPort);
  }

  #authGate({ auth }: ListenConfig): AuthGate | undefined {
    return auth === undefined ? undefined : new AuthGate(this.#settings, auth.authenticator, this.#limiter);
  }

  #listenerTls({ tls }: ListenConfig): ListenerTls | undefined {
    return tls === undefined ? undefined : new ListenerTls(tls, this.#settings.logger);
  }

  #logStart(protocol: string, implementation: string, config: ListenConfig, port: number): void {
    this.#settings.logger.info('listening', {
      protocol,
      implementation,
      endpoint: printEndpoint(config.host, port),
      tls: config.tls !== undefined,
    });
  }

  #closeServers(): void {
    for (const server of [this.#http, this.#grpc]) {
      server?.stopListening();
      server?.close();
    }
    this.#http = undefined;
    this.#grpc = undefined;
    this.#admission.close();
  }
}
