import assert from 'node:assert/strict';
import test from 'node:test';
import type { DeliveryConfig } from '../../component/factory.ts';
import { squash } from '../../config/field-kinds.ts';
import { defineConfig } from '../../config/schema.ts';
import { type DeliveryDefaults, deliveryShape } from './config.ts';

function parse(raw: unknown, defaults?: DeliveryDefaults) {
  return defineConfig<{ delivery: DeliveryConfig }>({ delivery: squash(deliveryShape(defaults)) }).parse(raw);
}

function good(raw: unknown, defaults?: DeliveryDefaults): DeliveryConfig {
  const parsed = parse(raw, defaults);
  assert.deepEqual(parsed.issues, []);
  return parsed.value!.delivery;
}

function messages(raw: unknown): string[] {
  return parse(raw).issues.map((issue) => `${issue.path.join('::')}: ${issue.message}`);
}

test('without keys delivery has the Collector defaults, without bounds that would lose data', () => {
  assert.deepEqual(good({}), {
    timeoutMs: 5_000,
    retry: {
      enabled: true,
      initialIntervalMs: 5_000,
      randomizationFactor: 0.5,
      multiplier: 1.5,
      maxIntervalMs: 30_000,
      maxElapsedMs: undefined,
    },
    deadLetters: { directory: undefined, totalBytesMax: 256 << 20, filesMax: 0 },
    queue: {
      enabled: true,
      numConsumers: 10,
      queueSize: undefined,
      sizer: 'requests',
      storage: undefined,
      isAwaited: false,
      blocksOnOverflow: false,
      batch: { flushTimeoutMs: 200, minSize: 8192, maxSize: 0, sizer: 'items' },
    },
  });
});

test('every key of the Collector is read', () => {
  const delivery = good({
    timeout: 0,
    retry_on_failure: {
      enabled: false,
      initial_interval: '1s',
      randomization_factor: 0,
      multiplier: 2,
      max_interval: '2s',
      max_elapsed_time: '2s',
    },
    sending_queue: {
      enabled: true,
      num_consumers: 1,
      queue_size: 5000,
      sizer: 'items',
      storage: 'file_storage / a',
      batch: { flush_timeout: '1s', min_size: 10, max_size: 20, sizer: 'bytes' },
    },
  });
  assert.equal(delivery.timeoutMs, 0);
  assert.deepEqual(delivery.retry, {
    enabled: false,
    initialIntervalMs: 1_000,
    randomizationFactor: 0,
    multiplier: 2,
    maxIntervalMs: 2_000,
    maxElapsedMs: 2_000,
  });
  assert.deepEqual(delivery.queue, {
    enabled: true,
    numConsumers: 1,
    queueSize: 5000,
    sizer: 'items',
    storage: 'file_storage/a',
    isAwaited: false,
    blocksOnOverflow: false,
    hasOwnBatch: true,
    batch: { flushTimeoutMs: 1_000, minSize: 10, maxSize: 20, sizer: 'bytes' },
  });
  assert.equal(good({ retry_on_failure: { max_elapsed_time: 0 } }).retry.maxElapsedMs, 0);
});

test('dead letters have bounds of their own', () => {
  const raw = { dead_letters: { directory: '/var/lib/refused', max_size: '8MiB', max_files: 3 } };
  assert.deepEqual(good(raw).deadLetters, {
    directory: '/var/lib/refused',
    totalBytesMax: 8 << 20,
    filesMax: 3,
  });
  assert.deepEqual(messages({ dead_letters: { max_size: 100 } }), [
    'dead_letters::max_size: must be at least 1048576, got 100',
  ]);
});

test('a batch takes its unit from the queue when that can be one', () => {
  const sizerOf = (queue: object) => good({ sending_queue: queue }).queue.batch.sizer;
  assert.equal(sizerOf({ sizer: 'bytes', batch: null }), 'bytes');
  assert.equal(sizerOf({ sizer: 'requests', batch: {} }), 'items');
  assert.equal(sizerOf({ sizer: 'bytes', batch: { sizer: 'items' } }), 'items');
  assert.equal(sizerOf({ sizer: 'bytes' }), 'items');
});

test('an exporter that batches by bytes does not turn the items of the user into bytes', () => {
  const bytes = { batchSizer: 'bytes', batchMinSize: 2_000_000, batchMaxSize: 3_000_000 } as const;
  const batchOf = (queue: object) => good({ sending_queue: queue }, bytes).queue.batch;
  const flushTimeoutMs = 200;
  assert.deepEqual(batchOf({}), { flushTimeoutMs, minSize: 2_000_000, maxSize: 3_000_000, sizer: 'bytes' });
  assert.deepEqual(batchOf({ batch: {} }), { flushTimeoutMs, minSize: 8192, maxSize: 0, sizer: 'items' });
  assert.deepEqual(batchOf({ batch: { min_size: 9 } }), {
    flushTimeoutMs,
    minSize: 9,
    maxSize: 0,
    sizer: 'items',
  });
});

test('defaults of an exporter give way to keys of the user instead of contradicting them', () => {
  const large = { batchMinSize: 50_000, batchMaxSize: 100_000, batchFlushTimeout: '1s', timeout: '10s' };
  const batchOf = (queue: unknown) => good({ sending_queue: queue }, large).queue.batch;
  assert.equal(good({}, large).timeoutMs, 10_000);
  assert.deepEqual(batchOf(null), {
    flushTimeoutMs: 1_000,
    minSize: 50_000,
    maxSize: 100_000,
    sizer: 'items',
  });
  assert.equal(batchOf({ batch: { max_size: 9_000 } }).minSize, 9_000);
  assert.equal(batchOf({ batch: { min_size: 200_000 } }).maxSize, 200_000);
  assert.equal(batchOf({ batch: { max_size: 0 } }).maxSize, 0);
  assert.equal(batchOf({ sizer: 'items', queue_size: 2_000, batch: {} }).minSize, 2_000);
});

test('bounds that contradict each other are refused with the texts of the Collector', () => {
  const raw = {
    timeout: '-1s',
    retry_on_failure: { max_elapsed_time: '4s', randomization_factor: 2 },
    sending_queue: {
      num_consumers: 0,
      queue_size: 0,
      storage: 'file_storage',
      wait_for_result: true,
      batch: { flush_timeout: 0, min_size: 10, max_size: 5, sizer: 'requests' },
    },
  };
  assert.deepEqual(messages(raw), [
    'timeout: must be non-negative, got "-1s"',
    'retry_on_failure::randomization_factor: must be at most 1, got 2',
    'sending_queue::batch::flush_timeout: `flush_timeout` must be positive',
    'sending_queue::batch::max_size: `max_size` must be greater or equal to `min_size`',
    'sending_queue::batch::sizer: `batch` supports only `items` or `bytes` sizer, found "requests"',
  ]);
  assert.deepEqual(messages({ sending_queue: { ...raw.sending_queue, batch: null } }), [
    'sending_queue::num_consumers: `num_consumers` must be positive',
    'sending_queue::queue_size: `queue_size` must be positive',
    'sending_queue::wait_for_result: `wait_for_result` is not supported with a persistent queue configured with `storage`',
  ]);
  assert.deepEqual(messages({ sending_queue: { storage: 'a-b/' } }), [
    'sending_queue::storage: in "a-b/" id: the part after / should not be empty',
  ]);
  assert.deepEqual(messages({ retry_on_failure: { max_elapsed_time: '4s' } }), [
    "retry_on_failure::max_elapsed_time: 'max_elapsed_time' must not be less than 'initial_interval'",
    "retry_on_failure::max_elapsed_time: 'max_elapsed_time' must not be less than 'max_interval'",
  ]);
  assert.deepEqual(messages({ sending_queue: { sizer: 'items', queue_size: 9, batch: { min_size: 10 } } }), [
    'sending_queue::batch::min_size: `min_size` must be less than or equal to `queue_size`',
  ]);
});

test('a partition without keys is none; keys that differ in case alone are told as the Collector does', () => {
  assert.deepEqual(messages({ sending_queue: { batch: { partition: { metadata_keys: [] } } } }), []);
  assert.deepEqual(
    messages({ sending_queue: { batch: { partition: { metadata_keys: ['A', 'b', 'a'] } } } }),
    [
      'sending_queue::batch::partition::metadata_keys: duplicate entry in metadata_keys: "a" (case-insensitive)',
    ],
  );
});

test('without a queue answers wait and nothing is held back', () => {
  const { queue } = good({ sending_queue: { enabled: false } });
  assert.deepEqual([queue.isAwaited, queue.batch.minSize], [true, 1]);
  const batched = good({ sending_queue: { enabled: false, batch: { min_size: 7 } } }).queue;
  assert.equal(batched.batch.minSize, 7);
  assert.equal(good({ sending_queue: { wait_for_result: true } }).queue.isAwaited, true);
});

test('keys with an old name or without support say so', () => {
  const parsed = parse({ sending_queue: { blocking: true } });
  assert.deepEqual(parsed.issues, []);
  assert.deepEqual(
    parsed.warnings?.map((warning) => `${warning.path.join('::')}: ${warning.message}`),
    ['sending_queue: "blocking" is deprecated; use "block_on_overflow" instead'],
  );
  assert.deepEqual(
    messages({
      batcher: {},
      sending_queue: {
        persistent_storage_enabled: true,
      },
    }),
    [
      'sending_queue: "persistent_storage_enabled" was replaced by "storage", which names an extension',
      ': "batcher" was replaced by "sending_queue.batch"',
    ],
  );
});
