/** Which broker leads which partition, and produce requests on the connections to them. */
import type { Socket } from 'node:net';
import { PipelineError } from '../component/errors.ts';
import type { Clock } from '../stdx/clock.ts';
import type { KafkaBroker, KafkaBrokerPool, KafkaClient, KafkaPartition, KafkaSocket } from './client.ts';
import {
  decodeProduceAnswer,
  encodeProduceRequest,
  type PartitionBatch,
  PRODUCE_API_KEY,
  PRODUCE_VERSION_MAX,
  PRODUCE_VERSION_MIN,
  type ProduceAnswer,
} from './produce-request.ts';

const NO_ERROR = 0;
/** Of transactions, which there are none of. */
const TRANSACTION_TIMEOUT_MS = 30_000;

export interface ProducerBrokersSettings {
  client: KafkaClient;
  pool: KafkaBrokerPool;
  clock: Clock;
  /** Age at which metadata are fetched again. */
  refreshIntervalMs: number;
}

export interface ProduceOptions {
  /** -1: all replicas in sync; 0: no answer. */
  acks: number;
  /** What the broker gives its replicas. */
  timeoutMs: number;
}

interface KnownTopic {
  /** By number of the partition. */
  partitions: readonly KafkaPartition[];
  fetchedMs: number;
}

/** A request that was written; the memory of its batches may be read until `flushed` or `abandon`. */
export interface SentRequest {
  /** undefined: nobody answers requests with acks 0. */
  answer: Promise<ProduceAnswer | undefined>;
  /** Whether the socket may still read the chunks. */
  isFlushed(): boolean;
  /** Closes the connection, so that nothing reads the chunks any more. */
  abandon(): void;
}

export class ProducerBrokers {
  readonly #settings: ProducerBrokersSettings;
  readonly #topics = new Map<string, KnownTopic>();
  /** By number of the node. */
  readonly #used = new Map<number, KafkaBroker>();
  #refreshing: Promise<unknown> = Promise.resolve();

  constructor(settings: ProducerBrokersSettings) {
    this.#settings = settings;
  }

  /**
   * Partitions of a topic, each with its leader; never empty.
   * @throws errors of the client; the topic's own when it has one.
   */
  async partitions(topic: string): Promise<readonly KafkaPartition[]> {
    const known = this.#topics.get(topic);
    const { clock, refreshIntervalMs } = this.#settings;
    if (known !== undefined && clock.monotonicMs() - known.fetchedMs < refreshIntervalMs)
      return known.partitions;
    // One after the other: the client keeps the metadata of one request only.
    const refresh = this.#refreshing.catch(() => undefined).then(() => this.#refresh(topic));
    this.#refreshing = refresh;
    return refresh;
  }

  /** What is known of a topic was wrong. */
  forget(topic: string): void {
    this.#topics.delete(topic);
  }

  async #refresh(topic: string): Promise<readonly KafkaPartition[]> {
    const { client, pool, clock } = this.#settings;
    await pool.connect();
    await pool.refreshMetadata([topic]).catch((error) => {
      for (const broker of this.#used.values()) closeSilent(broker, error);
      throw error;
    });
    const found = pool.metadata?.topicMetadata.find((each) => each.topic === topic);
    if (found !== undefined && found.topicErrorCode !== NO_ERROR)
      throw client.protocolError(found.topicErrorCode);
    if (found === undefined || found.partitionMetadata.length === 0) {
      throw new PipelineError('EXPORT_UNAVAILABLE', `topic "${topic}" has no partitions yet`, {
        permanent: false,
      });
    }
    const partitions = [...found.partitionMetadata].sort((a, b) => a.partitionId - b.partitionId);
    this.#topics.set(topic, { partitions, fetchedMs: clock.monotonicMs() });
    return partitions;
  }

  /** Connected and authenticated. */
  async broker(nodeId: number): Promise<KafkaBroker> {
    const broker = await this.#settings.pool.findBroker({ nodeId: String(nodeId) });
    this.#used.set(nodeId, broker);
    return broker;
  }

  /** Of any broker: an id under which batches are told from their repetitions. */
  async newProducerId(): Promise<{ id: bigint; epoch: number }> {
    const { pool } = this.#settings;
    await pool.connect();
    const broker = await pool.findConnectedBroker();
    const { producerId, producerEpoch } = await broker.initProducerId({
      transactionTimeout: TRANSACTION_TIMEOUT_MS,
    });
    return { id: BigInt(producerId), epoch: producerEpoch };
  }

  /** Writes the batches at once. @throws errors of the client when the connection is gone. */
  send(broker: KafkaBroker, batches: readonly PartitionBatch[], options: ProduceOptions): SentRequest {
    const connection = broker.connectionPool.pool[0]!;
    const version = Math.min(broker.versions?.[PRODUCE_API_KEY]?.maxVersion ?? 0, PRODUCE_VERSION_MAX);
    if (version < PRODUCE_VERSION_MIN) {
      throw new PipelineError('EXPORT_UNAVAILABLE', 'the broker is older than Kafka 0.11', {
        permanent: false,
      });
    }
    const correlationId = connection.nextCorrelationId();
    const { clientId } = connection;
    const chunks = encodeProduceRequest(batches, { version, correlationId, clientId, ...options });
    const state = { isFlushed: false };
    const answer = new Promise<ProduceAnswer | undefined>((resolve, reject) => {
      const flushed = () => {
        state.isFlushed = true;
        if (options.acks === 0) resolve(undefined);
      };
      const answered = ({ payload }: { payload: Buffer | null }) => {
        if (payload === null) return;
        try {
          const decoded = decodeProduceAnswer(payload, version);
          connection.requestQueue.maybeThrottle(decoded.throttleMs);
          if (decoded.throttleMs > 0) this.#throttled(broker, decoded.throttleMs);
          resolve(decoded);
        } catch (error) {
          reject(error);
        }
      };
      const failed = (error: Error) => {
        closeSilent(broker, error);
        reject(error);
      };
      const entry = { apiKey: PRODUCE_API_KEY, apiName: 'Produce', apiVersion: version, correlationId };
      push(connection, { ...entry, resolve: answered, reject: failed }, options.acks !== 0, chunks, flushed);
    });
    return {
      answer,
      isFlushed: () => state.isFlushed,
      abandon: () => connection.socket.destroy(new Error('no answer in time')),
    };
  }

  #throttled({ connectionPool: { host, port } }: KafkaBroker, throttleMs: number): void {
    this.#settings.client.metrics.throttled(host, port, throttleMs);
  }

  async close(): Promise<void> {
    await this.#settings.pool.disconnect();
  }
}

/**
 * The client gives a request up when its time is over and goes on with the connection. Whoever had the address may be gone
 * for good, and another machine may have the name: only a new connection asks for it.
 */
function closeSilent({ connectionPool: { host, port, pool } }: KafkaBroker, error: unknown): void {
  const { name, broker } = error as { name?: unknown; broker?: unknown };
  if (name === 'KafkaJSRequestTimeoutError' && broker === `${host}:${port}`)
    pool[0]?.socket.destroy(new Error('no answer in time'));
}

type QueueEntry = Parameters<KafkaSocket['requestQueue']['push']>[0]['entry'];

function push(
  connection: KafkaSocket,
  entry: QueueEntry,
  expectResponse: boolean,
  chunks: readonly Uint8Array[],
  flushed: () => void,
): void {
  if (!connection.isConnected()) throw new Error('the connection is closed');
  connection.requestQueue.push({
    entry,
    expectResponse,
    requestTimeout: null,
    sendRequest: () => writeAll(connection.socket, chunks, entry.reject, flushed),
  });
}

/** In one system call where the socket is a plain one. */
function writeAll(
  socket: Socket,
  chunks: readonly Uint8Array[],
  reject: (error: Error) => void,
  flushed: () => void,
): void {
  socket.cork();
  const last = chunks.length - 1;
  for (let index = 0; index < last; index++) socket.write(chunks[index]!);
  socket.write(chunks[last]!, (error) => {
    flushed();
    if (error != null) reject(error);
  });
  socket.uncork();
}
