import { byteCount, count, duration, endpoint, string } from '../../config/field-kinds.ts';
import { defineConfig } from '../../config/schema.ts';

/** ClickHouse inside the engine's own process tree, on loopback. */
export interface EmbeddedClickhouseConfig {
  /** undefined: `clickhouse` below the engine's data directory. */
  path: string | undefined;
  endpoint: string;
  database: string;
  /** 0: a quarter of the machine's memory, at most 4 GiB. */
  memoryBytesMax: number;
  /** 0: half of `memoryBytesMax`. */
  queryMemoryBytesMax: number;
  markCacheBytes: number;
  primaryIndexCacheBytes: number;
  uncompressedCacheBytes: number;
  /** Threads of one query; 0: one for each core. */
  threadsMax: number;
  mergeThreads: number;
  /** Priority of merges below inserts and queries, 0..19. */
  mergeNice: number;
  insertSessions: number;
  querySessions: number;
  waitingMax: number;
  startTimeoutMs: number;
  heartbeatTimeoutMs: number;
}

const MIB = 1024 * 1024;

export const embeddedClickhouseConfigSchema = defineConfig<EmbeddedClickhouseConfig>({
  path: string('path', {
    // The engine reads bodies by a path below this one, and expands these characters there.
    pattern: /^[^\0*?{}]+$/,
    patternHint: 'must name a directory without any of * ? { }',
    doc: 'Data directory of ClickHouse; `clickhouse` below `--data-dir` when it is not given.',
  }),
  endpoint: endpoint('endpoint', {
    accepts: 'host:port',
    default: '127.0.0.1:8123',
    doc: 'Address of the HTTP interface. It has no passwords: keep it on loopback.',
  }),
  database: string('database', {
    default: 'otel',
    pattern: /^\w+$/,
    patternHint: 'must be a plain name',
    doc: 'Database that is created at start.',
  }),
  memoryBytesMax: byteCount('max_memory', {
    default: 0,
    doc: 'Memory of ClickHouse, caches included; 0 takes a quarter of the machine, at most 4GiB.',
  }),
  queryMemoryBytesMax: byteCount('max_query_memory', {
    default: 0,
    doc: 'Memory of one query; 0 takes half of `max_memory`. Sorts and groups use the disk from half of it on.',
  }),
  markCacheBytes: byteCount('mark_cache_size', { default: 64 * MIB, doc: 'Cache of positions in columns.' }),
  primaryIndexCacheBytes: byteCount('primary_index_cache_size', {
    default: 64 * MIB,
    doc: 'Cache of primary keys.',
  }),
  uncompressedCacheBytes: byteCount('uncompressed_cache_size', {
    default: 0,
    doc: 'Cache of decompressed blocks; 0 for none.',
  }),
  threadsMax: count('max_threads', {
    default: 0,
    max: 1024,
    doc: 'Threads of one query; 0 takes one for each core.',
  }),
  mergeThreads: count('merge_threads', { default: 2, min: 1, max: 256, doc: 'Merges that run at once.' }),
  mergeNice: count('merge_nice', {
    default: 5,
    max: 19,
    doc: 'How far merges step back when inserts and queries want the processor, from 0 to 19.',
  }),
  insertSessions: count('insert_sessions', {
    default: 1,
    min: 1,
    max: 64,
    doc: 'Inserts that run at once; the others wait in order.',
  }),
  querySessions: count('query_sessions', {
    default: 4,
    min: 1,
    max: 64,
    doc: 'Queries that run at once, by POST and by GET each.',
  }),
  waitingMax: count('max_waiting', {
    default: 64,
    min: 1,
    doc: 'Requests that may wait for a session; one more is answered with 503.',
  }),
  startTimeoutMs: duration('start_timeout', {
    default: '60s',
    min: 1000,
    doc: 'Longest wait for the store to open its data.',
  }),
  heartbeatTimeoutMs: duration('heartbeat_timeout', {
    default: '10s',
    min: 2000,
    doc: 'A store process that is silent for this long is killed and replaced.',
  }),
});
