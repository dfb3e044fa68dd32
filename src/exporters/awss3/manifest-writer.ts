/** Writes the manifest of one folder: lists it, asks for what is not known yet, and replaces what was there before. */
import { posix } from 'node:path';
import type { S3Store } from '../../s3/client.ts';
import { PART_BYTES } from '../../s3/client.ts';
import type { S3Entry, WriteOptions } from '../../s3/objects.ts';
import { ManifestMerge, type ManifestObject, manifestObjects, manifestText } from './manifest-file.ts';
import { readHead } from './object-bytes.ts';
import type { FolderPlace } from './open-folders.ts';
import type { FolderSpan } from './partition-folders.ts';

/** Requests about objects at a time. */
const REQUESTS_MAX = 4;
/** Classes whose objects have to be restored before they can be read: a manifest is read first. */
const COLD_CLASSES: readonly string[] = ['GLACIER', 'DEEP_ARCHIVE'];

/** `lost`: somebody else wrote it meanwhile, and what is there may or may not know everything. */
export type ManifestOutcome = 'written' | 'unchanged' | 'lost';

export interface ManifestSettings {
  signal: string;
  /** What the names of all objects begin with, behind their folders. */
  namePrefix: string;
  /** Folders between the manifest's and the objects'. */
  depth: number;
  /** Parts of their keys behind the manifest's folder. */
  nameDepth: number;
  /** As objects are written; without conditions of its own. */
  writeOptions: WriteOptions;
}

export class ManifestWriter {
  readonly #store: S3Store;
  readonly #settings: ManifestSettings;
  readonly #writeOptions: WriteOptions;

  constructor(store: S3Store, settings: ManifestSettings) {
    this.#store = store;
    this.#settings = settings;
    const { acl, storageClass = 'STANDARD', ifAbsent } = settings.writeOptions;
    this.#writeOptions = {
      contentType: 'application/json',
      storageClass: COLD_CLASSES.includes(storageClass) ? 'STANDARD' : storageClass,
      ...(acl === undefined ? {} : { acl }),
      ifAbsent,
    };
  }

  /**
   * One request for the older manifest, one for each thousand objects, one for each object that is not in the older
   * manifest. Holds 5 MiB of the text at most.
   *
   * @throws PipelineError retryable.
   */
  async write(place: FolderPlace & FolderSpan, signal: AbortSignal): Promise<ManifestOutcome> {
    const { bucket, folder } = place;
    const key = this.#key(folder);
    const older = await this.#older(bucket, key, signal);
    const merge = new ManifestMerge(
      older === undefined ? none() : manifestObjects(older.chunks),
      (entry) => this.#store.describe(bucket, entry.key, signal),
      REQUESTS_MAX,
    );
    const head = {
      ...{ signal: this.#settings.signal, bucket, folder },
      from: new Date(place.fromMs).toISOString(),
      until: new Date(place.toMs).toISOString(),
    };
    const text = manifestText(head, merge.objects(this.#pages(bucket, folder, signal)));
    const { bytes, whole, end } = await readHead(text, PART_BYTES);
    try {
      if (whole === undefined && !merge.isChanged) return 'unchanged';
      const options = this.#conditions(older?.etag);
      const { existed } =
        whole === undefined
          ? await this.#store.put(bucket, key, bytes, options, signal)
          : await this.#store.upload(bucket, key, whole, options, signal);
      return existed ? 'lost' : 'written';
    } finally {
      end();
    }
  }

  /** It has to hold all that the one before it knew: a listing that began before that one was written may not replace it. */
  #conditions(etag: string | undefined): WriteOptions {
    const { ifAbsent: isConditional } = this.#writeOptions;
    if (!isConditional || etag === undefined) return this.#writeOptions;
    return { ...this.#writeOptions, ifAbsent: false, ifMatch: etag };
  }

  /** The underscore hides it from whatever reads folders as tables. */
  #key(folder: string): string {
    const name = this.#settings.namePrefix.replace(/_$/, '').replaceAll('/', '_');
    return posix.join(folder, `_manifest_${name}.json`);
  }

  async #older(bucket: string, key: string, signal: AbortSignal) {
    if ((await this.#store.size(bucket, key, signal)) === undefined) return undefined;
    return this.#store.get(bucket, key, { signal });
  }

  async *#pages(bucket: string, folder: string, signal: AbortSignal): AsyncGenerator<S3Entry[]> {
    for await (const page of this.#store.list(bucket, `${folder}/`, { signal }))
      yield page.filter(({ key }) => this.#isOurs(key.slice(folder.length + 1)));
  }

  #isOurs(path: string): boolean {
    const { depth, nameDepth, namePrefix } = this.#settings;
    const parts = path.split('/');
    return parts.length === nameDepth && parts.slice(depth).join('/').startsWith(namePrefix);
  }
}

async function* none(): AsyncGenerator<ManifestObject, void, void> {}
