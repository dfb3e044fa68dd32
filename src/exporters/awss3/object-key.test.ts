import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KeySettings, ObjectKeys } from './object-key.ts';

const SETTINGS: KeySettings = {
  exporterId: 'awss3',
  basePrefix: '',
  prefix: '',
  partitionFormat: 'year=%Y/month=%m/day=%d/hour=%H/minute=%M',
  timeZone: 'UTC',
  filePrefix: '',
  uniqueKey: '',
  extension: 'json',
};
const BATCH = {
  signal: 'traces',
  batchId: 'traces~0.1a2b3c4d-8192-16383',
  receivedUnixMs: Date.UTC(2026, 7, 21, 10, 5, 59, 999),
} as const;
const FOLDER = 'year=2026/month=08/day=21/hour=10/minute=05';

function key(settings: Partial<KeySettings>, batch: Partial<typeof BATCH> = {}, prefix?: string): string {
  return new ObjectKeys({ ...SETTINGS, ...settings }).key({ ...BATCH, ...batch } as typeof BATCH, prefix);
}

test('keys have the Collector’s shape', () => {
  assert.match(key({}), new RegExp(`^${FOLDER}/traces_[\\da-f]{16}-000000008192-000000016383\\.json$`));
  assert.ok(key({ prefix: 'app' }).startsWith(`app/${FOLDER}/traces_`));
  assert.ok(key({ prefix: 'app', basePrefix: 'env/prod' }).startsWith(`env/prod/app/${FOLDER}/traces_`));
  assert.ok(key({ filePrefix: 'gw-1-' }).startsWith(`${FOLDER}/gw-1-traces_`));
  assert.ok(key({ extension: 'binpb.gz' }).endsWith('.binpb.gz'));
  // Slashes are joined as path.Join of Go does.
  assert.ok(key({ prefix: 'app//x/', basePrefix: '/root' }).startsWith(`/root/app/x/${FOLDER}/`));
});

test('a prefix of a resource replaces the prefix and not the base', () => {
  const settings = { prefix: 'app', basePrefix: 'env' };
  assert.ok(key(settings, {}, 'tenant-7').startsWith(`env/tenant-7/${FOLDER}/traces_`));
});

test('a retry has the same key whenever it happens; another batch, log or exporter has another one', () => {
  const first = key({});
  assert.equal(key({}), first);
  const others = [
    key({}, { batchId: 'traces~0.1a2b3c4d-8192-16384' as never }),
    key({}, { batchId: 'traces~1.1a2b3c4d-8192-16383' as never }),
    key({}, { batchId: 'traces~0.1a2b3c4e-8192-16383' as never }),
    key({}, { batchId: 'traces~0.1a2b3c4d-8192-16383_0-99' as never }),
    key({}, { batchId: 'traces~0.1a2b3c4d-8192-16383.0123456789abcdef' as never }),
    key({ exporterId: 'awss3/2' }),
  ];
  assert.equal(new Set([first, ...others]).size, others.length + 1);
});

test('keys of one log sort in the order of their items', () => {
  const keys = [0, 900, 8192, 1_000_000].map((ordinal) =>
    key({}, { batchId: `traces~0.1a2b3c4d-${ordinal}-${ordinal + 9}` as never }),
  );
  assert.deepEqual(keys.toSorted(), keys);
});

test('uuidv7 is a valid one, of the time of the batch, and stays the same', () => {
  const unique = /traces_(.+)\.json$/.exec(key({ uniqueKey: 'uuidv7' }))![1]!;
  assert.match(unique, /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  const unixMs = Number.parseInt(unique.replaceAll('-', '').slice(0, 12), 16);
  assert.equal(unixMs, BATCH.receivedUnixMs);
  assert.ok(key({ uniqueKey: 'uuidv7' }).includes(unique));
});
