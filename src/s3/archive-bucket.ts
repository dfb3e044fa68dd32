/** An archive in a bucket. */
import { PipelineError } from '../component/errors.ts';
import { sleepUnlessAborted } from '../stdx/abortable.ts';
import type { ArchiveLevel, ArchiveStore } from './archive-store.ts';
import { S3Store } from './client.ts';
import type { S3ConnectionConfig } from './config.ts';

/** Refusals that are about one object: the others can be read. */
const OF_OBJECT: ReadonlyMap<string, string> = new Map([
  ['NoSuchKey', 'deleted meanwhile'],
  ['NotFound', 'deleted meanwhile'],
  ['InvalidObjectState', 'in a storage class that must be restored before it can be read'],
  ['AccessDenied', 'access denied'],
]);
const GONE: ReadonlySet<string> = new Set(['NoSuchKey', 'NotFound']);
/** Connections that broke one after the other without a byte between them. */
const BREAKS_MAX = 5;
const BREAK_PAUSE_MS = 500;

export class BucketArchive implements ArchiveStore {
  readonly name: string;
  readonly #store: S3Store;
  readonly #bucket: string;
  readonly #stop: AbortSignal;

  private constructor(store: S3Store, bucket: string, prefix: string, stop: AbortSignal) {
    this.name = `s3://${bucket}/${prefix}`;
    this.#store = store;
    this.#bucket = bucket;
    this.#stop = stop;
  }

  /** Loads the client; connects nowhere. @param stop ends what is under way. */
  static async open(
    connection: S3ConnectionConfig,
    place: { bucket: string; prefix: string },
    options: { connectionsMax: number; seed: number; stop: AbortSignal },
  ): Promise<BucketArchive> {
    const store = await S3Store.open(connection, options);
    return new BucketArchive(store, place.bucket, place.prefix, options.stop);
  }

  async *list(prefix: string, after: string, isFlat: boolean): AsyncGenerator<ArchiveLevel> {
    const options = { signal: this.#stop, startAfter: after === '' ? undefined : after };
    if (!isFlat) {
      yield* this.#store.listLevel(this.#bucket, prefix, options);
      return;
    }
    for await (const objects of this.#store.list(this.#bucket, prefix, options))
      yield { objects: [...objects], prefixes: [] };
  }

  /** A connection that breaks is followed by one that goes on behind the last byte. */
  async *read(key: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const stop = AbortSignal.any([this.#stop, signal]);
    let from = 0;
    for (let breaks = 0; ; breaks++) {
      const before = from;
      try {
        const { chunks, sizeBytes } = await this.#store.get(this.#bucket, key, { from, signal: stop });
        const wholeBytes = sizeBytes === undefined ? undefined : from + sizeBytes;
        for await (const chunk of chunks) {
          from += chunk.length;
          yield chunk;
        }
        if (wholeBytes === undefined || from >= wholeBytes) return;
      } catch (error) {
        const known = OF_OBJECT.get(((error as Error).cause as Error | undefined)?.name ?? '');
        if (known !== undefined)
          throw new PipelineError('ARCHIVE_UNREADABLE', known, { permanent: true, cause: error });
        if (stop.aborted || breaks >= BREAKS_MAX || !isPassing(error)) throw error;
      }
      if (from > before) breaks = 0;
      await sleepUnlessAborted(BREAK_PAUSE_MS * 2 ** breaks, stop);
    }
  }

  async close(): Promise<void> {
    this.#store.close();
  }
}

/** Whether what `read` throws says that there is no such object. */
export function isGone(error: PipelineError): boolean {
  const refusal = error.cause instanceof PipelineError ? error.cause.cause : undefined;
  return refusal instanceof Error && GONE.has(refusal.name);
}

function isPassing(error: unknown): boolean {
  return error instanceof PipelineError && error.code !== 'EXPORT_REJECTED';
}
