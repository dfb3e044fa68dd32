/** The receiver `awss3` with a queue: new objects, as messages tell of them, into pipelines. */
import type { Component } from '../../component/component.ts';
import type { RequestConsumer } from '../../component/consumer.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import { type InTurn, READS_MAX, readAhead } from '../../s3/archive-ahead.ts';
import { BucketArchive, isGone } from '../../s3/archive-bucket.ts';
import type { ArchiveObject, ArchiveStore } from '../../s3/archive-store.ts';
import { type QueueMessage, SqsQueue } from '../../s3/sqs-queue.ts';
import { Notifier, sleepUnlessAborted } from '../../stdx/abortable.ts';
import type { Awss3ReceiverConfig } from './config.ts';
import { type BucketEvents, parseNotification } from './event-notification.ts';
import { HELD_MESSAGES_MAX, type HeldMessage, HeldMessages } from './held-messages.ts';
import { ReceiverMetrics } from './metrics.ts';
import { ObjectProgress } from './object-position.ts';
import { ObjectReader } from './object-reader.ts';
import type { QueueConfig } from './queue-config.ts';

const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 60_000;
/** Between two questions when the first one was answered at once, with nothing. */
const EMPTY_PAUSE_MS = 1_000;
/** Objects that wait to be read before no more messages are received: a message may name many. */
const PENDING_OBJECTS_MAX = 1_000;
/** Objects of one turn of reading: what is done with is let go of behind it. */
const TURN_OBJECTS_MAX = 1_000;
const CLOSE_TIMEOUT_MS = 3_000;

interface Entry {
  object: ArchiveObject;
  message: HeldMessage;
}

export class QueueReceiver implements Component {
  readonly #settings: ComponentSettings;
  readonly #config: Awss3ReceiverConfig;
  readonly #queueConfig: QueueConfig;
  readonly #metrics: ReceiverMetrics;
  readonly #stop = new AbortController();
  readonly #reader: ObjectReader;
  readonly #changed = new Notifier();
  /** In the order of their messages; those before `#taken` are done with. */
  readonly #pending: Entry[] = [];
  #taken = 0;
  #running: Promise<void> | undefined;

  constructor(
    settings: ComponentSettings,
    config: Awss3ReceiverConfig,
    queue: QueueConfig,
    next: RequestConsumer,
  ) {
    this.#settings = settings;
    this.#config = config;
    this.#queueConfig = queue;
    const metrics = new ReceiverMetrics(settings.meter, settings.id);
    this.#metrics = metrics;
    this.#reader = new ObjectReader({ settings, config, next, metrics, stop: this.#stop.signal });
    this.#stop.signal.addEventListener('abort', () => this.#changed.notify(), { once: true });
  }

  /** The store and the queue may be away: what they say is logged, and they are asked again. */
  async start(): Promise<void> {
    this.#reader.assertNamesTell();
    const { clock, logger } = this.#settings;
    const { connection, bucket, prefix } = this.#config.downloader;
    const stop = this.#stop.signal;
    const store = await BucketArchive.open(
      connection,
      { bucket, prefix },
      { connectionsMax: READS_MAX + 2, seed: clock.unixMs() >>> 0, stop },
    );
    const { queueUrl, region, endpoint, deletesMessages } = this.#queueConfig;
    const queue = await SqsQueue.open({ queueUrl, region, endpoint, connection });
    const held = new HeldMessages({
      ...{ queue, deletes: deletesMessages, clock, logger, stop },
      onCount: (count) => this.#metrics.heldMessages.set(count),
    });
    logger.info('reading new objects', { queue: queueUrl, from: store.name });
    this.#running = this.#run(store, queue, held);
  }

  async shutdown(deadlineMs: number): Promise<void> {
    this.#stop.abort();
    const leftMs = Math.max(deadlineMs - this.#settings.clock.monotonicMs(), 0);
    const deadline = new AbortController();
    await Promise.race([this.#running, sleepUnlessAborted(leftMs, deadline.signal)]);
    deadline.abort();
    this.#running = undefined;
  }

  async #run(store: ArchiveStore, queue: SqsQueue, held: HeldMessages): Promise<void> {
    await Promise.all([this.#receive(queue, held), this.#readPending(store, held), held.run()]);
    await this.#reader.settled();
    await held.close(AbortSignal.timeout(CLOSE_TIMEOUT_MS));
    queue.close();
    await store.close();
  }

  async #receive(queue: SqsQueue, held: HeldMessages): Promise<void> {
    const { clock, logger } = this.#settings;
    const { messagesMax, waitSeconds } = this.#queueConfig;
    const stop = this.#stop.signal;
    let waitMs = RETRY_MS_MIN;
    while (!stop.aborted) {
      await held.atMost(HELD_MESSAGES_MAX - messagesMax);
      while (this.#pending.length - this.#taken > PENDING_OBJECTS_MAX && !stop.aborted)
        await this.#changed.wait();
      if (stop.aborted) return;
      const askedMs = clock.monotonicMs();
      try {
        const messages = await queue.receive({ messagesMax, waitSeconds }, stop);
        for (const message of messages) this.#accept(message, held);
        waitMs = RETRY_MS_MIN;
        if (messages.length > 0) continue;
        await sleepUnlessAborted(Math.max(askedMs + EMPTY_PAUSE_MS - clock.monotonicMs(), 0), stop);
      } catch (error) {
        if (stop.aborted) return;
        logger.error('the queue cannot be read, will be tried again', {
          ...{ error: String(error), interval_ms: waitMs },
        });
        await sleepUnlessAborted(waitMs, stop);
        waitMs = Math.min(waitMs * 2, RETRY_MS_MAX);
      }
    }
  }

  #accept(message: QueueMessage, all: HeldMessages): void {
    const held = all.add(message);
    if (held === undefined) return;
    const { bucket, prefix } = this.#config.downloader;
    const told = parseNotification(message.body, { bucket, prefix });
    if (told.kind === 'malformed') {
      this.#metrics.countMessage('malformed');
      const fields = { message_id: message.id, error: told.reason };
      this.#settings.logger.error('a message of the queue tells of no object: it stays there', fields);
      all.letGo(held);
    } else if (told.kind === 'test') {
      this.#metrics.countMessage('test');
      all.finish(held);
    } else this.#acceptObjects(held, told, all);
  }

  #acceptObjects(message: HeldMessage, { objects, leftOut }: BucketEvents, all: HeldMessages): void {
    this.#metrics.countLeftOut(leftOut);
    for (const { key, sizeBytes } of objects) {
      if (this.#reader.signalOf(key) === undefined) {
        this.#metrics.countObject('left_out');
        this.#settings.logger.info('an object is none of the signals of this receiver: left out', { key });
        continue;
      }
      message.openObjects++;
      this.#pending.push({ object: { key, sizeBytes, modifiedUnixMs: 0 }, message });
    }
    if (message.openObjects > 0) return this.#changed.notify();
    this.#metrics.countMessage('left_out');
    all.finish(message);
  }

  async #readPending(store: ArchiveStore, held: HeldMessages): Promise<void> {
    const stop = this.#stop.signal;
    let waitMs = RETRY_MS_MIN;
    while (!stop.aborted) {
      if (this.#pending.length === 0) {
        await this.#changed.wait();
        continue;
      }
      try {
        for await (const turned of readAhead(store, this.#turn(), stop)) {
          await this.#take(turned, held);
          if (stop.aborted) return;
          waitMs = RETRY_MS_MIN;
          this.#taken++;
          this.#changed.notify();
        }
      } catch (error) {
        if (stop.aborted) return;
        this.#fail(this.#pending[this.#taken++]!, error, waitMs, held);
        // What was read ahead is read again behind the pause: the store may be away.
        await sleepUnlessAborted(waitMs, stop);
        waitMs = Math.min(waitMs * 2, RETRY_MS_MAX);
      }
      this.#pending.splice(0, this.#taken);
      this.#taken = 0;
      this.#changed.notify();
    }
  }

  /** Also what is added while they are read. */
  async *#turn(): AsyncGenerator<Entry> {
    for (let index = 0; index < Math.min(this.#pending.length, TURN_OBJECTS_MAX); index++)
      yield this.#pending[index]!;
  }

  async #take({ entry, chunks }: InTurn<Entry>, held: HeldMessages): Promise<void> {
    const { object, message } = entry;
    const { key } = object;
    // Another object of its message failed, and all of them come back.
    if (!held.has(message)) return;
    const signal = this.#reader.signalOf(key);
    // The pipelines were others when its message came.
    if (signal === undefined) return this.#leaveOut(message, held);
    const progress = new ObjectProgress(key, 0);
    const settle = () => {
      if (progress.isDone) this.#finish(message, held);
    };
    const counted = this.#counted(chunks);
    const failure = await this.#reader.read(progress, signal, counted, settle);
    if (this.#stop.signal.aborted) return;
    if (failure !== undefined && isGone(failure)) this.#gone(key);
    else if (failure?.code === 'ARCHIVE_UNREADABLE') throw failure;
    else this.#reader.countObject(key, failure);
    progress.isRead = true;
    settle();
  }

  async *#counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#metrics.bytes.add(chunk.length);
      yield chunk;
    }
  }

  #finish(message: HeldMessage, held: HeldMessages): void {
    if (--message.openObjects > 0 || !held.has(message)) return;
    this.#metrics.countMessage('stored');
    held.finish(message);
  }

  #leaveOut(message: HeldMessage, held: HeldMessages): void {
    this.#metrics.countObject('left_out');
    this.#finish(message, held);
  }

  #gone(key: string): void {
    this.#metrics.countObject('gone');
    this.#settings.logger.warn('an object is gone before it was read', { key });
  }

  #fail({ object, message }: Entry, error: unknown, waitMs: number, held: HeldMessages): void {
    this.#settings.logger.error('an object cannot be read: its message stays in the queue', {
      ...{ key: object.key, error: String(error), interval_ms: waitMs },
    });
    this.#metrics.countMessage('failed');
    held.letGo(message);
  }
}
