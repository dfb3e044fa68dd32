/**
 * One membership in a consumer group, from its first connection to its end: hands records out in order, and commits
 * how far they are done. The client's own commits are off: it would count what it handed out.
 *
 * | event                                | what becomes of partitions                                                |
 * | ------------------------------------ | ------------------------------------------------------------------------- |
 * | the group rebalances                 | what is done is committed at once; those that stay go on where they were  |
 * | a partition goes to another member   | what is in flight may be read twice; it is committed no more              |
 * | the member was forgotten or crashed  | all are lost; the next session begins at what was committed               |
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ComponentSettings } from '../component/settings.ts';
import { within } from '../stdx/abortable.ts';
import type { Consumer, EachBatchPayload, Kafka } from './client.ts';
import type { RebalanceStrategy } from './consumer-assign.ts';
import { partitionAssigner } from './consumer-assigners.ts';
import { PartitionOffsets } from './consumer-offsets.ts';
import { NO_GENERATION } from './consumer-protocol.ts';
import { uncommittedEnds } from './consumer-start.ts';
import { type KafkaRecord, partsOf } from './fetched-batches.ts';
import type { RecordTaker } from './record-taker.ts';

export interface ConsumerKeys {
  groupId: string;
  rackId: string;
  initialOffset: 'latest' | 'earliest';
  sessionTimeoutMs: number;
  heartbeatIntervalMs: number;
  rebalanceStrategies: readonly RebalanceStrategy[];
  fetchBytesMin: number;
  fetchBytesMax: number;
  fetchPartitionBytesMax: number;
  fetchWaitMs: number;
  /** 0: as soon as something is done. */
  commitIntervalMs: number;
  metadataMaxAgeMs: number;
}

export interface SessionOptions {
  kafka: Kafka;
  keys: ConsumerKeys;
  topics: readonly string[];
  taker: RecordTaker;
  settings: Pick<ComponentSettings, 'logger' | 'clock'>;
}

/** Members have this long to join again once the group rebalances; the client looks at the latest between two fetches. */
const REBALANCE_TIMEOUT_MS = 60_000;
/** Between two tries of a record that was refused; whatever is finished ends the wait. */
const ROOM_WAIT_MS = 20;
const DRAIN_LOOK_MS = 5;
/** Partitions that have a batch unpacked at a time: while one waits for its turn, another is unpacked. */
const HANDLERS = 2;

export class ConsumerSession {
  readonly #options: SessionOptions;
  readonly #consumer: Consumer;
  #partitions = new Map<string, PartitionOffsets>();
  #memberId = '';
  #generation = NO_GENERATION;
  #isDraining = false;
  #isStopped = false;
  #begun: Promise<void> = Promise.resolve();
  #committing: Promise<void> | undefined;
  #isCommitWanted = false;
  #commitTimer: NodeJS.Timeout | undefined;
  #wakeWaiters: (() => void)[] = [];
  #end!: (error?: unknown) => void;
  readonly #ended = new Promise<unknown>((resolve) => {
    this.#end = resolve;
  });

  constructor(options: SessionOptions) {
    this.#options = options;
    const { kafka, keys } = options;
    const state = () => ({ owned: this.#owned(), generation: this.#generation });
    this.#consumer = kafka.consumer({
      groupId: keys.groupId,
      sessionTimeout: keys.sessionTimeoutMs,
      heartbeatInterval: keys.heartbeatIntervalMs,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      metadataMaxAge: keys.metadataMaxAgeMs,
      minBytes: keys.fetchBytesMin,
      maxBytes: keys.fetchBytesMax,
      maxBytesPerPartition: keys.fetchPartitionBytesMax,
      maxWaitTimeInMs: keys.fetchWaitMs,
      rackId: keys.rackId,
      allowAutoTopicCreation: false,
      partitionAssigners: keys.rebalanceStrategies.map((strategy) => partitionAssigner(strategy, state)),
      // Sessions are begun anew by their owner, which also says why.
      retry: { restartOnFailure: async () => false },
    });
    this.#listen();
  }

  get topics(): readonly string[] {
    return this.#options.topics;
  }

  /**
   * Reads until `stop` or a failure.
   * @param onJoined called when the group has taken the member in, again after each rebalance.
   * @throws what the client says about why it could not begin or go on.
   */
  async run(onJoined: () => void): Promise<void> {
    const { keys } = this.#options;
    const consumer = this.#consumer;
    consumer.on(consumer.events.GROUP_JOIN, onJoined);
    const begun = this.#begin();
    this.#begun = begun.catch(() => undefined);
    await begun;
    if (keys.commitIntervalMs > 0 && !this.#isStopped) {
      this.#commitTimer = setInterval(() => void this.#commit(), keys.commitIntervalMs);
    }
    const error = await this.#ended;
    if (error !== undefined) throw error;
  }

  /** A client that is stopped while it joins goes on to join, and would stay a member that nobody reads for. */
  async #begin(): Promise<void> {
    const { keys, topics } = this.#options;
    const consumer = this.#consumer;
    await consumer.connect();
    if (!this.#isStopped) {
      await consumer.subscribe({ topics: [...topics], fromBeginning: keys.initialOffset === 'earliest' });
    }
    if (!this.#isStopped) {
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: HANDLERS,
        eachBatch: (payload) => this.#takeBatch(payload),
      });
    }
    if (this.#isStopped) await this.#leave();
  }

  /**
   * Takes nothing more, waits for what is in flight, commits it and leaves the group; whatever of that is not done at
   * the deadline is left. Also after a failure, where it only lets go.
   */
  async stop(deadlineMs: number): Promise<void> {
    const { clock } = this.#options.settings;
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#isDraining = true;
    this.#wake();
    while (this.#inFlightCount() > 0 && clock.monotonicMs() < deadlineMs) await sleep(DRAIN_LOOK_MS);
    clearInterval(this.#commitTimer);
    await within(this.#commit(), deadlineMs - clock.monotonicMs());
    await within(this.#begun, deadlineMs - clock.monotonicMs());
    await within(this.#leave(), deadlineMs - clock.monotonicMs());
    this.#loseAll();
    this.#end();
  }

  async #leave(): Promise<void> {
    await this.#consumer.disconnect().catch((error: unknown) => {
      this.#options.settings.logger.debug('the consumer did not leave cleanly', { error: String(error) });
    });
  }

  /** Something was finished: there may be room, and something to commit. */
  finished(): void {
    if (this.#wakeWaiters.length > 0) this.#wake();
    if (this.#options.keys.commitIntervalMs === 0) void this.#commit();
  }

  /** Reads nothing more of the partition until `release`. */
  hold(offsets: PartitionOffsets): void {
    offsets.isHeld = true;
    this.#pause([offsets]);
  }

  release(offsets: PartitionOffsets): void {
    offsets.isHeld = false;
    this.#resume([offsets]);
  }

  #listen(): void {
    const consumer = this.#consumer;
    const { GROUP_JOIN, HEARTBEAT, REBALANCING, COMMIT_OFFSETS, CRASH } = consumer.events;
    consumer.on(GROUP_JOIN, ({ payload }) => this.#joined(payload.memberId, payload.memberAssignment));
    consumer.on(HEARTBEAT, ({ payload }) => {
      this.#generation = payload.groupGenerationId;
    });
    // Sent before the request to join again, so the group still takes it.
    consumer.on(REBALANCING, () => void this.#commit());
    consumer.on(COMMIT_OFFSETS, ({ payload }) => {
      for (const { topic, partitions } of payload.topics)
        for (const { partition, offset } of partitions)
          this.#partitions.get(placeName(topic, partition))?.committed(Number(offset));
    });
    consumer.on(CRASH, ({ payload }) => this.#end(payload.error));
  }

  /** With the same member id no generation of the group passed without us, so what we keep nobody else had. */
  #joined(memberId: string, assignment: Readonly<Record<string, readonly number[]>>): void {
    const { taker } = this.#options;
    const before = this.#partitions;
    const kept = memberId === this.#memberId ? before : new Map<string, PartitionOffsets>();
    const now = new Map<string, PartitionOffsets>();
    const fresh: PartitionOffsets[] = [];
    for (const [topic, partitions] of Object.entries(assignment)) {
      for (const partition of partitions) {
        const name = placeName(topic, partition);
        const old = kept.get(name);
        const offsets = old ?? new PartitionOffsets(topic, partition);
        now.set(name, offsets);
        if (old === undefined) fresh.push(offsets);
        // The client would go on at what was committed and read again what is in flight.
        else if (old.nextOffset !== undefined) this.#seek(old, old.nextOffset);
      }
    }
    this.#memberId = memberId;
    this.#partitions = now;
    for (const [name, offsets] of before) if (now.get(name) !== offsets) this.#lose(offsets);
    for (const offsets of fresh) taker.partitionStarted(offsets);
    if (fresh.length > 0 && this.#options.keys.initialOffset === 'latest') void this.#pinStart(fresh);
  }

  /**
   * `latest` is where a partition ends when it is first seen. Committed at once, because records that come while a
   * crashed process is away before its first commit would otherwise be stepped over.
   */
  async #pinStart(fresh: readonly PartitionOffsets[]): Promise<void> {
    const { kafka, keys } = this.#options;
    this.#pause(fresh);
    try {
      const found = (await uncommittedEnds(kafka, keys.groupId, fresh)).filter(
        ({ offsets }) => offsets.isOurs,
      );
      for (const { offsets, end } of found) {
        offsets.passTo(end);
        this.#seek(offsets, end);
      }
      if (found.length > 0) await this.#commit();
      this.#resume(fresh.filter(({ isOurs, isHeld }) => isOurs && !isHeld));
    } catch (error) {
      this.#end(error);
    }
  }

  async #takeBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset } = payload;
    const offsets = this.#partitions.get(placeName(batch.topic, batch.partition));
    if (offsets === undefined || offsets.isHeld || this.#isDraining) return;
    const { fetchedOffset } = batch as unknown as { fetchedOffset: string };
    let taken: number | undefined;
    try {
      for (const part of partsOf(batch.messages)) {
        const packed = part.isPacked ? await part.unpacked() : undefined;
        if (packed !== undefined && this.#isOver(payload, offsets)) return;
        const records = part.records(Number(fetchedOffset), packed);
        this.#options.taker.batchRead(offsets, records, Number(batch.highWatermark) - 1 - part.lastOffset);
        for (const record of records) {
          if (!this.#tryTake(offsets, record) && !(await this.#takeWithRoom(payload, offsets, record)))
            return;
          taken = record.offset;
        }
        taken = part.lastOffset;
      }
      offsets.passTo(Number(batch.lastOffset()) + 1);
    } finally {
      if (taken !== undefined && offsets.isOurs) resolveOffset(String(taken));
    }
  }

  #isOver({ isRunning, isStale }: EachBatchPayload, offsets: PartitionOffsets): boolean {
    return this.#isDraining || !isRunning() || isStale() || offsets.isHeld || !offsets.isOurs;
  }

  #tryTake(offsets: PartitionOffsets, record: KafkaRecord): boolean {
    // Taken first, because the taker may finish it before it returns.
    offsets.take(record.offset);
    if (this.#options.taker.tryTake(offsets, record)) return true;
    offsets.giveBack(record.offset);
    return false;
  }

  /** Waits with its hands full: nothing more is fetched meanwhile. @returns false when the record is not ours any more. */
  async #takeWithRoom(
    payload: EachBatchPayload,
    offsets: PartitionOffsets,
    record: KafkaRecord,
  ): Promise<boolean> {
    for (;;) {
      await this.#room();
      // Throws when the group rebalances, which ends the batch and lets the client join again.
      await payload.heartbeat();
      if (this.#isOver(payload, offsets)) return false;
      if (this.#tryTake(offsets, record)) return true;
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ROOM_WAIT_MS);
      this.#wakeWaiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wake(): void {
    for (const wake of this.#wakeWaiters.splice(0)) wake();
  }

  /** One at a time, or an older one could come after a newer one. */
  #commit(): Promise<void> {
    this.#isCommitWanted = true;
    this.#committing ??= this.#commitAll().finally(() => {
      this.#committing = undefined;
    });
    return this.#committing;
  }

  async #commitAll(): Promise<void> {
    while (this.#isCommitWanted) {
      this.#isCommitWanted = false;
      const offsets = [...this.#partitions.values()].flatMap(({ topic, partition, committable }) =>
        committable === undefined ? [] : [{ topic, partition, offset: String(committable) }],
      );
      if (offsets.length > 0) await this.#commitOffsets(offsets);
    }
  }

  /** A failed one is made up for by the next: nothing counts as committed until the group has said so. */
  async #commitOffsets(offsets: { topic: string; partition: number; offset: string }[]): Promise<void> {
    try {
      await this.#consumer.commitOffsets(offsets);
    } catch (error) {
      this.#options.settings.logger.warn('offsets could not be committed yet', { error: String(error) });
    }
  }

  #inFlightCount(): number {
    let count = 0;
    for (const offsets of this.#partitions.values()) if (!offsets.isHeld) count += offsets.inFlightCount;
    return count;
  }

  #owned(): Map<string, number[]> {
    const owned = new Map<string, number[]>();
    for (const { topic, partition } of this.#partitions.values()) {
      const partitions = owned.get(topic);
      if (partitions === undefined) owned.set(topic, [partition]);
      else partitions.push(partition);
    }
    return owned;
  }

  #lose(offsets: PartitionOffsets): void {
    offsets.isOurs = false;
    // The client keeps a pause over rebalances, and the partition may come back.
    this.#resume([offsets]);
    this.#options.taker.partitionEnded(offsets);
  }

  #loseAll(): void {
    for (const offsets of this.#partitions.values()) this.#lose(offsets);
    this.#partitions = new Map();
    this.#wake();
  }

  #seek({ topic, partition }: PartitionOffsets, offset: number): void {
    this.#whileRunning(() => this.#consumer.seek({ topic, partition, offset: String(offset) }));
  }

  #pause(all: readonly PartitionOffsets[]): void {
    const places = all.map(({ topic, partition }) => ({ topic, partitions: [partition] }));
    this.#whileRunning(() => this.#consumer.pause(places));
  }

  #resume(all: readonly PartitionOffsets[]): void {
    const places = all.map(({ topic, partition }) => ({ topic, partitions: [partition] }));
    this.#whileRunning(() => this.#consumer.resume(places));
  }

  /** Once the client has ended by itself, it refuses calls that would have no meaning any more. */
  #whileRunning(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.settings.logger.debug('the consumer is not running', { error: String(error) });
    }
  }
}

function placeName(topic: string, partition: number): string {
  return `${topic} ${partition}`;
}
