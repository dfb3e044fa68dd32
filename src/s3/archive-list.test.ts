import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DirectoryArchive } from './archive-directory.ts';
import { listArchive } from './archive-list.ts';
import { parseArchiveName } from './archive-name.ts';
import { type ArchiveLevel, type ArchiveStore, compareKeys } from './archive-store.ts';
import { timeOfFolders } from './archive-time.ts';

const EVERYTHING = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };
const utc = (text: string) => Date.parse(`${text}Z`);

function archiveOf(t: TestContext, keys: readonly string[]): DirectoryArchive {
  const root = mkdtempSync(join(tmpdir(), 'millrace-archive-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const key of keys) {
    mkdirSync(dirname(join(root, key)), { recursive: true });
    writeFileSync(join(root, key), 'x');
    utimesSync(join(root, key), 1_000_000, 1_000_000);
  }
  return new DirectoryArchive(root);
}

/** Notes what was listed. */
class Watched implements ArchiveStore {
  readonly name = 'watched';
  readonly listed: string[] = [];
  readonly #store: ArchiveStore;

  constructor(store: ArchiveStore) {
    this.#store = store;
  }

  list(prefix: string, after: string, isFlat: boolean): AsyncIterable<ArchiveLevel> {
    this.listed.push(`${prefix}${isFlat ? '*' : ''}`);
    return this.#store.list(prefix, after, isFlat);
  }

  read(key: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#store.read(key, signal);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

async function keysOf(
  store: ArchiveStore,
  range: Partial<Parameters<typeof listArchive>[1]>,
): Promise<string[]> {
  const keys: string[] = [];
  const whole = { ...EVERYTHING, prefix: '', after: '', timezone: 'UTC', ...range };
  for await (const page of listArchive(store, whole)) keys.push(...page.map(({ key }) => key));
  return keys;
}

const HOURS = Array.from({ length: 48 }, (_, hour) => {
  const day = String(1 + Math.floor(hour / 24)).padStart(2, '0');
  return `app/year=2026/month=03/day=${day}/hour=${String(hour % 24).padStart(2, '0')}/traces_${hour}.json`;
});

test('keys come in the order of their bytes, also behind one of them', async (t) => {
  const keys = ['a-b/x', 'a/b', 'a/c/d', 'a0', 'b', 'ä/z'];
  const store = archiveOf(t, keys);
  assert.deepEqual(await keysOf(store, {}), keys);
  for (const [index, after] of keys.entries())
    assert.deepEqual(await keysOf(store, { after }), keys.slice(index + 1));
  assert.deepEqual(['\u{1f600}', '\uffee', 'z'].sort(compareKeys), ['z', '\uffee', '\u{1f600}']);
});

test('a range lists the folders that it needs and no others', async (t) => {
  const store = new Watched(archiveOf(t, [...HOURS, 'app/year=2025/month=12/day=31/hour=23/traces_1.json']));
  const range = { fromMs: utc('2026-03-01T22:30'), toMs: utc('2026-03-02T02:00') };
  assert.deepEqual(await keysOf(store, { prefix: 'app/', ...range }), HOURS.slice(22, 26));
  assert.ok(!store.listed.some((prefix) => prefix.includes('2025')), store.listed.join(' '));
  assert.ok(!store.listed.some((prefix) => prefix.includes('hour=10')), store.listed.join(' '));
  store.listed.length = 0;
  const month = { fromMs: utc('2026-03-01T00:00'), toMs: utc('2026-04-01T00:00') };
  assert.deepEqual(await keysOf(store, { prefix: 'app/', ...month }), HOURS);
  assert.deepEqual(store.listed, ['app/', 'app/year=2026/', 'app/year=2026/month=03/*']);
});

test('where folders name no time, the time of the object counts', async (t) => {
  const store = archiveOf(t, ['x/one.json', 'x/two.json']);
  const around = { fromMs: 999_000_000, toMs: 1_001_000_000 };
  assert.deepEqual(await keysOf(store, around), ['x/one.json', 'x/two.json']);
  assert.deepEqual(await keysOf(store, { ...around, fromMs: 1_000_500_000 }), []);
});

test('folders name spans of time in their zone', () => {
  const span = (path: string, zone = 'UTC') => {
    const found = timeOfFolders(path, zone);
    return found === undefined
      ? undefined
      : [found.fromMs, found.toMs].map((ms) => new Date(ms).toISOString().slice(0, 16));
  };
  assert.deepEqual(span('a/year=2026/month=08/day=21/hour=10/minute=05/'), [
    '2026-08-21T10:05',
    '2026-08-21T10:06',
  ]);
  assert.deepEqual(span('year=2026/month=12'), ['2026-12-01T00:00', '2027-01-01T00:00']);
  assert.deepEqual(span('dt=2026-03-01/hour=7/'), ['2026-03-01T07:00', '2026-03-01T08:00']);
  assert.deepEqual(span('logs/2026/03/01/23/'), ['2026-03-01T23:00', '2026-03-02T00:00']);
  assert.deepEqual(span('year=2026/month=03/day=01/hour=10', 'Europe/Berlin'), [
    '2026-03-01T09:00',
    '2026-03-01T10:00',
  ]);
  // The night in which clocks go forward has 23 hours.
  assert.deepEqual(span('year=2026/month=03/day=29', 'Europe/Berlin'), [
    '2026-03-28T23:00',
    '2026-03-29T22:00',
  ]);
  for (const none of ['a/b', 'v1/2/', 'year=99/', 'year=2026/month=13/', 'day=01/']) {
    const found = span(none);
    assert.ok(found === undefined || none === 'day=01/', `${none}: ${String(found)}`);
  }
});

test('names tell signal, format and compression', () => {
  const told = (key: string) => {
    const { signal, format, compression } = parseArchiveName(key);
    return `${signal} ${format} ${compression}`;
  };
  assert.equal(told('a/year=2026/traces_482913774.json.gz'), 'traces json gzip');
  assert.equal(told('a/eu-logs_0198c1d2-7a3b-7000-8000-000000000000.binpb.zst'), 'logs proto zstd');
  assert.equal(told('a/my_traces_app_metrics_1.binpb'), 'metrics proto none');
  assert.equal(told('base/traces/dt=2026-03-01/writer-1-2.parquet'), 'traces parquet none');
  assert.equal(told('a/logs_1.txt.gz'), 'logs body gzip');
  assert.equal(told('a/manifest-10.json'), 'undefined manifest none');
  assert.equal(told('a/hour=10/_manifest_traces.json'), 'undefined manifest none');
  assert.equal(told('dump'), 'undefined undefined none');
});
