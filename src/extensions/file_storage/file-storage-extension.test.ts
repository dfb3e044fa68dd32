import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings, Logger } from '../../component/settings.ts';
import { systemClock } from '../../stdx/clock.ts';
import { fileStorageConfigSchema } from './config.ts';
import { fileStorageExtensionFactory } from './factory.ts';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

const settings: ComponentSettings = {
  id: 'file_storage/a',
  logger: quiet,
  clock: systemClock,
  meter: {
    counter: () => ({ add() {} }),
    gauge: () => ({ set() {} }),
    latency: () => ({ record() {} }),
    histogram: () => ({ record() {} }),
  },
};

async function tempDir(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'millrace-file-storage-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function startWith(raw: object): Promise<void> {
  const parsed = fileStorageConfigSchema.parse(raw);
  assert.deepEqual(parsed.issues, []);
  const extension = await fileStorageExtensionFactory.create(settings, parsed.value!);
  await extension.start();
  await extension.shutdown(0);
  await extension.shutdown(0);
}

function failsWith(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof PipelineError);
    assert.equal(error.code, 'START_FAILED');
    assert.match(error.message, /^extensions::file_storage\/a::directory: "/);
    assert.match(error.message, message);
    return true;
  };
}

test('all keys of the Collector are accepted; those without effect warn', () => {
  const parsed = fileStorageConfigSchema.parse({
    directory: '/data',
    create_directory: true,
    directory_permissions: '0700',
    timeout: '10s',
    fsync: true,
    compaction: { on_start: true, on_rebound: true, directory: '/tmp', check_interval: '1s' },
  });
  assert.deepEqual(parsed.issues, []);
  assert.deepEqual(parsed.value, {
    directory: '/data',
    createsDirectory: true,
    directoryPermissions: '0700',
    retain: undefined,
  });
  assert.deepEqual(
    parsed.warnings?.map((warning) => warning.key),
    ['timeout', 'fsync', 'compaction'],
  );
  assert.equal(fileStorageExtensionFactory.storageDirectory?.(parsed.value!), '/data');
  assert.equal(fileStorageConfigSchema.parse(null).value?.directory, '/var/lib/otelcol/file_storage');
});

test('keys without effect are checked all the same', () => {
  const raw = { compaction: { on_start: 'yes', on_strat: true }, directory: '', directory_permissions: '9' };
  assert.deepEqual(
    fileStorageConfigSchema.parse(raw).issues.map((issue) => `${issue.path.join('::')}: ${issue.message}`),
    [
      'directory: must name a directory, got ""',
      'directory_permissions: must be octal permissions in quotes, such as "0750", got "9"',
      'compaction: unknown key "on_strat" (did you mean "on_start"?)',
      'compaction::on_start: expected true or false, got "yes"',
    ],
  );
});

test('an existing directory starts, a missing one only with create_directory and its permissions', async (t) => {
  const directory = await tempDir(t);
  await startWith({ directory });
  const below = path.join(directory, 'a', 'b');
  await assert.rejects(startWith({ directory: below }), failsWith(/does not exist; .*create_directory/));
  await startWith({ directory: below, create_directory: true, directory_permissions: '0700' });
  assert.equal((await stat(below)).mode & 0o777, 0o700);
});

test('a file in place of the directory, and a directory without write permission, stop the start', async (t) => {
  const directory = await tempDir(t);
  const file = path.join(directory, 'file');
  await writeFile(file, '');
  await assert.rejects(startWith({ directory: file }), failsWith(/is not a directory/));
  await assert.rejects(
    startWith({ directory: file, create_directory: true }),
    failsWith(/cannot be created/),
  );
  if (process.getuid?.() === 0) return t.diagnostic('root may write everywhere: permissions not checked');
  await chmod(directory, 0o500);
  await assert.rejects(startWith({ directory }), failsWith(/not readable and writable/));
  await chmod(directory, 0o700);
});

test('retain takes a time, a size or both, and nothing else', () => {
  const retained = (retain: unknown) => fileStorageConfigSchema.parse({ retain });
  assert.deepEqual(retained({ time: '24h', size: '50GiB' }).value?.retain, {
    timeMs: 86_400_000,
    sizeBytes: 50 * 2 ** 30,
  });
  assert.equal(retained({ time: '90m' }).value?.retain?.timeMs, 5_400_000);
  const messages = [{}, { time: 'a day' }, { bytes: 5 }].map((raw) =>
    retained(raw).issues.map((issue) => `${issue.path.join('::')}: ${issue.message}`),
  );
  assert.deepEqual(messages[0], ['retain: needs `time`, `size` or both']);
  assert.match(messages[1]!.join(), /^retain::time: /);
  assert.match(messages[2]!.join(), /unknown key "bytes"/);
});
