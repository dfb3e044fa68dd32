/**
 * Writes record batches: one request for all partitions of a broker that have something to send, one batch in flight
 * for each partition, retries in place. With `acks` all and idempotence what is written twice by this producer is in
 * the log once (see producer-lane.ts); a new producer, after a restart, is not recognised.
 */
import { PipelineError } from '../component/errors.ts';
import type { Logger } from '../component/settings.ts';
import { sleepUnlessAborted } from '../stdx/abortable.ts';
import type { Clock } from '../stdx/clock.ts';
import type { KafkaBroker, KafkaClient, KafkaPartition } from './client.ts';
import { kafkaError, readKafkaError } from './errors.ts';
import type { PartitionBatch } from './produce-request.ts';
import { isStaleMetadata, type ProduceOutcome, produceOutcome } from './producer-answers.ts';
import { BrokerQueue } from './producer-broker-queue.ts';
import { ProducerBrokers } from './producer-brokers.ts';
import { type Job, Lane, type PackedRecords, type Ticket } from './producer-lane.ts';
import { BATCH_HEAD_BYTES, encodeBatchHead, NO_PRODUCER, type ProducerStamp } from './record-batch.ts';

export interface ProducerSettings {
  client: KafkaClient;
  clock: Clock;
  logger: Logger;
  acks: -1 | 0 | 1;
  /** With `acks` -1 only. */
  isIdempotent: boolean;
  allowsAutoTopicCreation: boolean;
  /** What brokers give their replicas. */
  timeoutMs: number;
  /** Bound of one request; a batch that is larger goes alone. */
  requestBytesMax: number;
  metadataRefreshMs: number;
  retry: { max: number; backoffMs: number };
  /** How long a batch of unknown outcome may keep others back when nobody sends it again. */
  orphanAfterMs: number;
  observe?: ProducerObserver;
}

export interface ProducerObserver {
  /** Once for each batch that was answered or given up; `latencyMs` of its request. */
  batch(
    topic: string,
    partition: number,
    node: KafkaBroker,
    records: PackedRecords,
    latencyMs: number,
    isOk: boolean,
  ): void;
}

interface Step {
  outcome: ProduceOutcome;
  error: unknown;
}

export class KafkaProducer {
  readonly #settings: ProducerSettings;
  readonly #brokers: ProducerBrokers;
  readonly #lanes = new Map<string, Lane>();
  readonly #queues = new Map<number, BrokerQueue>();
  readonly #closing = new AbortController();
  #producer: Promise<{ id: bigint; epoch: number }> | undefined;
  #orphanTimer: NodeJS.Timeout | undefined;

  constructor(settings: ProducerSettings) {
    const { client, clock, allowsAutoTopicCreation, metadataRefreshMs } = settings;
    this.#settings = settings;
    const pool = client.brokerPool({ allowsAutoTopicCreation });
    this.#brokers = new ProducerBrokers({ client, pool, clock, refreshIntervalMs: metadataRefreshMs });
  }

  /**
   * Never empty.
   * @throws PipelineError as kafkaError; at once when the signal aborts.
   */
  async partitions(topic: string, signal: AbortSignal): Promise<readonly KafkaPartition[]> {
    const { retry, client } = this.#settings;
    for (let tries = 0; ; tries++) {
      try {
        return await untilAborted(this.#brokers.partitions(topic), signal);
      } catch (error) {
        const isLast = tries >= retry.max || readKafkaError(error).kind !== 'passing';
        if (isLast || !(await sleepUnlessAborted(retry.backoffMs, signal)))
          throw kafkaError(error, `topic "${topic}" at ${client.peer}`);
      }
    }
  }

  /**
   * Resolves when the records are in the log; at once for a ticket that already is.
   *
   * @param signal aborted when this attempt is over. The ticket stays open then: send it again, with the same records.
   * @throws PipelineError as kafkaError.
   */
  send(ticket: Ticket, records: PackedRecords, signal: AbortSignal): Promise<void> {
    if (ticket.isWritten) return Promise.resolve();
    const lane = this.#lane(ticket);
    return new Promise((resolve, reject) => {
      let isSettled = false;
      const job: Job = {
        ticket,
        records,
        signal,
        isSettled: () => isSettled,
        settle: (error) => {
          if (isSettled) return;
          isSettled = true;
          signal.removeEventListener('abort', onAbort);
          if (error === undefined) resolve();
          else reject(this.#named(error, ticket));
        },
      };
      const onAbort = () => {
        lane.remove(job);
        job.settle(attemptEnded());
      };
      if (signal.aborted || this.#closing.signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      lane.push(job);
      void this.#drain(lane);
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#orphanTimer);
    await this.#brokers.close();
  }

  #lane({ topic, partition }: Ticket): Lane {
    const key = `${partition}/${topic}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(topic, partition, this.#settings.clock);
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  /** Never rejects. */
  async #drain(lane: Lane): Promise<void> {
    if (lane.isBusy) return;
    lane.isBusy = true;
    for (let job = lane.take(); job !== undefined; job = lane.take()) await this.#deliver(lane, job);
    lane.isBusy = false;
    if (lane.waitingCount > 0) this.#watchOrphans();
  }

  async #deliver(lane: Lane, job: Job): Promise<void> {
    const { retry } = this.#settings;
    const closing = this.#closing.signal;
    for (let tries = 0; !job.isSettled() && !closing.aborted; tries++) {
      const wasOpen = job.ticket.stamp !== undefined;
      const step = await this.#step(lane, job);
      if (step.outcome === 'written') {
        lane.written(job.ticket);
        return job.settle();
      }
      this.#note(lane, job.ticket, step.outcome, wasOpen);
      const isPassing = step.outcome !== 'refused' && readKafkaError(step.error).kind === 'passing';
      if (!isPassing || tries >= retry.max) return job.settle(step.error);
      // An attempt that ends meanwhile needs the lane no longer.
      await sleepUnlessAborted(retry.backoffMs, AbortSignal.any([job.signal, closing]));
    }
    job.settle(new PipelineError('SHUTTING_DOWN', 'the producer is closed', { permanent: false }));
  }

  /** What a failed step says about the number of a batch. */
  #note(lane: Lane, ticket: Ticket, outcome: ProduceOutcome, wasOpen: boolean): void {
    if (outcome === 'out of step') this.#renewProducer(lane, ticket);
    // An earlier sending of it may have been written, whatever became of this one; too large it was then as well.
    else if (outcome === 'refused' || (outcome === 'absent' && !wasOpen)) lane.absent(ticket);
  }

  /** One sending. Never rejects. */
  async #step(lane: Lane, job: Job): Promise<Step> {
    const { topic, partition } = lane;
    let isWritten = false;
    try {
      const partitions = await this.#brokers.partitions(topic);
      const found = partitions.find(({ partitionId }) => partitionId === partition);
      if (found === undefined) {
        lane.missing(job.ticket);
        throw new Error(`the topic has no partition ${partition} any more`);
      }
      lane.found();
      const { leader } = found;
      if (leader < 0) throw new Error(`partition ${partition} has no leader`);
      const broker = await this.#brokers.broker(leader);
      const producer = this.#settings.isIdempotent ? await this.#producerId() : undefined;
      if (job.isSettled()) return { outcome: 'absent', error: undefined };
      isWritten = true;
      const { ticket, records } = job;
      const stamp = producer === undefined ? NO_PRODUCER : lane.open(ticket, records.recordCount, producer);
      return await this.#exchange(broker, leader, lane, job, stamp);
    } catch (error) {
      this.#brokers.forget(topic);
      return { outcome: isWritten ? 'unknown' : 'absent', error };
    }
  }

  #producerId(): Promise<{ id: bigint; epoch: number }> {
    this.#producer ??= this.#brokers.newProducerId().catch((error) => {
      this.#producer = undefined;
      throw error;
    });
    return this.#producer;
  }

  async #exchange(
    broker: KafkaBroker,
    leader: number,
    lane: Lane,
    job: Job,
    stamp: ProducerStamp,
  ): Promise<Step> {
    const { records } = job;
    const { clock, client, observe } = this.#settings;
    const head = encodeBatchHead(records.chunks, { ...records, producer: stamp });
    const sizeBytes = records.chunks.reduce((sum, chunk) => sum + chunk.length, BATCH_HEAD_BYTES);
    const batch: PartitionBatch = {
      topic: lane.topic,
      partition: lane.partition,
      chunks: [head, ...records.chunks],
      sizeBytes,
    };
    const startedMs = clock.monotonicMs();
    let errorCode: number | undefined;
    try {
      const answer = await this.#queue(leader).send(broker, batch, job.signal);
      errorCode = answer?.errorCode ?? 0;
      const outcome = produceOutcome(errorCode);
      if (isStaleMetadata(errorCode)) this.#brokers.forget(lane.topic);
      return { outcome, error: outcome === 'written' ? undefined : client.protocolError(errorCode) };
    } finally {
      const isOk = errorCode === 0;
      observe?.batch(lane.topic, lane.partition, broker, records, clock.monotonicMs() - startedMs, isOk);
    }
  }

  #queue(nodeId: number): BrokerQueue {
    let queue = this.#queues.get(nodeId);
    if (queue === undefined) {
      const { acks, timeoutMs, requestBytesMax } = this.#settings;
      queue = new BrokerQueue(this.#brokers, { acks, timeoutMs }, requestBytesMax);
      this.#queues.set(nodeId, queue);
    }
    return queue;
  }

  /** Goes on under a new id, once for all that were out of step under the old one. */
  #renewProducer(lane: Lane, ticket: Ticket): void {
    const { stamp } = ticket;
    ticket.stamp = undefined;
    lane.forgetOpen();
    void this.#producer?.then(
      (producer) => {
        if (stamp?.id === producer.id) this.#giveUpProducer('a broker does not know this producer any more');
      },
      () => undefined,
    );
  }

  #giveUpProducer(reason: string): void {
    this.#producer = undefined;
    for (const lane of this.#lanes.values()) lane.forgetOpen();
    this.#settings.logger.warn('a new producer id is taken; batches without an answer may be written twice', {
      reason,
    });
  }

  /** A batch that was given up elsewhere would keep its partition for ever. */
  #watchOrphans(): void {
    if (this.#orphanTimer !== undefined || this.#closing.signal.aborted) return;
    const { orphanAfterMs, clock } = this.#settings;
    this.#orphanTimer = setTimeout(() => {
      this.#orphanTimer = undefined;
      const nowMs = clock.monotonicMs();
      const blocked = [...this.#lanes.values()].filter((lane) => lane.blockedSinceMs() !== undefined);
      if (blocked.length === 0) return;
      if (blocked.some((lane) => nowMs - lane.blockedSinceMs()! >= orphanAfterMs)) {
        this.#giveUpProducer('a batch whose outcome is not known was not sent again');
        for (const lane of blocked) void this.#drain(lane);
      } else this.#watchOrphans();
    }, orphanAfterMs / 4);
    this.#orphanTimer.unref();
  }

  #named(error: unknown, { topic, partition }: Ticket): PipelineError {
    return kafkaError(error, `topic "${topic}", partition ${partition}, at ${this.#settings.client.peer}`);
  }
}

/** @throws PipelineError EXPORT_TIMEOUT when the signal aborts first; the promise is left to itself then. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(attemptEnded());
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function attemptEnded(): PipelineError {
  return new PipelineError('EXPORT_TIMEOUT', 'the attempt was ended', { permanent: false });
}
