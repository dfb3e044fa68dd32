/** The exporter `awss3` in this process, with a clock that the test sets, on a real S3 server. */
import assert from 'node:assert/strict';
import { awss3ConfigSchema } from '../../exporters/awss3/config.ts';
import { createExporter } from '../../exporters/awss3/create-exporter.ts';
import type { ManifestHead, ManifestObject } from '../../exporters/awss3/manifest-file.ts';
import type { S3Exporter } from '../../exporters/awss3/s3-exporter.ts';
import { ReadableMeter, testSettings } from '../../receivers/otlp/bed.test-peer.ts';
import { until } from '../engine-process.ts';
import type { S3Server } from './s3-server.ts';

export const MANIFEST_BUCKET = 'archive';

export interface ManifestDocument extends ManifestHead {
  version: number;
  objects: ManifestObject[];
  object_count: number;
  objects_without_items: number;
  items: number;
  bytes: number;
  received_from?: string;
  written?: string;
}

export class ManifestBed {
  nowUnixMs: number;
  readonly meter = new ReadableMeter();
  readonly #store: S3Server;
  #ordinal = 0;

  /** Until the test is over, the keys of the server are those of this process. */
  constructor(store: S3Server, now: string) {
    this.#store = store;
    this.nowUnixMs = Date.parse(now);
    Object.assign(process.env, store.environment);
  }

  set now(text: string) {
    this.nowUnixMs = Date.parse(text);
  }

  /** Started; whoever asks for it shuts it down. @param keys beside `s3uploader`, which may be there too. */
  async exporter(
    keys: Record<string, unknown> & { s3uploader?: Record<string, unknown> } = {},
    settings: { id?: string; stateDir?: string } = {},
  ): Promise<S3Exporter> {
    const { value, issues } = awss3ConfigSchema.parse({
      marshaler: 'otlp_proto',
      manifest: { enabled: true, look_back: '0s' },
      ...keys,
      s3uploader: {
        ...{ endpoint: this.#store.endpoint, s3_force_path_style: true, s3_bucket: MANIFEST_BUCKET },
        ...{ s3_partition_timezone: 'UTC', retry_max_backoff: '50ms', ...keys.s3uploader },
      },
    });
    assert.deepEqual(issues, []);
    const clock = { unixMs: () => this.nowUnixMs, monotonicMs: () => this.nowUnixMs };
    const common = { ...testSettings(this.meter, clock), id: 'awss3' };
    const exporter = await createExporter({ ...common, ...settings }, value!, 'traces');
    await exporter.start();
    return exporter;
  }

  /** One batch of requests whose oldest data arrived at a moment. */
  async send(exporter: S3Exporter, received: string, slices: Uint8Array[], itemCount: number): Promise<void> {
    const first = this.#ordinal;
    this.#ordinal += itemCount;
    await exporter.export(
      {
        ...{ signal: 'traces', slices, itemCount, receivedUnixMs: Date.parse(received) },
        batchId: `traces.1-${first}-${this.#ordinal - 1}`,
        sizeBytes: slices.reduce((sum, { length }) => sum + length, 0),
      },
      AbortSignal.timeout(10_000),
    );
  }

  manifestKeys(bucket = MANIFEST_BUCKET): string[] {
    return this.#store.keysOf(bucket).filter((key) => key.includes('_manifest_'));
  }

  /** Of a folder, as soon as it lists so many objects. */
  async manifest(folder: string, objectCount: number, bucket = MANIFEST_BUCKET): Promise<ManifestDocument> {
    const key = `${folder}/_manifest_traces.json`;
    let document: ManifestDocument | undefined;
    await until(
      `${key} with ${objectCount} objects`,
      () => {
        if (!this.#store.keysOf(bucket).includes(key)) return false;
        document = JSON.parse(this.#store.objectBytes(bucket, key).toString()) as ManifestDocument;
        return document.object_count === objectCount;
      },
      30_000,
    );
    return document!;
  }

  /** Manifests so far, by outcome. */
  outcomes(outcome: string): number {
    const found = [...this.meter.values].filter(
      ([series]) =>
        series.startsWith('millrace_awss3_exporter_manifests') && series.includes(`outcome=${outcome}`),
    );
    return found.reduce((sum, [, value]) => sum + value, 0);
  }
}
