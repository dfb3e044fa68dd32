/** What goes to an S3 store and comes from it. */

export interface S3StoreOptions {
  /** Connections at a time. */
  connectionsMax: number;
  /** Of the pauses between repeated requests. */
  seed: number;
  /**
   * `put` does not repeat what the store refuses with SlowDown: who calls it slows down. The parts of an upload are
   * repeated all the same, because the whole upload would be.
   */
  leavesThrottledPuts?: boolean;
  /** Difference to the machine's clock that requests are signed with, for tests. */
  clockOffsetMs?: number;
}

export interface S3Entry {
  key: string;
  sizeBytes: number;
  /** Milliseconds since the epoch; 0 when the store does not say. */
  modifiedUnixMs: number;
  /** With its quotes; other bytes have another one. Empty when the store does not say. */
  etag: string;
}

export interface S3Description {
  metadata: Readonly<Record<string, string>>;
  /** Base64, of all bytes; with `-` and the number of parts behind it, of the parts' checksums. undefined: not known. */
  crc32: string | undefined;
}

/** What lies right below a prefix. */
export interface S3Level {
  objects: S3Entry[];
  prefixes: string[];
}

export interface ListOptions {
  /** Keys up to and including this one are left out. */
  startAfter?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface S3Content {
  /** Bytes as they come off the socket: nothing is read ahead of who iterates. */
  chunks: AsyncIterable<Uint8Array>;
  /** Of what `chunks` gives; undefined when the store does not say. */
  sizeBytes: number | undefined;
  /** Header of the object, lower case; empty when it has none. */
  contentEncoding: string;
  metadata: Readonly<Record<string, string>>;
  /** As in `S3Entry`. */
  etag: string;
}

export interface WriteOptions {
  contentEncoding?: string | undefined;
  contentType?: string | undefined;
  acl?: string | undefined;
  storageClass?: string | undefined;
  metadata?: Readonly<Record<string, string>>;
  /** Write only when there is no object of this key. */
  ifAbsent: boolean;
  /** Write only over the object with this ETag. */
  ifMatch?: string | undefined;
}

export interface WriteResult {
  /** The condition was not met: what is there, an object of this key or one with another ETag, was left alone. */
  existed: boolean;
  /** Of what was offered. */
  sizeBytes: number;
}
