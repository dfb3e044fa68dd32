/**
 * Which folders are due for a manifest, and a loop beside the data path that has them written. Nothing here may hold back
 * or refuse data: what goes wrong is logged, counted and tried again.
 */
import type { ComponentSettings, Counter, Gauge } from '../../component/settings.ts';
import { sleepUnlessAborted } from '../../stdx/abortable.ts';
import type { ManifestConfig } from './manifest-config.ts';
import type { ManifestWriter } from './manifest-writer.ts';
import type { FolderPlace, OpenFolder, OpenFolders } from './open-folders.ts';
import { type FolderSpan, type PartitionFolders, upperFolder } from './partition-folders.ts';

const POLL_MS = 2000;
/** After a failure at a folder, doubled with each that follows. */
const PAUSE_MS = 15_000;
const PAUSE_MS_MAX = 15 * 60_000;
/** Folders that are looked at because of `look_back`. */
const LOOK_BACK_FOLDERS_MAX = 200;

export interface ManifestKeeperParts {
  writer: ManifestWriter;
  folders: OpenFolders;
  partition: PartitionFolders;
  /** Where data goes that arrives at a moment and whose resources ask for nothing. */
  placeAt(unixMs: number): FolderPlace;
  /** Parts of keys behind the folder that has the manifest. */
  nameDepth: number;
}

/** An object that is about to be written. */
export interface NewObject {
  bucket: string;
  key: string;
}

/**
 * | event                                     | the manifest of the folder                                    |
 * | ----------------------------------------- | ------------------------------------------------------------- |
 * | its time and `settle_time` are over       | written                                                       |
 * | an object comes later than that           | written again `settle_time` after it, with the object         |
 * | crash at any moment                       | written after the start: the folder is in the file of folders |
 * | several engines, exporters, restarts      | the same bytes; a listing that is older replaces no newer one |
 * | the store refuses or is away              | tried again for as long as it takes                           |
 */
export class ManifestKeeper {
  readonly #settings: ComponentSettings;
  readonly #config: ManifestConfig;
  readonly #parts: ManifestKeeperParts;
  readonly #stop = new AbortController();
  readonly #outcomes: Record<'written' | 'unchanged' | 'lost' | 'failed' | 'forgotten', Counter>;
  readonly #waiting: Gauge;
  #loop: Promise<void> = Promise.resolve();

  constructor(
    settings: ComponentSettings,
    signal: string,
    config: ManifestConfig,
    parts: ManifestKeeperParts,
  ) {
    this.#settings = settings;
    this.#config = config;
    this.#parts = parts;
    const { meter, id } = settings;
    const labels = { exporter: id, data_type: signal };
    const counter = (outcome: string) =>
      meter.counter('millrace_awss3_exporter_manifests', { ...labels, outcome });
    this.#outcomes = {
      written: counter('written'),
      unchanged: counter('unchanged'),
      lost: counter('lost'),
      failed: counter('failed'),
      forgotten: counter('forgotten'),
    };
    this.#waiting = meter.gauge('millrace_awss3_exporter_manifest_folders', labels);
  }

  /** Takes up what earlier processes left. Never fails. */
  async start(): Promise<void> {
    const { folders } = this.#parts;
    try {
      await folders.load(this.#config.settleMs);
    } catch (error) {
      this.#warn('the list of folders without a manifest cannot be read and begins anew', error);
    }
    this.#lookBack();
    await this.#save();
  }

  /** Writes manifests as they become due, until `shutdown`. */
  run(): void {
    this.#loop = this.#run();
  }

  async shutdown(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  /**
   * Before objects are written. A folder that is new is on disk when the promise resolves; usually there is none.
   *
   * @param receivedUnixMs of the batch: what its folders are named after.
   * @returns to be given to `end` when the objects are written, or could not be.
   */
  async begin(objects: readonly NewObject[], receivedUnixMs: number): Promise<OpenFolder[]> {
    const { folders, partition, nameDepth } = this.#parts;
    const span = partition.span(receivedUnixMs);
    const opened: OpenFolder[] = [];
    let isNew = false;
    for (const { bucket, key } of objects) {
      const place = { bucket, folder: upperFolder(key, nameDepth) };
      if (this.#add(place, span)) isNew = true;
      const folder = folders.find(place)!;
      folder.inFlight += 1;
      folder.version += 1;
      opened.push(folder);
    }
    if (isNew) await this.#save();
    return opened;
  }

  end(opened: readonly OpenFolder[]): void {
    const settledUnixMs = this.#settings.clock.unixMs() + this.#config.settleMs;
    for (const folder of opened) {
      folder.inFlight -= 1;
      folder.dueUnixMs = Math.max(folder.toMs + this.#config.settleMs, settledUnixMs);
    }
  }

  /** Writes what is due by now; one round of the loop. Never fails. */
  async writeDue(): Promise<void> {
    const { folders } = this.#parts;
    for (const folder of folders.due(this.#settings.clock.unixMs())) {
      if (this.#stop.signal.aborted) return;
      await this.#write(folder);
    }
    await this.#save();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.writeDue();
      await sleepUnlessAborted(POLL_MS, signal);
    }
  }

  async #write(folder: OpenFolder): Promise<void> {
    const { version } = folder;
    const { logger } = this.#settings;
    try {
      const outcome = await this.#parts.writer.write(folder, this.#stop.signal);
      this.#outcomes[outcome].add(1);
      logger.debug('manifest', { bucket: folder.bucket, folder: folder.folder, outcome });
      if (outcome !== 'lost' && folder.version === version) this.#parts.folders.remove(folder);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      // The folders behind it have their turn; it may be its bucket alone that is wrong.
      const pauseMs = Math.min(PAUSE_MS * 2 ** folder.failures, PAUSE_MS_MAX);
      folder.failures += 1;
      folder.dueUnixMs = this.#settings.clock.unixMs() + pauseMs;
      this.#outcomes.failed.add(1);
      this.#warn('a manifest cannot be written and is tried again; data is not held back', error, {
        bucket: folder.bucket,
        folder: folder.folder,
      });
    }
  }

  /** What the file does not say: it may have been on another disk. */
  #lookBack(): void {
    const { partition, placeAt } = this.#parts;
    const nowUnixMs = this.#settings.clock.unixMs();
    const fromUnixMs = nowUnixMs - this.#config.lookBackMs;
    let unixMs = partition.span(nowUnixMs).fromMs - 1;
    for (let count = 0; count < LOOK_BACK_FOLDERS_MAX && unixMs >= fromUnixMs; count++) {
      const span = partition.span(unixMs);
      this.#add(placeAt(unixMs), span);
      unixMs = span.fromMs - 1;
    }
  }

  /** @returns whether the folder is new. */
  #add(place: FolderPlace, span: FolderSpan): boolean {
    const { folders } = this.#parts;
    if (folders.find(place) !== undefined) return false;
    const forgotten = folders.add(place, span, span.toMs + this.#config.settleMs);
    if (forgotten === undefined) return true;
    const { bucket, folder } = forgotten;
    this.#outcomes.forgotten.add(1);
    this.#settings.logger.warn('too many folders wait for a manifest: one is forgotten', { bucket, folder });
    return true;
  }

  async #save(): Promise<void> {
    const { folders } = this.#parts;
    this.#waiting.set(folders.count);
    try {
      await folders.save();
    } catch (error) {
      this.#warn('the list of folders without a manifest cannot be written: a crash forgets some', error);
    }
  }

  #warn(message: string, error: unknown, fields: Record<string, unknown> = {}): void {
    this.#settings.logger.warn(message, { ...fields, error: String(error) });
  }
}
