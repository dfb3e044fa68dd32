/** `grpc.health.v1.Health` (grpc/health/v1/health.proto). The only file that uses grpc-js. */
import type * as Grpc from '@grpc/grpc-js';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import { WireReader } from '../../otlp/wire-reader.ts';
import { loadTlsOptions, TlsMaterialError } from '../../stdx/tls-material.ts';
import { PageAuth } from '../helper/page-auth.ts';
import type { GrpcHealthConfig } from './config.ts';

/** HealthCheckResponse.ServingStatus. */
export const SERVING = 1;
export const NOT_SERVING = 2;
export const SERVICE_UNKNOWN = 3;
export type ServingStatus = typeof SERVING | typeof NOT_SERVING | typeof SERVICE_UNKNOWN;

const SERVICE = '/grpc.health.v1.Health';
const MESSAGE_BYTES_MAX = 4096;
/** Streams of `Watch`; each is looked at once a second. */
const WATCHERS_MAX = 64;
const WATCH_MS = 1000;

/** HealthCheckRequest { 1 service string } */
const TAG_SERVICE = (1 << 3) | 2;

/** An object, because grpc-js takes a message that is an empty text for none. */
interface HealthRequest {
  service: string;
}

function readRequest(bytes: Buffer): HealthRequest {
  const reader = new WireReader(bytes);
  let service = '';
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag !== TAG_SERVICE) reader.skip(tag);
    else {
      const length = reader.readLength();
      service = bytes.toString('utf8', reader.pos, reader.pos + length);
      reader.pos += length;
    }
  }
  return { service };
}

/** HealthCheckResponse { 1 status enum } */
function writeStatus(status: ServingStatus): Buffer {
  return Buffer.of(1 << 3, status);
}

type Call = Grpc.ServerUnaryCall<HealthRequest, ServingStatus>;
type Watch = Grpc.ServerWritableStream<HealthRequest, ServingStatus>;

export class GrpcHealthServer {
  readonly #settings: ComponentSettings;
  readonly #config: GrpcHealthConfig;
  /** By service name; '' is the engine. */
  readonly #statusOf: (service: string) => ServingStatus;
  readonly #auth: PageAuth | undefined;
  readonly #watchers = new Map<Watch, { service: string; status: ServingStatus }>();
  #grpc: typeof Grpc | undefined;
  #server: Grpc.Server | undefined;
  #timer: NodeJS.Timeout | undefined;
  #port = 0;

  constructor(
    settings: ComponentSettings,
    config: GrpcHealthConfig,
    statusOf: (service: string) => ServingStatus,
  ) {
    this.#settings = settings;
    this.#config = config;
    this.#statusOf = statusOf;
    this.#auth = config.auth === undefined ? undefined : new PageAuth(settings, config.auth.authenticator);
  }

  /** Bound port, known after `start`. */
  get port(): number {
    return this.#port;
  }

  /** @throws PipelineError START_FAILED naming the extension and the address. */
  async start(): Promise<void> {
    const grpc = await import('@grpc/grpc-js').catch((cause: unknown) => {
      throw this.#startFailed('grpc needs the package @grpc/grpc-js', cause);
    });
    this.#grpc = grpc;
    const server = new grpc.Server({ 'grpc.max_receive_message_length': MESSAGE_BYTES_MAX });
    this.#server = server;
    const method = (name: string, responseStream: boolean) => ({
      path: `${SERVICE}/${name}`,
      requestStream: false,
      responseStream,
      requestSerialize: ({ service }: HealthRequest) => Buffer.from(service),
      requestDeserialize: readRequest,
      responseSerialize: writeStatus,
      responseDeserialize: (bytes: Buffer) => bytes[1] as ServingStatus,
    });
    server.addService(
      { Check: method('Check', false), Watch: method('Watch', true) },
      {
        Check: (call: Call, reply: Grpc.sendUnaryData<ServingStatus>) => void this.#check(call, reply),
        Watch: (call: Watch) => void this.#watch(call),
      },
    );
    const { endpoint } = this.#config;
    const credentials = await this.#credentials(grpc);
    this.#port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(endpoint, credentials, (cause, port) => {
        if (cause === null) resolve(port);
        else reject(this.#startFailed(`cannot listen on ${endpoint}: ${cause.message}`, cause));
      });
    });
    this.#timer = setInterval(() => this.#tellWatchers(), WATCH_MS).unref();
  }

  /** Idempotent. */
  async shutdown(): Promise<void> {
    clearInterval(this.#timer);
    this.#watchers.clear();
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  async #credentials(grpc: typeof Grpc): Promise<Grpc.ServerCredentials> {
    const { tls } = this.#config;
    if (tls === undefined) return grpc.ServerCredentials.createInsecure();
    try {
      const { cert, key, ca } = await loadTlsOptions(tls);
      const pair = { cert_chain: Buffer.from(String(cert)), private_key: Buffer.from(String(key)) };
      const asksClient = tls.clientCaFile !== undefined;
      const authorities = asksClient && ca !== undefined ? Buffer.from(String(ca)) : null;
      return grpc.ServerCredentials.createSsl(authorities, [pair], asksClient);
    } catch (cause) {
      if (cause instanceof TlsMaterialError) throw this.#startFailed(`tls: ${cause.message}`, cause);
      throw cause;
    }
  }

  #startFailed(reason: string, cause: unknown): PipelineError {
    const message = `extension ${this.#settings.id}: ${reason}`;
    return new PipelineError('START_FAILED', message, { permanent: true, cause });
  }

  /** @returns undefined for who may ask. */
  async #refusal(metadata: Grpc.Metadata): Promise<Partial<Grpc.StatusObject> | undefined> {
    const verdict = await this.#auth?.check((name) => {
      const values = metadata.get(name);
      return values.length === 0 ? undefined : values.join(', ');
    });
    if (verdict === undefined || verdict.isAllowed) return undefined;
    const { status } = this.#grpc!;
    const code = verdict.status === 401 ? status.UNAUTHENTICATED : status.UNAVAILABLE;
    return { code, details: verdict.message };
  }

  async #check({ request, metadata }: Call, reply: Grpc.sendUnaryData<ServingStatus>): Promise<void> {
    const refusal = await this.#refusal(metadata);
    if (refusal !== undefined) return reply(refusal);
    const status = this.#statusOf(request.service);
    if (status !== SERVICE_UNKNOWN) return reply(null, status);
    reply({ code: this.#grpc!.status.NOT_FOUND, details: 'unknown service' });
  }

  async #watch(call: Watch): Promise<void> {
    const refusal = await this.#refusal(call.metadata);
    if (refusal !== undefined) return void call.emit('error', refusal);
    if (this.#watchers.size >= WATCHERS_MAX) {
      const code = this.#grpc!.status.RESOURCE_EXHAUSTED;
      return void call.emit('error', { code, details: 'too many watchers' });
    }
    const { service } = call.request;
    const status = this.#statusOf(service);
    this.#watchers.set(call, { service, status });
    call.on('cancelled', () => this.#watchers.delete(call));
    call.on('error', () => this.#watchers.delete(call));
    call.write(status);
  }

  #tellWatchers(): void {
    for (const [call, watched] of this.#watchers) {
      const status = this.#statusOf(watched.service);
      if (status === watched.status) continue;
      watched.status = status;
      call.write(status);
    }
  }
}
