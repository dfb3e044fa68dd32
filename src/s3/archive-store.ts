/** Where archived objects are: a bucket or a directory. Keys are in byte order everywhere, as S3 lists them. */

export interface ArchiveObject {
  /** Whole key in the bucket; below the directory, with `/` between folders. */
  key: string;
  sizeBytes: number;
  modifiedUnixMs: number;
}

/** One level of an archive. */
export interface ArchiveLevel {
  objects: ArchiveObject[];
  /** Keys of what lies below, up to and including their slash. */
  prefixes: string[];
}

export interface ArchiveStore {
  /** For people: `s3://bucket/prefix` or the directory. */
  readonly name: string;
  /**
   * Objects and prefixes right below a prefix, page by page, each page in byte order behind the page before.
   * @param prefix empty, or the beginning of keys.
   * @param after keys up to and including this one are left out; of prefixes those that lie before it altogether.
   * @param isFlat everything below is listed as objects.
   */
  list(prefix: string, after: string, isFlat: boolean): AsyncIterable<ArchiveLevel>;
  /**
   * The stored bytes in chunks. Leaving the loop early ends the request.
   * @throws PipelineError retryable when the store cannot be reached; permanent when the object is gone or refused.
   */
  read(key: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** Byte order of UTF-8, which is that of code points. */
export function compareKeys(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let index = 0; index < length; index++) {
    const [a, b] = [one.charCodeAt(index), other.charCodeAt(index)];
    if (a === b) continue;
    // Surrogates stand for code points above all others of two bytes.
    const [high, low] = [a >= 0xd800 && a <= 0xdfff, b >= 0xd800 && b <= 0xdfff];
    return high === low ? a - b : high ? 1 : -1;
  }
  return one.length - other.length;
}
