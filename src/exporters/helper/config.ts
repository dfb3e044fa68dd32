/** Keys that every exporter shares: `timeout`, `retry_on_failure`, `sending_queue`, `dead_letters`. Used by squash. */
import { type ClientKeys, clientKeys, mergeClientKeys } from '../../component/client-context.ts';
import { parseComponentId } from '../../component/component-id.ts';
import type { DeadLettersConfig, DeliveryConfig } from '../../component/factory.ts';
import {
  boolean,
  byteCount,
  count,
  duration,
  integer,
  number,
  oneOf,
  refused,
  section,
  string,
  stringList,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineShape, mapShape, readDefaults, type Shape } from '../../config/schema.ts';
import { once } from '../../stdx/once.ts';

/** What one exporter wants different from the Collector's defaults; the user's keys win over both. */
export interface DeliveryDefaults {
  /** In YAML notation. */
  timeout?: string;
  numConsumers?: number;
  /** In YAML notation. */
  batchFlushTimeout?: string;
  batchMinSize?: number;
  /** 0 means that batches are not split. */
  batchMaxSize?: number;
  batchSizer?: 'items' | 'bytes';
}

type RetryConfig = DeliveryConfig['retry'];
type QueueConfig = DeliveryConfig['queue'];

/** As written: sizes and sizer that are absent depend on other keys. */
interface BatchKeys {
  flushTimeoutMs: number;
  minSize: number | undefined;
  maxSize: number | undefined;
  sizer: 'items' | 'bytes' | 'requests' | undefined;
  partition: PartitionKeys | undefined;
}

interface PartitionKeys {
  metadataKeys: readonly string[];
}

interface QueueKeys extends Omit<QueueConfig, 'batch' | 'hasOwnBatch' | 'isAwaited'> {
  waitsForResult: boolean;
  batch: BatchKeys | undefined;
}

const BATCH_FLUSH_TIMEOUT = '200ms';
const BATCH_MIN_SIZE = 8192;

/**
 * The shared table with an exporter's own defaults; its value is what `ExporterFactory.delivery` returns.
 *
 * `queue_size` and `max_elapsed_time` have no default here, unlike in the Collector: the disk budget bounds
 * what waits, and an outage must not turn into loss. Set, both are honoured.
 */
export function deliveryShape(defaults: DeliveryDefaults = {}): Shape<DeliveryConfig> {
  return defineShape<Omit<DeliveryConfig, 'streamsBatches'>>(
    {
      timeoutMs: duration('timeout', {
        default: defaults.timeout ?? '5s',
        doc: 'Longest time of one attempt; 0 means no limit.',
      }),
      retry: section('retry_on_failure', retryShape(), { doc: 'How failed batches are sent again.' }),
      queue: section('sending_queue', queueShape(defaults), { doc: 'How waiting data is read and batched.' }),
      deadLetters: section('dead_letters', deadLettersShape(), {
        doc: 'Files with the items that the backend refuses for good. The Collector has no such key.',
      }),
    },
    undefined,
    [refused('batcher', 'was replaced by "sending_queue.batch"')],
  );
}

function deadLettersShape(): Shape<DeadLettersConfig> {
  return defineShape<DeadLettersConfig>({
    directory: string('directory', {
      doc: 'Directory that gets `deadletter/<exporter>/`. Not set, the one that has the logs; with `--durability memory` refused items are dropped then.',
    }),
    totalBytesMax: byteCount('max_size', {
      default: '256MiB',
      min: 1 << 20,
      doc: 'Most bytes of one signal; beyond it the oldest file goes. A file is a quarter of it, 16 MiB at most.',
    }),
    filesMax: count('max_files', {
      default: 0,
      doc: 'Most files of one signal; beyond it the oldest goes. 0 means no bound but `max_size`.',
    }),
  });
}

function retryShape(): Shape<RetryConfig> {
  return defineShape<RetryConfig>(
    {
      enabled: boolean('enabled', {
        default: true,
        doc: 'Send again after errors that may pass. Without it the first error drops the batch.',
      }),
      initialIntervalMs: duration('initial_interval', {
        default: '5s',
        doc: 'Wait before the second attempt.',
      }),
      randomizationFactor: number('randomization_factor', {
        default: 0.5,
        min: 0,
        max: 1,
        doc: 'Part of the wait that is random, in both directions.',
      }),
      multiplier: number('multiplier', {
        default: 1.5,
        min: 0,
        doc: 'Growth of the wait from attempt to attempt.',
      }),
      maxIntervalMs: duration('max_interval', { default: '30s', doc: 'Longest wait between two attempts.' }),
      maxElapsedMs: duration('max_elapsed_time', {
        doc: 'Longest time from the first attempt to giving up; 0 means for ever. Not set, there is no limit while the data is on disk.',
      }),
    },
    checkRetry,
  );
}

function checkRetry(retry: RetryConfig): CheckIssue[] {
  const { maxElapsedMs } = retry;
  if (maxElapsedMs === undefined || maxElapsedMs === 0) return [];
  const issues: CheckIssue[] = [];
  const report = (bound: string) => {
    issues.push({ key: 'max_elapsed_time', message: `'max_elapsed_time' must not be less than '${bound}'` });
  };
  if (maxElapsedMs < retry.initialIntervalMs) report('initial_interval');
  if (maxElapsedMs < retry.maxIntervalMs) report('max_interval');
  return issues;
}

function queueShape(defaults: DeliveryDefaults): Shape<QueueConfig> {
  const batch = batchShape(defaults);
  const shape = defineShape<QueueKeys>(
    {
      enabled: boolean('enabled', {
        default: true,
        doc: 'Without it answers wait for delivery and nothing is held back for a batch; the data is on disk all the same.',
      }),
      numConsumers: integer('num_consumers', {
        default: defaults.numConsumers ?? 10,
        doc: 'Batches that are sent at the same time.',
      }),
      queueSize: integer('queue_size', {
        doc: 'Most that may wait, in units of `sizer`. Not set, the disk budget alone is the bound.',
      }),
      sizer: oneOf('sizer', {
        values: ['requests', 'items', 'bytes'],
        default: 'requests',
        doc: 'Unit of `queue_size`: requests, items (spans, log records, data points) or bytes.',
      }),
      storage: string('storage', { doc: 'Id of the storage extension whose directory holds what waits.' }),
      waitsForResult: boolean('wait_for_result', {
        default: false,
        doc: 'Answer when this exporter is done with the data, not when it is on disk.',
      }),
      blocksOnOverflow: boolean('block_on_overflow', {
        default: false,
        oldKey: 'blocking',
        doc: 'Let senders wait for room, for 4.5 seconds at most, instead of refusing them.',
      }),
      batch: section('batch', batch, {
        optional: true,
        doc: 'Size and age of batches. Batches are cut when data is read from disk, so they never hold data back.',
      }),
    },
    checkQueue,
    [refused('persistent_storage_enabled', 'was replaced by "storage", which names an extension')],
  );
  // Tables are made in every thread, and read in one: what reads values is not loaded for a table alone.
  const defaultBatch = once(() => readDefaults(batch));
  return mapShape(shape, ({ waitsForResult, ...queue }) => ({
    ...queue,
    isAwaited: waitsForResult || !queue.enabled,
    storage: normalId(queue.storage),
    ...(queue.batch === undefined ? {} : { hasOwnBatch: true as const }),
    batch: completeBatch(queue, defaultBatch(), defaults),
  }));
}

function batchShape(defaults: DeliveryDefaults): Shape<BatchKeys> {
  const { batchMinSize = BATCH_MIN_SIZE, batchMaxSize = 0 } = defaults;
  return defineShape<BatchKeys>(
    {
      flushTimeoutMs: duration('flush_timeout', {
        default: defaults.batchFlushTimeout ?? BATCH_FLUSH_TIMEOUT,
        doc: 'Age at which a batch is sent however small it is.',
      }),
      minSize: count('min_size', { doc: `Size at which a batch is sent; ${batchMinSize} when not set.` }),
      maxSize: count('max_size', {
        doc: `Largest batch; larger ones are split. ${batchMaxSize} when not set, and 0 means no bound.`,
      }),
      // `requests` is read here only so that the refusal can say what the Collector says.
      sizer: oneOf('sizer', {
        values: ['items', 'bytes', 'requests'],
        doc: "Unit of `min_size` and `max_size`: the queue's when that is items or bytes, otherwise items.",
      }),
      partition: section('partition', partitionShape(), {
        optional: true,
        doc: 'Separate batches by what is known of the client.',
      }),
    },
    checkBatch,
  );
}

function partitionShape(): Shape<PartitionKeys> {
  return defineShape<PartitionKeys>(
    {
      metadataKeys: stringList('metadata_keys', {
        default: [],
        doc: 'Headers of clients that batches are kept apart by, whatever their letter case; receivers need `include_metadata`.',
      }),
    },
    ({ metadataKeys }) => {
      const lower = metadataKeys.map((key) => key.toLowerCase());
      const twice = metadataKeys.find((_, index) => lower.indexOf(lower[index]!) < index);
      if (twice !== undefined) {
        const message = `duplicate entry in metadata_keys: "${twice.toLowerCase()}" (case-insensitive)`;
        return [{ key: 'metadata_keys', message }];
      }
      return [];
    },
  );
}

function partitionOf(metadataKeys: readonly string[]): ClientKeys | undefined {
  return mergeClientKeys([
    clientKeys(metadataKeys.map((key) => ({ kind: 'metadata', name: key.toLowerCase() }))),
  ]);
}

function checkBatch(batch: BatchKeys): CheckIssue[] {
  const { minSize, maxSize } = batch;
  const issues: CheckIssue[] = [];
  if (batch.flushTimeoutMs <= 0)
    issues.push({ key: 'flush_timeout', message: '`flush_timeout` must be positive' });
  if (minSize !== undefined && maxSize !== undefined && maxSize !== 0 && maxSize < minSize) {
    issues.push({ key: 'max_size', message: '`max_size` must be greater or equal to `min_size`' });
  }
  if (batch.sizer === 'requests') {
    issues.push({
      key: 'sizer',
      message: '`batch` supports only `items` or `bytes` sizer, found "requests"',
    });
  }
  return issues;
}

function checkQueue(queue: QueueKeys): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const { queueSize, batch } = queue;
  if (queue.numConsumers <= 0)
    issues.push({ key: 'num_consumers', message: '`num_consumers` must be positive' });
  if (queueSize !== undefined && queueSize <= 0) {
    issues.push({ key: 'queue_size', message: '`queue_size` must be positive' });
  }
  const hasOneUnit = queue.sizer === (batch?.sizer ?? queue.sizer);
  if (
    hasOneUnit &&
    queueSize !== undefined &&
    (batch?.minSize ?? 0) > queueSize &&
    queue.sizer !== 'requests'
  ) {
    issues.push({ key: 'batch.min_size', message: '`min_size` must be less than or equal to `queue_size`' });
  }
  const storage = parseComponentId(queue.storage ?? 'absent');
  if ('error' in storage) issues.push({ key: 'storage', message: storage.error });
  if (queue.enabled && queue.waitsForResult && queue.storage !== undefined) {
    const message = '`wait_for_result` is not supported with a persistent queue configured with `storage`';
    issues.push({ key: 'wait_for_result', message });
  }
  return issues;
}

/** Blanks around the slash are gone in the ids of the plan, so they must be gone here. */
function normalId(storage: string | undefined): string | undefined {
  if (storage === undefined) return undefined;
  const parsed = parseComponentId(storage);
  return 'error' in parsed ? storage : parsed.id;
}

/**
 * Fills in what the user left out. A default never contradicts a key that was set: a configuration that the
 * Collector accepts must not fail because an exporter prefers larger batches here.
 */
function completeBatch(
  queue: Pick<QueueKeys, 'enabled' | 'batch' | 'sizer' | 'queueSize'>,
  defaultBatch: BatchKeys,
  defaults: DeliveryDefaults,
): QueueConfig['batch'] {
  const { batchSizer = 'items' } = defaults;
  const { batch, queueSize } = queue;
  // Without a batch section the queue's unit says nothing about batches: 8192 bytes would be tiny ones.
  const inherited = queue.sizer === 'requests' ? 'items' : queue.sizer;
  const written = batch === undefined ? batchSizer : inherited;
  const sizer = batch?.sizer === 'items' || batch?.sizer === 'bytes' ? batch.sizer : written;
  // An exporter's own sizes mean its own unit.
  const own: DeliveryDefaults = sizer === batchSizer ? defaults : {};
  const { batchMinSize = BATCH_MIN_SIZE, batchMaxSize = 0 } = own;
  const { flushTimeoutMs } = batch ?? defaultBatch;
  const queueBound = queueSize !== undefined && queue.sizer === sizer ? queueSize : Number.POSITIVE_INFINITY;
  const maxBound = batch?.maxSize || Number.POSITIVE_INFINITY;
  // Without a queue the Collector sends each request by itself: nothing is held back here then.
  const ownMinSize = queue.enabled ? batchMinSize : 1;
  const minSize = batch?.minSize ?? Math.min(ownMinSize, maxBound, queueBound);
  const maxSize = batch?.maxSize ?? (batchMaxSize === 0 ? 0 : Math.max(batchMaxSize, minSize));
  const partition = partitionOf(batch?.partition?.metadataKeys ?? []);
  return { flushTimeoutMs, minSize, maxSize, sizer, ...(partition === undefined ? {} : { partition }) };
}
