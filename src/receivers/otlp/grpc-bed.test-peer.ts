/** A gRPC server in front of a recording consumer, and real gRPC clients for it. */
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import {
  Client,
  type ClientOptions,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Signal } from '../../component/signal.ts';
import type { Clock } from '../../stdx/clock.ts';
import { Admission, type AdmissionLimits } from './admission.ts';
import type { AuthGate } from './auth-gate.ts';
import { ReadableMeter, RecordingConsumer, testSettings } from './bed.test-peer.ts';
import { ClientCapture } from './client-capture.ts';
import { GrpcServer, type GrpcServerSettings } from './grpc-server.ts';
import type { GrpcKeepaliveConfig } from './grpc-session.ts';
import { RpcServerMetrics } from './protocol-metrics.ts';
import { GRPC_METHODS } from './routes.ts';

export const TEST_MESSAGE_BYTES_MAX = 300_000;

const NO_KEEPALIVE: GrpcKeepaliveConfig = {
  connectionIdleMsMax: Infinity,
  connectionAgeMsMax: Infinity,
  connectionAgeGraceMs: Infinity,
  timeMs: Infinity,
  timeoutMs: 20_000,
  pingIntervalMsMin: 10_000,
  isPingWithoutStreamAllowed: false,
};

export interface GrpcBed {
  port: number;
  server: GrpcServer;
  consumer: RecordingConsumer;
  meter: ReadableMeter;
  admission: Admission;
  client: GrpcClient;
  stop(): void;
}

export interface GrpcBedOptions {
  signals?: readonly Signal[];
  limits?: AdmissionLimits;
  server?: Partial<GrpcServerSettings>;
  keepalive?: Partial<GrpcKeepaliveConfig>;
  client?: ClientOptions;
  clock?: Clock;
  auth?: AuthGate;
  includesMetadata?: boolean;
}

export async function startGrpcBed(options: GrpcBedOptions = {}): Promise<GrpcBed> {
  const meter = new ReadableMeter();
  const consumer = new RecordingConsumer(options.signals);
  const limits = options.limits ?? { assemblyBytesMax: 8 << 20, inFlightBytesMax: 8 << 20 };
  const admission = new Admission(testSettings(meter, options.clock), consumer, limits);
  const server = new GrpcServer({
    host: '127.0.0.1',
    port: 0,
    concurrentStreamsMax: 128,
    connectionsMax: 100,
    connectionsPerAddressMax: 100,
    tls: undefined,
    keepalive: { ...NO_KEEPALIVE, ...options.keepalive },
    call: {
      admission,
      auth: options.auth,
      client: new ClientCapture(admission, options.includesMetadata ?? false),
      metrics: new RpcServerMetrics(meter),
      methods: new Map([...GRPC_METHODS].filter(([, signal]) => consumer.signals.has(signal))),
      messageBytesMax: TEST_MESSAGE_BYTES_MAX,
    },
    ...options.server,
  });
  const port = await server.start();
  const client = new GrpcClient(port, options.client);
  const stop = (): void => {
    client.close();
    server.stopListening();
    server.close();
    admission.close();
  };
  return { port, server, consumer, meter, admission, client, stop };
}

const METHOD_PATHS = new Map([...GRPC_METHODS].map(([path, signal]) => [signal, path]));
export const TRACES_PATH = METHOD_PATHS.get('traces')!;

export interface UnaryResult {
  code: number;
  message: string;
  response: Buffer | undefined;
  details: Buffer | undefined;
}

/** grpc-js with messages that are already bytes. */
export class GrpcClient {
  readonly #client: Client;

  constructor(port: number, options: ClientOptions = {}, channel = credentials.createInsecure()) {
    this.#client = new Client(`127.0.0.1:${port}`, channel, {
      'grpc.enable_retries': 0,
      ...options,
    });
  }

  export(
    message: Uint8Array,
    path = TRACES_PATH,
    deadlineMs?: number,
    metadata = new Metadata(),
  ): Promise<UnaryResult> {
    const definition: MethodDefinition<Buffer, Buffer> = {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: (value) => value,
      requestDeserialize: (value) => value,
      responseSerialize: (value) => value,
      responseDeserialize: (value) => value,
    };
    const options = deadlineMs === undefined ? {} : { deadline: deadlineMs };
    return new Promise((resolve) => {
      const done = (error: ServiceError | null, response?: Buffer): void => {
        const details = error?.metadata?.get('grpc-status-details-bin')[0];
        resolve({
          code: error?.code ?? 0,
          message: error?.details ?? '',
          response,
          details: Buffer.isBuffer(details) ? details : undefined,
        });
      };
      this.#client.makeUnaryRequest(
        path,
        definition.requestSerialize,
        definition.responseDeserialize,
        Buffer.from(message),
        metadata,
        options,
        done,
      );
    });
  }

  exportSignal(message: Uint8Array, signal: Signal): Promise<UnaryResult> {
    return this.export(message, METHOD_PATHS.get(signal)!);
  }

  close(): void {
    this.#client.close();
  }
}

export interface RawGrpcReply {
  httpStatus: number;
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  /** grpc-status from wherever it came; NaN when there was none. */
  status: number;
  body: Buffer;
  resetCode: number;
}

/** A gRPC client that sends whatever DATA it is told, one write at a time. */
export class RawGrpcClient {
  readonly session: ClientHttp2Session;

  constructor(port: number) {
    // Node's client refuses its own streams when what it has to send passes this.
    this.session = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 1000 });
    this.session.on('error', () => {});
  }

  call(
    parts: readonly Uint8Array[],
    headers: Record<string, string> = {},
    pauseMs = 0,
  ): Promise<RawGrpcReply> {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': TRACES_PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    return new Promise((resolve) => {
      const reply: RawGrpcReply = {
        httpStatus: 0,
        headers: {},
        trailers: {},
        status: Number.NaN,
        body: Buffer.alloc(0),
        resetCode: 0,
      };
      stream.on('error', () => {});
      stream.on('response', (received) => {
        reply.headers = received;
        reply.httpStatus = Number(received[':status']);
      });
      stream.on('trailers', (received) => {
        reply.trailers = received;
      });
      stream.on('data', (chunk: Buffer) => {
        reply.body = Buffer.concat([reply.body, chunk]);
      });
      stream.on('close', () => {
        reply.resetCode = stream.rstCode ?? 0;
        const status = reply.trailers['grpc-status'] ?? reply.headers['grpc-status'];
        reply.status = status === undefined ? Number.NaN : Number(status);
        resolve(reply);
      });
      void (async () => {
        for (const part of parts) {
          if (stream.destroyed) return;
          stream.write(part);
          if (pauseMs > 0) await new Promise((next) => setTimeout(next, pauseMs));
          else await new Promise((next) => setImmediate(next));
        }
        if (!stream.destroyed) stream.end();
      })();
    });
  }

  close(): void {
    this.session.destroy();
  }
}
