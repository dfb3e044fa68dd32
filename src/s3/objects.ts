/** What goes to an S3 store and comes from it. */

export interface S3StoreOptions {
  /** Connections at a time. */
  connectionsMax: number;
  /** Of the pauses between repeated requests. */
  seed: number;
  /** Difference to the machine's clock that requests are signed with, for tests. */
  clockOffsetMs?: number;
}

export interface S3Entry {
  key: string;
  sizeBytes: number;
  /** Milliseconds since the epoch; 0 when the store does not say. */
  modifiedUnixMs: number;
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
}

export interface WriteOptions {
  contentEncoding?: string | undefined;
  contentType?: string | undefined;
  acl?: string | undefined;
  storageClass?: string | undefined;
  metadata?: Readonly<Record<string, string>>;
  /** Write only when there is no object of this key. */
  ifAbsent: boolean;
}

export interface WriteResult {
  /** There was an object of this key, and it was left alone. */
  existed: boolean;
  /** Of what was offered. */
  sizeBytes: number;
}
