/**
 * The Kafka client: kafkajs behind the engine's TLS, credentials, logger and codecs. The only file that imports it.
 * Consumers and admin calls use its public classes; producers need only its connections (see KafkaBrokerPool), because
 * record batches are encoded by record-batch.ts.
 */
import { createRequire } from 'node:module';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Kafka, KafkaConfig, LogEntry, logLevel, Mechanism, SASLOptions } from 'kafkajs';
import { PipelineError } from '../component/errors.ts';
import type { ComponentSettings, Labels, Logger } from '../component/settings.ts';
import { TlsMaterial, tlsPeerOptions } from '../stdx/tls-material.ts';
import type { TlsClientSettings } from '../stdx/tls-settings.ts';
import { bearerMechanism } from './bearer-sasl.ts';
import { CODEC_IDS, KAFKA_COMPRESSIONS, recordUnpacker } from './codecs.ts';
import { brokerAddress, type KafkaClientConfig, kafkaSasl, kafkaTls } from './config-client.ts';
import { ConnectionMetrics } from './connection-metrics.ts';
import { connectReading, FramePool, readAnswersOf, readOwnAnswers } from './fetch-frames.ts';
import { readOwnBatches } from './fetched-batches.ts';

export type {
  Admin,
  Consumer,
  ConsumerConfig,
  EachBatchPayload,
  IHeaders,
  Kafka,
  KafkaMessage,
  PartitionAssigner,
} from 'kafkajs';

/** Longest wait for a socket to open; the attempt that needs it has its own, mostly shorter time. */
const CONNECT_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const METADATA_API_KEY = 3;
/** Between one of `brokers` that is not there and the next one. */
const SEED_RETRY_MS = 20;
const KEEP_ALIVE_DELAY_MS = 60_000;
/** How often requests that wait for the end of a throttling are looked at; as in the client itself. */
const PENDING_CHECK_MS = 10;

export interface KafkaClientOptions {
  /** Current bearer token for OAUTHBEARER; called for every connection. */
  bearerToken?: () => Promise<string>;
  connectTimeoutMs?: number;
  requestTimeoutMs?: number;
  /** Of the series of its connections. */
  labels?: Labels;
  /** Answers to fetches are put together in this memory; see fetch-frames.ts. */
  frames?: FramePool;
}

/** What producers use of kafkajs's connections, which its public interface does not show. */
export interface KafkaBrokerPool {
  /** Opens a connection to one of the configured brokers, unless there is one to any broker. */
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  /** Replaces `metadata` by what is known of these topics, errors of theirs included, and of the brokers. */
  refreshMetadata(topics: readonly string[]): Promise<void>;
  readonly metadata: { readonly topicMetadata: readonly KafkaTopic[] } | null;
  /** Connected and authenticated, or an error. */
  findBroker(options: { nodeId: string }): Promise<KafkaBroker>;
  findConnectedBroker(): Promise<KafkaBroker>;
  removeBroker(address: { host: string; port: number }): void;
}

export interface KafkaTopic {
  topic: string;
  topicErrorCode: number;
  partitionMetadata: readonly KafkaPartition[];
}

export interface KafkaPartition {
  partitionId: number;
  /** -1 while there is none. */
  leader: number;
  partitionErrorCode: number;
}

export interface KafkaBroker {
  readonly nodeId: number | null;
  /** By the number of an API: what this broker speaks. */
  readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>> | null;
  readonly connectionPool: {
    readonly host: string;
    readonly port: number;
    /** The first one carries everything but fetches. */
    readonly pool: readonly KafkaSocket[];
  };
  initProducerId(options: { transactionalId?: string; transactionTimeout: number }): Promise<{
    producerId: string;
    producerEpoch: number;
  }>;
}

/** A connection, as far as requests of our own are written to it. */
export interface KafkaSocket {
  readonly clientId: string;
  readonly socket: Socket;
  isConnected(): boolean;
  nextCorrelationId(): number;
  disconnect(): Promise<unknown>;
  readonly requestQueue: {
    push(request: {
      entry: {
        apiKey: number;
        apiName: string;
        apiVersion: number;
        correlationId: number;
        resolve(answer: { payload: Buffer | null }): void;
        reject(error: Error): void;
      };
      expectResponse: boolean;
      requestTimeout: number | null;
      sendRequest(): void;
    }): void;
    maybeThrottle(clientSideThrottleMs: number): void;
  };
}

export interface BrokerPoolOptions {
  allowsAutoTopicCreation: boolean;
}

/** One component's client; every consumer or pool made of it has its own connections. */
export interface KafkaClient {
  /** `consumer()` and `admin()`; whoever makes one disconnects it. */
  readonly kafka: Kafka;
  /** Addresses for messages. */
  readonly peer: string;
  readonly metrics: ConnectionMetrics;
  brokerPool(options: BrokerPoolOptions): KafkaBrokerPool;
  /** The error that a number in an answer stands for; readKafkaError knows what it means. */
  protocolError(code: number): Error;
  /** Ends the reading of changed certificates. */
  close(): void;
}

const load = createRequire(import.meta.url);

/**
 * Reads certificates and loads the client; connects nothing.
 * @throws PipelineError START_FAILED when the TLS files cannot be used.
 */
export async function openKafkaClient(
  settings: Pick<ComponentSettings, 'id' | 'logger' | 'meter'>,
  config: KafkaClientConfig,
  options: KafkaClientOptions = {},
): Promise<KafkaClient> {
  const {
    Kafka: KafkaClass,
    CompressionCodecs,
    logLevel: levels,
  } = await import('kafkajs').then((module) => module.default ?? module);
  registerCodecs(CompressionCodecs);
  readOwnAnswers(load('kafkajs/src/network/connection'));
  readOwnBatches();
  stopIdleTimers();
  const tls = kafkaTls(config);
  const material = tls === undefined ? undefined : await loadTls(settings, tls);
  const brokers = config.brokers.map((broker) => brokerAddress(broker) ?? broker);
  const sasl = saslOptions(config, options.bearerToken);
  const metrics = new ConnectionMetrics(settings.meter, options.labels ?? {});
  const { max: retries, backoffMs } = config.metadata.retry;
  const shared = {
    brokers,
    clientId: config.clientId,
    connectionTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    retry: { retries, initialRetryTime: backoffMs },
    socketFactory: socketFactory(metrics, tls, material, options.frames),
    ...(sasl === undefined ? {} : { sasl }),
  };
  const logCreator = loggerFor(settings.logger);
  const clientConfig: KafkaConfig = { ...shared, logLevel: levels.WARN, logCreator };
  return {
    kafka: new KafkaClass(clientConfig),
    peer: brokers.join(', '),
    metrics,
    brokerPool: (poolOptions) => makePool({ ...shared, ...poolOptions }, config, levels.WARN, logCreator),
    protocolError: load('kafkajs/src/protocol/error').createErrorFromCode as (code: number) => Error,
    close: () => material?.stop(),
  };
}

type LogCreator = (level: logLevel) => (entry: LogEntry) => void;

function makePool(
  { allowsAutoTopicCreation, ...shared }: object & BrokerPoolOptions,
  config: KafkaClientConfig,
  level: logLevel,
  logCreator: LogCreator,
): KafkaBrokerPool {
  const Cluster = load('kafkajs/src/cluster') as new (
    options: object,
  ) => { brokerPool: KafkaBrokerPool & { createBroker(options: object): MetadataBroker } };
  const { createLogger } = load('kafkajs/src/loggers') as { createLogger(options: object): object };
  const { brokerPool } = new Cluster({
    ...shared,
    // Every address once; when to try again is for the producer to say, who has a batch waiting.
    retry: { retries: config.brokers.length - 1, initialRetryTime: SEED_RETRY_MS },
    logger: createLogger({ level, logCreator }),
    allowAutoTopicCreation: allowsAutoTopicCreation,
    metadataMaxAge: config.metadata.refreshIntervalMs,
  });
  const { createBroker } = brokerPool;
  brokerPool.createBroker = (options) => withWholeMetadata(createBroker(options), allowsAutoTopicCreation);
  return brokerPool;
}

interface MetadataBroker extends KafkaBroker {
  metadata(topics: readonly string[]): Promise<unknown>;
  lookupRequest(
    apiKey: number,
    versions: unknown,
  ): (options: object) => { request: object; response: object };
  readonly connectionPool: KafkaBroker['connectionPool'] & { send(request: object): Promise<unknown> };
  disconnect(): Promise<void>;
}

/**
 * As the library has it, one topic that does not exist, or one partition without a leader, makes the metadata of all
 * the others an error too. Whoever asks here gets the codes and decides for each.
 */
function withWholeMetadata(broker: MetadataBroker, allowAutoTopicCreation: boolean): MetadataBroker {
  const { requests } = load('kafkajs/src/protocol/requests') as { requests: Record<string, unknown> };
  broker.metadata = async (topics) => {
    const metadata = broker.lookupRequest(METADATA_API_KEY, requests.Metadata);
    const { request, response } = metadata({ topics, allowAutoTopicCreation });
    try {
      return await broker.connectionPool.send({
        request,
        response: { ...response, parse: async (data: unknown) => data },
      });
    } catch (error) {
      // The library does the same where it sends a request: a closed connection is not asked again.
      if ((error as Error).name === 'KafkaJSConnectionClosedError') await broker.disconnect();
      throw error;
    }
  };
  return broker;
}

/** Their errors reach whoever called, who says what they mean for the data. */
const CALLED_PARTS: ReadonlySet<string> = new Set(['BrokerPool', 'Cluster', 'Connection']);

/** What the client says is about single connections; what becomes of data is said by who asked for it. */
function loggerFor(logger: Logger): LogCreator {
  return () =>
    ({ label, namespace, log }) => {
      const { message, broker, error } = log;
      const fields = { text: message, part: namespace, ...(broker === undefined ? {} : { broker }) };
      const about = error === undefined ? fields : { ...fields, error };
      const isWarning = (label === 'ERROR' || label === 'WARN') && !CALLED_PARTS.has(namespace);
      if (isWarning) logger.warn('the Kafka client reports', about);
      else logger.debug('the Kafka client reports', about);
    };
}

async function loadTls(
  { id, logger }: Pick<ComponentSettings, 'id' | 'logger'>,
  tls: TlsClientSettings,
): Promise<TlsMaterial> {
  const material = new TlsMaterial(tls);
  try {
    // New connections take what is current; those that are open keep what they have.
    await material.start(
      () => undefined,
      (error) => logger.error('the changed TLS files are not used', { error: error.message }),
    );
  } catch (error) {
    throw startFailed(`${id}: ${(error as Error).message}`, error);
  }
  return material;
}

function socketFactory(
  metrics: ConnectionMetrics,
  tls: TlsClientSettings | undefined,
  material: TlsMaterial | undefined,
  frames: FramePool | undefined,
) {
  const ownFrames = frames ?? new FramePool();
  const connectPlain = frames === undefined ? connectTcp : connectReading;
  return ({ host, port, onConnect }: { host: string; port: number; onConnect: () => void }): Socket => {
    const { opened, closed } = metrics.watch(host, port);
    const onOpen = () => {
      opened();
      onConnect();
    };
    const socket =
      tls === undefined || material === undefined
        ? connectPlain({ host, port }, onOpen)
        : connectTls(
            {
              host,
              port,
              ...(isIP(host) === 0 ? { servername: host } : {}),
              ...material.options,
              ...tlsPeerOptions(tls),
            },
            onOpen,
          );
    socket.once('close', closed);
    readAnswersOf(socket, ownFrames);
    // Requests are written whole: waiting for the acknowledgement of their beginning would only add a round trip.
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    return socket;
  };
}

function startFailed(message: string, cause?: unknown): PipelineError {
  return new PipelineError('START_FAILED', message, { permanent: true, cause });
}

function saslOptions(
  config: KafkaClientConfig,
  bearerToken: KafkaClientOptions['bearerToken'],
): SASLOptions | Mechanism | undefined {
  const sasl = kafkaSasl(config);
  if (sasl === undefined) return undefined;
  const { username, password } = sasl;
  switch (sasl.mechanism) {
    case 'PLAIN':
      return { mechanism: 'plain', username, password };
    case 'SCRAM-SHA-256':
      return { mechanism: 'scram-sha-256', username, password };
    case 'SCRAM-SHA-512':
      return { mechanism: 'scram-sha-512', username, password };
    case 'OAUTHBEARER': {
      if (bearerToken === undefined) throw startFailed('nothing gives bearer tokens for OAUTHBEARER');
      return bearerMechanism(bearerToken) as Mechanism;
    }
  }
}

/** For what consumers read. The registry belongs to the whole process, so it is only ever filled with the same. */
function registerCodecs(registry: Record<number, () => unknown>): void {
  for (const compression of KAFKA_COMPRESSIONS) {
    if (compression === 'none') continue;
    registry[CODEC_IDS[compression]] = () => ({
      compress: () => Promise.reject(new Error('record batches are written by record-batch.ts')),
      decompress: recordUnpacker(compression),
    });
  }
}

/**
 * Every connection of kafkajs 2.2.4 wakes the thread each millisecond for ever: it plans a look at requests that wait
 * for the end of a throttling although there are none, with a negative delay that Node.js also warns of. Here the
 * look is planned only when something waits.
 */
function stopIdleTimers(): void {
  interface RequestQueue {
    pending: unknown[];
    throttleCheckTimeoutId: NodeJS.Timeout | null;
    checkPendingRequests(): void;
    scheduleCheckPendingRequests(): void;
  }
  const { prototype } = load('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
  prototype.scheduleCheckPendingRequests = function schedule(this: RequestQueue): void {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    }, PENDING_CHECK_MS);
  };
}
