/** Puts together what keeps the manifests of one exporter and signal. */
import { join } from 'node:path';
import type { ComponentSettings } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import type { S3Store } from '../../s3/client.ts';
import type { WriteOptions } from '../../s3/objects.ts';
import type { Awss3Config } from './config.ts';
import { ManifestKeeper } from './manifest-keeper.ts';
import { ManifestWriter } from './manifest-writer.ts';
import type { ObjectKeys } from './object-key.ts';
import { type FolderPlace, OpenFolders } from './open-folders.ts';
import { PartitionFolders, upperFolder } from './partition-folders.ts';

const STATE_FILE = 'manifest-folders.json';

export interface ManifestObjects {
  signal: Signal;
  keys: ObjectKeys;
  /** Of the objects. */
  writeOptions: WriteOptions;
}

/** Runs already; `shutdown` ends it. */
export async function openManifests(
  settings: ComponentSettings,
  { uploader, manifest }: Awss3Config,
  { signal, keys, writeOptions }: ManifestObjects,
  store: S3Store,
): Promise<ManifestKeeper> {
  const { stateDir } = settings;
  const partition = new PartitionFolders(uploader.partitionFormat, uploader.timeZone);
  const namePrefix = keys.namePrefix(signal);
  const { depth } = partition;
  const nameDepth = depth + namePrefix.split('/').length;
  const keeper = new ManifestKeeper(settings, signal, manifest, {
    writer: new ManifestWriter(store, { signal, namePrefix, depth, nameDepth, writeOptions }),
    folders: new OpenFolders(stateDir === undefined ? undefined : join(stateDir, STATE_FILE)),
    partition,
    placeAt: (unixMs): FolderPlace => ({
      bucket: uploader.bucket,
      folder: upperFolder(keys.folder(unixMs), depth),
    }),
    nameDepth,
  });
  await keeper.start();
  keeper.run();
  return keeper;
}
