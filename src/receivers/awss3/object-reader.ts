/** Reads one object after the other, and hands its messages to the pipelines. */
import type { RequestConsumer } from '../../component/consumer.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { foldersOf } from '../../s3/archive-list.ts';
import { parseArchiveName } from '../../s3/archive-name.ts';
import { readArchiveObject } from '../../s3/archive-object.ts';
import type { Awss3ReceiverConfig } from './config.ts';
import { MessageIntake } from './message-intake.ts';
import type { ReceiverMetrics } from './metrics.ts';
import type { ObjectProgress } from './object-position.ts';

export interface ObjectReaderOptions {
  settings: ComponentSettings;
  config: Awss3ReceiverConfig;
  next: RequestConsumer;
  metrics: ReceiverMetrics;
  stop: AbortSignal;
}

export class ObjectReader {
  readonly #options: ObjectReaderOptions;
  readonly #intake: MessageIntake;

  constructor(options: ObjectReaderOptions) {
    this.#options = options;
    const { next, metrics, config, stop } = options;
    this.#intake = new MessageIntake({ next, metrics, messageBytesMax: config.messageBytesMax, stop });
  }

  /** For `start`. @throws PipelineError START_FAILED when names cannot tell which pipeline objects belong to. */
  assertNamesTell(): void {
    const { settings, config, next } = this.#options;
    if (config.downloader.includesSignal || next.signals.size === 1) return;
    const message = `receiver ${settings.id}: without file_prefix_include_telemetry_type it must be in pipelines of one signal`;
    throw new PipelineError('START_FAILED', message, { permanent: true });
  }

  /** undefined for objects of other signals, and for those that are none of the exporter's. */
  signalOf(key: string): Signal | undefined {
    const { config, next } = this.#options;
    const { filePrefix, includesSignal } = config.downloader;
    const name = key.slice(foldersOf(key).length);
    if (!name.startsWith(filePrefix) || parseArchiveName(key).format === 'manifest') return undefined;
    const rest = name.slice(filePrefix.length);
    return [...next.signals].find((signal) => !includesSignal || rest.startsWith(`${signal}_`));
  }

  /**
   * Resolves when all messages behind those that `progress` has stored are handed out, or the receiver stops.
   * @param onSettled called when a message is on disk or was given up.
   * @returns why the rest of the object cannot be read.
   * @throws what the store says; trying again may help.
   */
  async read(
    progress: ObjectProgress,
    named: Signal,
    chunks: AsyncIterable<Uint8Array>,
    onSettled: () => void,
  ): Promise<PipelineError | undefined> {
    const { config, next, stop } = this.#options;
    const { key, stored } = progress;
    let number = 0;
    try {
      for await (const message of readArchiveObject(key, chunks, config.objectBytesMax)) {
        if (number++ < stored) continue;
        const signal = message.signal ?? named;
        if (!next.signals.has(signal)) continue;
        const handedOut = progress.handOut();
        await this.#intake.take(signal, message, (end) => {
          if (end === undefined) return;
          if (!end.isStored) this.#drop(key, end.reason);
          progress.settle(handedOut);
          onSettled();
        });
        if (stop.aborted) return undefined;
      }
    } catch (error) {
      if (!(error instanceof PipelineError) || !error.permanent) throw error;
      return error;
    }
    return undefined;
  }

  /** Resolves when nothing is on its way to the pipelines any more. */
  settled(): Promise<void> {
    return this.#intake.settled();
  }

  countObject(key: string, failure: PipelineError | undefined): void {
    const { metrics, settings } = this.#options;
    metrics.countObject(failure === undefined ? 'stored' : 'partly');
    if (failure === undefined) return;
    const fields = { key, error: failure.message };
    settings.logger.error('an object cannot be read to its end; the others are', fields);
  }

  #drop(key: string, reason: string): void {
    const { metrics, settings } = this.#options;
    metrics.droppedMessages.add(1);
    settings.logger.error('a part of an object is not stored', { key, error: reason });
  }
}
