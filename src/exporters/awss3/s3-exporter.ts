import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter, ExportReceipt } from '../../component/exporter.ts';
import type { ComponentSettings, Labels } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { countItems } from '../../otlp/slice.ts';
import { PART_BYTES, S3Store } from '../../s3/client.ts';
import type { S3ConnectionConfig } from '../../s3/config.ts';
import type { WriteOptions, WriteResult } from '../../s3/objects.ts';
import { Compressors } from './compressors.ts';
import type { Awss3Config } from './config.ts';
import { objectMetadata } from './manifest-file.ts';
import type { ManifestKeeper } from './manifest-keeper.ts';
import { openManifests } from './manifests.ts';
import type { Marshal, ObjectKind, OnRefused } from './marshal.ts';
import { HeadMemory, readHead } from './object-bytes.ts';
import type { ObjectKeys } from './object-key.ts';
import { splitByResource } from './resource-targets.ts';

/** Connections beside those of the batches in flight: a part more for each of some uploads. */
const SPARE_CONNECTIONS = 4;

export interface S3ExporterParts {
  signal: Signal;
  keys: ObjectKeys;
  /** What each batch becomes, one at least. */
  kinds: readonly ObjectKind[];
}

/** One object of a batch: its name and what it holds. */
interface ObjectPlan {
  bucket: string;
  key: string;
  slices: Iterable<Uint8Array>;
  marshal: Marshal;
  /** What the manifest will say; undefined: there is none. */
  metadata: Record<string, string> | undefined;
}

/** An object that is too large for one request. */
interface UploadPlan {
  bucket: string;
  key: string;
  whole: AsyncIterable<Uint8Array>;
  options: WriteOptions;
}

/**
 * Writes each batch as one object, or as one for each place that its resources ask for and each kind of its rows.
 *
 * | event                               | the batch  | the bucket                                              |
 * | ----------------------------------- | ---------- | ------------------------------------------------------- |
 * | written                             | delivered  | one object more                                         |
 * | written, answer lost                | sent again | the same object: the second write finds it there        |
 * | crash at any moment                 | sent again | the same; parts of an upload are given up before it     |
 * | 5xx, SlowDown, connection lost      | sent again | nothing, or the whole object                            |
 * | credentials, clock, bucket refused  | sent again | nothing, until somebody changes what is wrong           |
 */
export class S3Exporter implements Exporter {
  readonly peerLabels: Labels;
  readonly #settings: ComponentSettings;
  readonly #config: Awss3Config;
  readonly #keys: ObjectKeys;
  readonly #kinds: readonly ObjectKind[];
  readonly #writeOptions: WriteOptions;
  readonly #signal: Signal;
  readonly #compressors: Compressors;
  readonly #headMemory = new HeadMemory();
  #store: S3Store | undefined;
  #manifests: ManifestKeeper | undefined;

  constructor(settings: ComponentSettings, config: Awss3Config, { signal, keys, kinds }: S3ExporterParts) {
    this.#signal = signal;
    this.#settings = settings;
    this.#config = config;
    this.#keys = keys;
    this.#kinds = kinds;
    this.#writeOptions = writeOptions(config);
    this.#compressors = new Compressors(config.uploader.compression);
    this.peerLabels = peerLabels(config.uploader.connection);
  }

  /** Loads the client; connects with the first batch. @throws PipelineError START_FAILED. */
  async start(): Promise<void> {
    const { connection } = this.#config.uploader;
    const { clock, id } = this.#settings;
    try {
      this.#store = await S3Store.open(connection, {
        connectionsMax: this.#config.delivery.queue.numConsumers + SPARE_CONNECTIONS,
        seed: clock.unixMs() >>> 0,
        // Without another attempt the client's own are all there are.
        leavesThrottledPuts: this.#config.delivery.retry.enabled,
      });
    } catch (error) {
      throw new PipelineError('START_FAILED', `${id}: ${(error as Error).message}`, {
        permanent: true,
        cause: error,
      });
    }
    if (this.#config.manifest.isEnabled)
      this.#manifests = await openManifests(
        this.#settings,
        this.#config,
        { signal: this.#signal, keys: this.#keys, writeOptions: this.#writeOptions },
        this.#store,
      );
  }

  async shutdown(): Promise<void> {
    await this.#manifests?.shutdown();
    this.#compressors.close();
    this.#store?.close();
    this.#store = undefined;
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<ExportReceipt> {
    const refused = batch.readSlices === undefined ? undefined : new RefusedItems(this.#settings, batch);
    const plans = this.#plan(batch);
    const manifests = this.#manifests;
    const opened = manifests && (await manifests.begin(plans, batch.receivedUnixMs));
    try {
      // One after the other: the objects of a batch are small where they are many.
      for (const plan of plans) await this.#write(plan, signal, refused?.note);
    } finally {
      if (opened !== undefined) manifests?.end(opened);
    }
    return { rejectedCount: refused?.count ?? 0 };
  }

  #plan(batch: ExportBatch): ObjectPlan[] {
    const { uploader, resourceTargets } = this.#config;
    const { bucketAttribute, prefixAttribute } = resourceTargets;
    if (bucketAttribute === '' && prefixAttribute === '')
      return this.#kinds.map(({ name, marshal }) => ({
        bucket: uploader.bucket,
        key: this.#keys.key(batch, undefined, name),
        slices: slicesOf(batch),
        marshal,
        metadata: this.#metadata(batch, () => batch.itemCount),
      }));
    const { targets, refusedBuckets, foldedTargets } = splitByResource(batch.slices, resourceTargets);
    const { logger } = this.#settings;
    if (refusedBuckets > 0)
      logger.warn('resources name buckets that are not allowed: their data goes to the configured one', {
        resources: refusedBuckets,
      });
    if (foldedTargets > 0)
      logger.warn('resources of one batch name too many prefixes: the rest goes to the configured one', {
        resources: foldedTargets,
      });
    return targets.flatMap(({ bucket, prefix, slices }) =>
      this.#kinds.map(({ name, marshal }) => ({
        bucket: bucket ?? uploader.bucket,
        key: this.#keys.key(batch, prefix, name),
        slices,
        marshal,
        metadata: this.#metadata(batch, () =>
          slices.reduce((count, slice) => count + countItems(batch.signal, slice), 0),
        ),
      })),
    );
  }

  /** @param countAll items of all kinds; where there are several, nobody counts those of one. */
  #metadata(batch: ExportBatch, countAll: () => number): Record<string, string> | undefined {
    if (this.#manifests === undefined) return undefined;
    const itemCount = this.#kinds.length === 1 ? countAll() : undefined;
    return objectMetadata(batch.batchId, batch.receivedUnixMs, itemCount);
  }

  async #write(
    { bucket, key, slices, marshal, metadata }: ObjectPlan,
    signal: AbortSignal,
    onRefused: OnRefused | undefined,
  ): Promise<void> {
    const store = this.#store;
    if (store === undefined) {
      throw new PipelineError('SHUTTING_DOWN', `${this.#settings.id} is not running`, { permanent: false });
    }
    const options = metadata === undefined ? this.#writeOptions : { ...this.#writeOptions, metadata };
    const pieces = this.#compressors.compress(marshal(slices, onRefused));
    const { bytes, whole, end, reuse } = await readHead(pieces, PART_BYTES, this.#headMemory);
    try {
      if (whole !== undefined) await this.#upload(store, { bucket, key, whole, options }, signal);
      else if (bytes.byteLength > 0)
        this.#report(bucket, key, await store.put(bucket, key, bytes, options, signal));
      reuse();
    } finally {
      end();
    }
  }

  async #upload(
    store: S3Store,
    { bucket, key, whole, options }: UploadPlan,
    signal: AbortSignal,
  ): Promise<void> {
    const isThere = await this.#lookBefore(store, bucket, key, signal);
    const result = isThere
      ? { existed: true, sizeBytes: 0 }
      : await store.upload(bucket, key, whole, options, signal);
    this.#report(bucket, key, result);
  }

  /**
   * What an earlier attempt left: parts, which are given up, or the whole object. Nobody else writes this key, so an open
   * upload of it was ended by a crash or a stop.
   *
   * @returns true when the object is there. Credentials that may write need not be allowed to look: what cannot be
   * known is not asked for again, and the condition of the write decides.
   */
  async #lookBefore(store: S3Store, bucket: string, key: string, signal: AbortSignal): Promise<boolean> {
    const { logger } = this.#settings;
    try {
      const leftCount = await store.abortUploads(bucket, key, (found) => found === key, signal);
      if (leftCount > 0)
        logger.info('uploads of an earlier attempt were given up', { key, count: leftCount });
      return this.#writeOptions.ifAbsent && (await store.size(bucket, key, signal)) !== undefined;
    } catch (error) {
      logger.debug('what an earlier attempt left cannot be looked for', { key, error: String(error) });
      return false;
    }
  }

  #report(bucket: string, key: string, { existed, sizeBytes }: WriteResult): void {
    const { logger } = this.#settings;
    if (existed) logger.info('the object is there already', { bucket, key });
    else logger.debug('object written', { bucket, key, bytes: sizeBytes });
  }
}

/**
 * What a batch that cannot be cut in memory leaves out: only requests that passed the checks of the log and yet cannot be
 * said by the marshaler. They count as rejected, and the log says so.
 */
class RefusedItems {
  count = 0;
  readonly #settings: ComponentSettings;
  readonly #batch: ExportBatch;

  constructor(settings: ComponentSettings, batch: ExportBatch) {
    this.#settings = settings;
    this.#batch = batch;
  }

  readonly note: OnRefused = (slice, error) => {
    const { signal, batchId } = this.#batch;
    let items = 1;
    try {
      items = countItems(signal, slice);
    } catch {
      // Bytes that are no request at all: one of whatever it was.
    }
    this.count += items;
    this.#settings.logger.error('requests of a batch cannot be written and are left out', {
      error: String(error),
      dropped_items: items,
      batch_id: batchId,
    });
  };
}

/** A batch that is not in memory can be read again and again, but one reading at a time. */
function slicesOf({ slices, readSlices }: ExportBatch): Iterable<Uint8Array> {
  return readSlices === undefined ? slices : readSlices();
}

function writeOptions({ uploader, marshaler }: Awss3Config): WriteOptions {
  const { compression, acl, storageClass, isConditional } = uploader;
  // As in the Collector, Sumo Logic's own format stays compressed for whoever downloads it.
  const isTransparent = compression !== '' && marshaler !== 'sumo_ic';
  return {
    ...(isTransparent ? { contentEncoding: compression } : {}),
    ...(acl === '' ? {} : { acl }),
    storageClass,
    ifAbsent: isConditional,
  };
}

function peerLabels({ endpoint, region, disablesSsl }: S3ConnectionConfig): Labels {
  if (endpoint === undefined) {
    return { server_address: `s3.${region}.amazonaws.com`, server_port: disablesSsl ? '80' : '443' };
  }
  const { hostname, port, protocol } = new URL(endpoint);
  return { server_address: hostname, server_port: port || (protocol === 'https:' ? '443' : '80') };
}
