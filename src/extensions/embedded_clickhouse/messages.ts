/** What the engine and its store process say to each other over the IPC channel of `fork`. */

/** Everything the store process needs; plain data, sent once after the fork. */
export interface StoreOptions {
  /** Data directory, absolute. */
  path: string;
  /** Address of the HTTP interface; port 0 asks for a free one. */
  host: string;
  port: number;
  /** Created when it does not exist. */
  database: string;
  /** Server-level settings of the engine: memory, caches, pools. */
  engineSettings: Readonly<Record<string, string>>;
  /** Settings of every query, unless its request says otherwise. */
  querySettings: Readonly<Record<string, string>>;
  insertSessions: number;
  querySessions: number;
  /** Requests that may wait for a session of their kind; one more gets 503. */
  waitingMax: number;
}

export type StoreCommand =
  | { type: 'open'; options: StoreOptions }
  /** Finish what runs, close the data directory, end. */
  | { type: 'close'; withinMs: number };

export const FAILURE_REASONS = ['chdb_missing', 'locked', 'address_in_use', 'other'] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

export type StoreReport =
  | { type: 'ready'; port: number; version: string }
  | { type: 'beat' }
  /** The process could not open its directory or its port; it ends by itself. */
  | { type: 'failed'; reason: FailureReason; message: string }
  /** A thread of the database sits in a crash handler: nothing that it held will ever go on. */
  | { type: 'crashed'; thread: string };

/** Beats are sent this often, in milliseconds. */
export const BEAT_INTERVAL_MS = 1000;
