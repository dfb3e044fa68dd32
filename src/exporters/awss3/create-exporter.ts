import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { type Awss3Config, marshalerIssue } from './config.ts';
import { createObjectKinds, EXTENSIONS } from './marshal.ts';
import { ObjectKeys } from './object-key.ts';
import { S3Exporter } from './s3-exporter.ts';

const SUFFIXES = { '': '', gzip: '.gz', zstd: '.zst' } as const;

/**
 * Builds the exporter of one signal from its configuration. Opens nothing.
 * @throws PipelineError CONFIG_INVALID when the marshaler cannot say items of this signal.
 */
export async function createExporter(
  settings: ComponentSettings,
  config: Awss3Config,
  signal: Signal,
): Promise<S3Exporter> {
  const { uploader, marshaler } = config;
  const issue = marshalerIssue(marshaler, signal);
  if (issue !== undefined)
    throw new PipelineError('CONFIG_INVALID', `${settings.id}: ${issue}`, { permanent: true });
  const keys = new ObjectKeys({
    ...uploader,
    exporterId: settings.id,
    extension: `${EXTENSIONS[marshaler]}${SUFFIXES[uploader.compression]}`,
  });
  return new S3Exporter(settings, config, {
    signal,
    keys,
    kinds: await createObjectKinds(marshaler, signal),
  });
}
