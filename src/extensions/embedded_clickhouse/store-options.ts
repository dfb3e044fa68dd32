import { totalmem } from 'node:os';
import { parseHostPort } from '../../config/host-port.ts';
import { assert } from '../../stdx/assert.ts';
import type { EmbeddedClickhouseConfig } from './config.ts';
import type { StoreOptions } from './messages.ts';

const MIB = 1024 * 1024;
const MEMORY_BYTES_MAX = 4096 * MIB;
const MEMORY_BYTES_MIN = 512 * MIB;

/** Memory that this process may count on: of its control group when there is one, else of the machine. */
export function machineMemoryBytes(): number {
  const limitBytes = process.constrainedMemory();
  const totalBytes = totalmem();
  return limitBytes > 0 && limitBytes < totalBytes ? limitBytes : totalBytes;
}

/** What the store process is told, from what the user wrote. `path` must be absolute. */
export function toStoreOptions(
  config: EmbeddedClickhouseConfig,
  path: string,
  memoryBytes: number,
): StoreOptions {
  const address = parseHostPort(config.endpoint);
  assert(address !== undefined, 'the schema has checked the endpoint');
  const shareBytes = Math.max(MEMORY_BYTES_MIN, Math.min(MEMORY_BYTES_MAX, Math.floor(memoryBytes / 4)));
  const serverBytes = config.memoryBytesMax === 0 ? shareBytes : config.memoryBytesMax;
  const queryBytes =
    config.queryMemoryBytesMax === 0 ? Math.floor(serverBytes / 2) : config.queryMemoryBytesMax;
  const spillBytes = String(Math.floor(queryBytes / 2));
  return {
    path,
    ...address,
    database: config.database,
    engineSettings: texts({
      max_server_memory_usage: serverBytes,
      mark_cache_size: config.markCacheBytes,
      primary_index_cache_size: config.primaryIndexCacheBytes,
      uncompressed_cache_size: config.uncompressedCacheBytes,
      background_pool_size: config.mergeThreads,
      // Twice as many merges as threads are the default; each holds buffers for every column of every part.
      background_merges_mutations_concurrency_ratio: 1,
      // Merges past this wait, so that they do not take the memory that inserts need.
      merges_mutations_memory_usage_soft_limit: Math.floor(serverBytes / 2),
      os_threads_nice_value_merge_mutate: config.mergeNice,
      // Several of these default to gigabytes, whatever the machine has.
      index_mark_cache_size: 16 * MIB,
      query_condition_cache_size: 16 * MIB,
      text_index_tokens_cache_size: 16 * MIB,
      text_index_header_cache_size: 16 * MIB,
      text_index_postings_cache_size: 16 * MIB,
      vector_similarity_index_cache_size: MIB,
      parquet_metadata_cache_size: MIB,
      iceberg_metadata_files_cache_size: MIB,
      unique_key_index_cache_size_bytes: MIB,
    }),
    querySettings: {
      // Whoever sends rows here has made batches of them already.
      async_insert: '0',
      max_memory_usage: String(queryBytes),
      max_bytes_before_external_group_by: spillBytes,
      max_bytes_before_external_sort: spillBytes,
      ...(config.threadsMax === 0 ? {} : { max_threads: String(config.threadsMax) }),
    },
    insertSessions: config.insertSessions,
    querySessions: config.querySessions,
    waitingMax: config.waitingMax,
  };
}

function texts(numbers: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)]));
}
