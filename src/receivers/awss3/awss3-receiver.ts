/** The receiver `awss3` with a time range: what an archive holds of it, once, into pipelines. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Component } from '../../component/component.ts';
import type { RequestConsumer } from '../../component/consumer.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import { type InTurn, READS_MAX, readAhead } from '../../s3/archive-ahead.ts';
import { BucketArchive } from '../../s3/archive-bucket.ts';
import { listArchive } from '../../s3/archive-list.ts';
import type { ArchiveObject, ArchiveStore } from '../../s3/archive-store.ts';
import { sleepUnlessAborted } from '../../stdx/abortable.ts';
import { type Awss3ReceiverConfig, parseTime } from './config.ts';
import { ReceiverMetrics } from './metrics.ts';
import { ObjectProgress, PositionFile, START, type StoredPosition } from './object-position.ts';
import { ObjectReader } from './object-reader.ts';

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
  readonly #reader: ObjectReader;
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
    const metrics = this.#metrics;
    this.#reader = new ObjectReader({ settings, config, next, metrics, stop: this.#stop.signal });
  }

  /** The store may be away: what it says is logged, and tried again. */
  async start(): Promise<void> {
    const { id, dataDir, logger } = this.#settings;
    this.#reader.assertNamesTell();
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
        await this.#reader.settled();
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
    await this.#reader.settled();
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
    await this.#reader.settled();
  }

  async #take({ entry: { object }, chunks }: InTurn<Entry>): Promise<void> {
    const { key } = object;
    const stored = this.#position.key === key ? this.#position.messages : 0;
    const progress = new ObjectProgress(key, stored);
    this.#objects.push(progress);
    const signal = this.#reader.signalOf(key);
    if (signal === undefined) this.#metrics.countObject('left_out');
    else {
      const failure = await this.#reader.read(progress, signal, chunks, () => this.#settle());
      if (this.#stop.signal.aborted) return;
      this.#reader.countObject(key, failure);
    }
    this.#metrics.bytes.add(object.sizeBytes);
    progress.isRead = true;
    this.#settle();
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
