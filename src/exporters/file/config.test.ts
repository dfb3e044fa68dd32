import assert from 'node:assert/strict';
import test from 'node:test';
import { fileConfigSchema } from './config.ts';

test('defaults are the Collector’s', () => {
  const { value, issues } = fileConfigSchema.parse({ path: 'out.json' });
  assert.deepEqual(issues, []);
  const { delivery, ...own } = value!;
  assert.deepEqual(own, {
    path: 'out.json',
    appends: false,
    rotation: undefined,
    format: 'json',
    compression: undefined,
    compressionLevel: { level: undefined },
    flushIntervalMs: 1000,
    createsDirectory: false,
    directoryPermissions: undefined,
    groupBy: { isEnabled: false, resourceAttribute: 'fileexporter.path_segment', maxOpenFiles: 100 },
  });
  assert.equal(delivery.queue.numConsumers, 1);
});

test('rotation is off without its key and has its defaults with an empty one', () => {
  const { value } = fileConfigSchema.parse({ path: 'a', rotation: null });
  assert.deepEqual(value?.rotation, {
    maxMegabytes: 100,
    maxDays: 0,
    maxBackups: 100,
    usesLocalTime: false,
  });
});

test('a full configuration of the Collector is read', () => {
  const raw = {
    path: '/tmp/out.bin',
    rotation: { max_megabytes: 10, max_days: 3, max_backups: 3, localtime: true },
    format: 'proto',
    compression: 'zstd',
    compression_params: { level: 5 },
    flush_interval: '5s',
    create_directory: true,
    directory_permissions: '0750',
    group_by: { enabled: false, resource_attribute: 'x', max_open_files: 3 },
    sending_queue: { queue_size: 100 },
    retry_on_failure: { enabled: true },
  };
  const { value, issues, warnings } = fileConfigSchema.parse(raw);
  assert.deepEqual(issues, []);
  assert.equal(value?.compressionLevel.level, 5);
  assert.deepEqual(
    warnings?.map((warning) => warning.path),
    [['flush_interval']],
  );
});

const bad: [string, object, string, RegExp][] = [
  ['no path', {}, 'path', /is required/],
  ['empty path', { path: '' }, 'path', /path must be non-empty/],
  ['unknown format', { path: 'a', format: 'csv' }, 'format', /json, proto/],
  ['unknown compression', { path: 'a', compression: 'gzip' }, 'compression', /zstd/],
  ['append with compression', { path: 'a', append: true, compression: 'zstd' }, 'append', /not supported/],
  ['append with rotation', { path: 'a', append: true, rotation: null }, 'append', /not supported/],
  ['no flush interval', { path: 'a', flush_interval: '0s' }, 'flush_interval', /larger than zero/],
  ['encoding', { path: 'a', encoding: 'otlp_encoding' }, 'encoding', /not supported yet/],
  ['group_by', { path: 'a/*', group_by: { enabled: true } }, 'group_by', /not supported yet/],
  [
    'permissions alone',
    { path: 'a', directory_permissions: '0755' },
    'directory_permissions',
    /requires create_directory/,
  ],
  [
    'bad permissions',
    { path: 'a', create_directory: true, directory_permissions: '0999' },
    'directory_permissions',
    /octal/,
  ],
  ['unknown key', { path: 'a', flush: 1 }, 'flush', /unknown key/],
];

for (const [name, raw, key, message] of bad) {
  test(`refused: ${name}`, () => {
    const { value, issues } = fileConfigSchema.parse(raw);
    assert.equal(value, undefined);
    assert.equal(issues.length, 1);
    assert.equal(issues[0]!.key ?? issues[0]!.path[0], key);
    assert.match(issues[0]!.message, message);
  });
}
