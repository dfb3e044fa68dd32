/** The receiver `awss3`: what an archive holds of a time range, once, into pipelines. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Component } from '../../component/component.ts';
import type { RequestConsumer } from '../../component/consumer.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { type InTurn, READS_MAX, readAhead } from '../../s3/archive-ahead.ts';
import { BucketArchive } from '../../s3/archive-bucket.ts';
import { foldersOf, listArchive } from '../../s3/archive-list.ts';
import { parseArchiveName } from '../../s3/archive-name.ts';
import { readArchiveObject } from '../../s3/archive-object.ts';
import type { ArchiveObject, ArchiveStore } from '../../s3/archive-store.ts';
import { sleepUnlessAborted } from '../../stdx/abortable.ts';
import { type Awss3ReceiverConfig, parseTime } from './config.ts';
import { MessageIntake } from './message-intake.ts';
import { ReceiverMetrics } from './metrics.ts';
import { ObjectProgress, PositionFile, START, type StoredPosition } from './object-position.ts';

const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 60_000;
const SAVED_EVERY_MS = 1_000;

interface Entry {
  object: ArchiveObject;
}

export class Awss3Receiver implements Component {
  readonly #settings: ComponentSettings;
  readonly #config: Awss3ReceiverConfig;
  readonly #next: RequestConsumer;
  readonly #metrics: ReceiverMetrics;
  readonly #stop = new AbortController();
  readonly #intake: MessageIntake;
  /** In the order of their keys; the first one is not done with. */
  readonly #objects: ObjectProgress[] = [];
  #position: StoredPosition = START;
  #file: PositionFile | undefined;
  #savedMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;

  constructor(settings: ComponentSettings, config: Awss3ReceiverConfig, next: RequestConsumer) {
    this.#settings = settings;
    this.#config = config;
    this.#next = next;
    this.#metrics = new ReceiverMetrics(settings.meter, settings.id);
    const { messageBytesMax } = config;
    this.#intake = new MessageIntake({
      next,
      metrics: this.#metrics,
      messageBytesMax,
      stop: this.#stop.signal,
    });
  }

  /** The store may be away: what it says is logged, and tried again. */
  async start(): Promise<void> {
    const { id, dataDir, logger } = this.#settings;
    if (!this.#config.downloader.includesSignal && this.#next.signals.size !== 1) {
      const message = `receiver ${id}: without file_prefix_include_telemetry_type it must be in pipelines of one signal`;
      throw new PipelineError('START_FAILED', message, { permanent: true });
    }
    if (dataDir !== undefined) {
      this.#file = new PositionFile(
        join(dataDir, 'awss3', `${encodeURIComponent(id)}.json`),
        this.#fingerprint(),
      );
      this.#position = await this.#file.read();
    }
    if (this.#position.isFinished) {
      logger.info('the whole range was read before; another range or an empty data directory reads again');
      return;
    }
    const store = await this.#open();
    this.#running = this.#run(store).finally(() => store.close());
  }

  #open(): Promise<BucketArchive> {
    const { connection, bucket, prefix } = this.#config.downloader;
    const options = {
      connectionsMax: READS_MAX + 2,
      seed: this.#settings.clock.unixMs() >>> 0,
      stop: this.#stop.signal,
    };
    return BucketArchive.open(connection, { bucket, prefix }, options);
  }

  #fingerprint(): string {
    const { startTime, endTime, downloader } = this.#config;
    const { bucket, prefix, partitionFormat, timeZone, filePrefix, includesSignal, connection } = downloader;
    const words = [startTime, endTime, bucket, prefix, partitionFormat, timeZone, filePrefix, includesSignal];
    const all = JSON.stringify([...words, connection.endpoint ?? '', [...this.#next.signals].sort()]);
    return createHash('sha256').update(all).digest('hex');
  }

  async shutdown(deadlineMs: number): Promise<void> {
    this.#stop.abort();
    const leftMs = Math.max(deadlineMs - this.#settings.clock.monotonicMs(), 0);
    const deadline = new AbortController();
    await Promise.race([this.#running, sleepUnlessAborted(leftMs, deadline.signal)]);
    deadline.abort();
    this.#running = undefined;
  }

  async #run(store: ArchiveStore): Promise<void> {
    const { logger } = this.#settings;
    let waitMs = RETRY_MS_MIN;
    while (!this.#stop.signal.aborted) {
      const before = this.#position.after;
      try {
        logger.info('reading the archive', { from: store.name, after: before });
        await this.#readAll(store);
        break;
      } catch (error) {
        if (this.#stop.signal.aborted) break;
        await this.#intake.settled();
        this.#objects.length = 0;
        if (this.#position.after !== before) waitMs = RETRY_MS_MIN;
        logger.error('the archive cannot be read, will be tried again', {
          error: String(error),
          interval_ms: waitMs,
        });
        await sleepUnlessAborted(waitMs, this.#stop.signal);
        waitMs = Math.min(waitMs * 2, RETRY_MS_MAX);
      }
    }
    await this.#intake.settled();
    const isFinished = !this.#stop.signal.aborted;
    await this.#save({ ...this.#position, isFinished }).catch((error: unknown) => this.#cannotSave(error));
    if (isFinished) logger.info('the whole range is read', { from: store.name, last: this.#position.after });
  }

  async #readAll(store: ArchiveStore): Promise<void> {
    const { downloader, startTime, endTime } = this.#config;
    const range = {
      prefix: downloader.prefix === '' ? '' : `${downloader.prefix.replace(/\/+$/, '')}/`,
      timezone: downloader.timeZone,
      ...{ fromMs: parseTime(startTime)!, toMs: parseTime(endTime)!, after: this.#position.after },
    };
    const entries = async function* (): AsyncGenerator<Entry> {
      for await (const page of listArchive(store, range)) for (const object of page) yield { object };
    };
    for await (const turned of readAhead(store, entries(), this.#stop.signal)) {
      await this.#take(turned);
      if (this.#stop.signal.aborted) return;
    }
    await this.#intake.settled();
  }

  async #take({ entry: { object }, chunks }: InTurn<Entry>): Promise<void> {
    const { key } = object;
    const stored = this.#position.key === key ? this.#position.messages : 0;
    const progress = new ObjectProgress(key, stored);
    this.#objects.push(progress);
    const signal = this.#signalOf(key);
    if (signal === undefined) this.#metrics.countObject('left_out');
    else await this.#readObject(progress, signal, chunks, stored);
    if (this.#stop.signal.aborted) return;
    this.#metrics.bytes.add(object.sizeBytes);
    progress.isRead = true;
    this.#settle();
  }

  /** undefined for objects of other signals, and for those that are none of the exporter's. */
  #signalOf(key: string): Signal | undefined {
    const { filePrefix, includesSignal } = this.#config.downloader;
    const name = key.slice(foldersOf(key).length);
    if (!name.startsWith(filePrefix) || parseArchiveName(key).format === 'manifest') return undefined;
    const rest = name.slice(filePrefix.length);
    const { signals } = this.#next;
    return [...signals].find((signal) => !includesSignal || rest.startsWith(`${signal}_`));
  }

  async #readObject(
    progress: ObjectProgress,
    named: Signal,
    chunks: AsyncIterable<Uint8Array>,
    stored: number,
  ): Promise<void> {
    let reason: string | undefined;
    let number = 0;
    try {
      for await (const message of readArchiveObject(progress.key, chunks, this.#config.objectBytesMax)) {
        if (number++ < stored) continue;
        const signal = message.signal ?? named;
        if (!this.#next.signals.has(signal)) continue;
        const handedOut = progress.handOut();
        await this.#intake.take(signal, message, (end) => {
          if (end === undefined) return;
          if (!end.isStored) this.#drop(progress.key, end.reason);
          progress.settle(handedOut);
          this.#settle();
        });
        if (this.#stop.signal.aborted) return;
      }
    } catch (error) {
      if (!(error instanceof PipelineError) || !error.permanent) throw error;
      reason = error.message;
    }
    this.#metrics.countObject(reason === undefined ? 'stored' : 'partly');
    if (reason === undefined) return;
    this.#settings.logger.error('an object cannot be read to its end; the others are', {
      key: progress.key,
      error: reason,
    });
  }

  #drop(key: string, reason: string): void {
    this.#metrics.droppedMessages.add(1);
    this.#settings.logger.error('a part of an object is not stored', { key, error: reason });
  }

  /** Moves the position over objects that are done with. */
  #settle(): void {
    let { after } = this.#position;
    while (this.#objects[0]?.isDone === true) after = this.#objects.shift()!.key;
    const [first] = this.#objects;
    const isBehind = first !== undefined && first.stored > 0;
    this.#position = {
      ...{ after, isFinished: false },
      ...(isBehind ? { key: first.key, messages: first.stored } : { key: '', messages: 0 }),
    };
    const nowMs = this.#settings.clock.monotonicMs();
    if (nowMs - this.#savedMs < SAVED_EVERY_MS) return;
    this.#savedMs = nowMs;
    this.#save(this.#position).catch((error: unknown) => this.#cannotSave(error));
  }

  async #save(position: StoredPosition): Promise<void> {
    await this.#file?.write(position);
  }

  #cannotSave(error: unknown): void {
    this.#settings.logger.error('the position cannot be written: a restart reads again', {
      error: String(error),
    });
  }
}
