import { findClientAuthenticator } from '../../component/auth.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter } from '../../component/exporter.ts';
import type { ComponentSettings, Counter } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { bearerTokens } from '../../kafka/bearer-token.ts';
import { type KafkaClient, openKafkaClient } from '../../kafka/client.ts';
import { CODEC_IDS, type RecordPacker, recordPacker } from '../../kafka/codecs.ts';
import { kafkaSasl } from '../../kafka/config-client.ts';
import { readKafkaError } from '../../kafka/errors.ts';
import { fnv1a } from '../../kafka/partitioners.ts';
import { KafkaProducer } from '../../kafka/producer.ts';
import { MESSAGE_TOO_LARGE_TYPES } from '../../kafka/producer-answers.ts';
import { newTicket, type PackedRecords, type Ticket } from '../../kafka/producer-lane.ts';
import { BatchPlan, type PlannedSet, type TopicPlan } from './batch-plan.ts';
import { type BatchState, BatchStates } from './batch-states.ts';
import { type KafkaExporterConfig, signalConfig } from './config.ts';
import { ProduceMetrics } from './produce-metrics.ts';
import { BatchHeaders, fixedHeaders } from './record-headers.ts';
import { RecordSource, type TopicPart } from './record-source.ts';

/** What brokers give their replicas when an attempt has no end. */
const REPLICA_TIMEOUT_MS = 30_000;
/** Beyond the longest wait between two attempts, so that a batch that comes again is never taken for given up. */
const ORPHAN_SLACK_MS = 10_000;
/** A topic's own limit is guessed by halves, but not below this. */
const LEARNED_BYTES_MIN = 1024;

/** Writes batches of one signal into topics. */
export class KafkaExporter implements Exporter {
  readonly #settings: ComponentSettings;
  readonly #config: KafkaExporterConfig;
  readonly #source: RecordSource;
  readonly #states = new BatchStates();
  readonly #packer: RecordPacker | undefined;
  readonly #missing: Counter;
  /** By topic, where a broker takes less than `max_message_bytes`. */
  readonly #learnedBytesMax = new Map<string, number>();
  #turn = 0;
  #client: KafkaClient | undefined;
  #producer: KafkaProducer | undefined;

  /** @throws PipelineError CONFIG_INVALID when the encoding is none of the signal. */
  constructor(settings: ComponentSettings, config: KafkaExporterConfig, signal: Signal) {
    const own = signalConfig(config, signal);
    if (own === undefined) {
      const message = `${settings.id}: encoding "${config.encoding}" is none of ${signal}`;
      throw new PipelineError('CONFIG_INVALID', message, { permanent: true });
    }
    this.#settings = settings;
    this.#config = config;
    this.#source = new RecordSource(config, own, signal);
    const { compression, level } = config.producer;
    this.#missing = settings.meter.counter('millrace_kafka_exporter_missing_partitions');
    this.#packer = compression === 'none' ? undefined : recordPacker(compression, level);
  }

  /** Reads certificates; connects with the first batch. @throws PipelineError START_FAILED. */
  async start(): Promise<void> {
    const { client: clientConfig, delivery, producer } = this.#config;
    const tokenSource = kafkaSasl(clientConfig)?.tokenSource;
    const auth =
      tokenSource === undefined ? undefined : await findClientAuthenticator(this.#settings, tokenSource);
    const timeoutMs = delivery.timeoutMs || REPLICA_TIMEOUT_MS;
    const client = await openKafkaClient(this.#settings, clientConfig, {
      connectTimeoutMs: timeoutMs,
      requestTimeoutMs: timeoutMs,
      ...(auth === undefined ? {} : { bearerToken: bearerTokens(auth, tokenSource!) }),
    });
    const { maxIntervalMs, randomizationFactor } = delivery.retry;
    this.#client = client;
    this.#producer = new KafkaProducer({
      ...producer,
      client,
      clock: this.#settings.clock,
      logger: this.#settings.logger,
      timeoutMs,
      metadataRefreshMs: clientConfig.metadata.refreshIntervalMs,
      retry: clientConfig.metadata.retry,
      orphanAfterMs: maxIntervalMs * (1 + randomizationFactor) + timeoutMs + ORPHAN_SLACK_MS,
      observe: new ProduceMetrics(this.#settings.meter),
    });
  }

  async shutdown(): Promise<void> {
    await this.#producer?.close();
    this.#client?.close();
    this.#packer?.close();
    this.#producer = undefined;
    this.#client = undefined;
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    const producer = this.#producer;
    if (producer === undefined)
      throw new PipelineError('SHUTTING_DOWN', 'the exporter is closed', { permanent: false });
    const state = this.#states.open(batch.batchId, () => this.#startOf(batch));
    this.#noteMissing(state);
    try {
      const parts = this.#source.topicParts(batch);
      for (const { topic } of parts) await this.#openTopic(producer, state, topic, signal);
      const sets = await this.#plan(batch, state, parts);
      await this.#sendAll(producer, state, sets, signal);
    } catch (error) {
      // It comes again in parts, whose ids are others.
      if (error instanceof PipelineError && error.permanent) this.#states.close(batch.batchId);
      throw error;
    }
    this.#states.close(batch.batchId);
  }

  #noteMissing(state: BatchState): void {
    for (const { topic, count } of this.#states.cutAnew(state)) {
      this.#missing.add(count);
      this.#settings.logger.warn('partitions of the topic are gone: what was open goes to those it has now', {
        topic,
        record_batches: count,
      });
    }
  }

  /** Batches begin where their id says, so that one that comes after a restart goes where it went before. */
  #startOf({ batchId }: ExportBatch): number {
    if (this.#config.partitioner.kind === 'round robin') return this.#turn++;
    return fnv1a(Buffer.from(batchId)) >>> 0;
  }

  async #openTopic(
    producer: KafkaProducer,
    state: BatchState,
    topic: string,
    signal: AbortSignal,
  ): Promise<void> {
    if (state.topics.has(topic)) return;
    const partitions = await producer.partitions(topic, signal);
    const led = partitions.filter(({ leader }) => leader >= 0);
    const { messageBytesMax } = this.#config.producer;
    const plan: TopicPlan = {
      partitionCount: partitions.length,
      open: (led.length > 0 ? led : partitions).map(({ partitionId }) => partitionId),
      bytesMax: Math.min(messageBytesMax, this.#learnedBytesMax.get(topic) ?? messageBytesMax),
    };
    state.topics.set(topic, plan);
  }

  async #plan(batch: ExportBatch, state: BatchState, parts: readonly TopicPart[]): Promise<PlannedSet[]> {
    const { partitioner, producer } = this.#config;
    const fixed = fixedHeaders(this.#config, batch.client);
    const plan = new BatchPlan({
      headers: new BatchHeaders(fixed, producer.batchIdHeader, batch.batchId),
      recordsMax: producer.recordsMax,
      hasher: partitioner.kind === 'round robin' ? undefined : partitioner.hasher,
      start: state.start,
    });
    for (const part of parts) {
      plan.openTopic(part.topic, state.topics.get(part.topic)!);
      await this.#source.addTo(plan, part, batch.client);
    }
    return plan.sets;
  }

  /** All at once; the producer keeps the order within each partition. */
  async #sendAll(
    producer: KafkaProducer,
    state: BatchState,
    sets: readonly PlannedSet[],
    signal: AbortSignal,
  ): Promise<void> {
    const { tickets } = state;
    const counts = new Map<string, number>();
    const results = await Promise.allSettled(
      sets.map((set) => {
        const own = tickets.get(set.topic) ?? [];
        tickets.set(set.topic, own);
        const index = counts.get(set.topic) ?? 0;
        counts.set(set.topic, index + 1);
        own[index] ??= newTicket(set.topic, set.partition);
        return this.#sendSet(producer, own[index], set, signal);
      }),
    );
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    const passing = errors.find((error) => !(error instanceof PipelineError && error.permanent));
    // What may still be written is waited for before anything is given up.
    if (errors.length > 0) throw passing ?? errors[0];
  }

  async #sendSet(
    producer: KafkaProducer,
    ticket: Ticket,
    set: PlannedSet,
    signal: AbortSignal,
  ): Promise<void> {
    if (ticket.isWritten) return;
    const { chunks, recordCount, sizeBytes } = set.records;
    const { compression } = this.#config.producer;
    const packed: PackedRecords = {
      chunks: this.#packer === undefined ? chunks : await this.#packer.pack(chunks, sizeBytes),
      codecId: CODEC_IDS[compression],
      recordCount,
      plainBytes: sizeBytes,
      timeUnixMs: this.#settings.clock.unixMs(),
    };
    try {
      await producer.send(ticket, packed, signal);
    } catch (error) {
      const { type } = readKafkaError((error as PipelineError).cause);
      if (type !== undefined && MESSAGE_TOO_LARGE_TYPES.has(type)) this.#learn(set);
      throw error;
    }
  }

  /** The broker takes less than we were told: what comes next, the parts of this batch first, is cut smaller. */
  #learn({ topic, records }: PlannedSet): void {
    const bytesMax = Math.max(records.sizeBytes >> 1, LEARNED_BYTES_MIN);
    const known = this.#learnedBytesMax.get(topic);
    if (known !== undefined && known <= bytesMax) return;
    this.#learnedBytesMax.set(topic, bytesMax);
    this.#settings.logger.warn('the topic takes smaller record batches than `max_message_bytes`', {
      topic,
      refused_bytes: records.sizeBytes,
      next_bytes: bytesMax,
    });
  }
}
