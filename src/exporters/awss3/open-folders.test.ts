import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FOLDERS_MAX, OpenFolders } from './open-folders.ts';

const SPAN = { fromMs: 0, toMs: 3_600_000 };

test('what was saved is there for the next process', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-folders-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'deep', 'folders.json');
  const folders = new OpenFolders(path);
  await folders.load(5);
  folders.add({ bucket: 'b', folder: 'hour=10' }, SPAN, 5000);
  const saving = folders.save();
  // Added while the file is being written.
  folders.add({ bucket: 'b', folder: 'hour=11' }, SPAN, 5000);
  await Promise.all([saving, folders.save()]);
  assert.deepEqual(folders.due(4999), []);
  const next = new OpenFolders(path);
  await next.load(5);
  assert.deepEqual(next.due(SPAN.toMs + 4), [], 'its time is not over');
  assert.deepEqual(
    next.due(SPAN.toMs + 5).map(({ folder }) => folder),
    ['hour=10', 'hour=11'],
  );
  next.remove(next.find({ bucket: 'b', folder: 'hour=10' })!);
  next.find({ bucket: 'b', folder: 'hour=11' })!.inFlight = 1;
  assert.deepEqual(next.due(SPAN.toMs + 5), [], 'objects are being written to it');
  await next.save();
  assert.ok(!readFileSync(path, 'utf8').includes('hour=10'));

  writeFileSync(path, '{"version":9}');
  await assert.rejects(new OpenFolders(path).load(5), /not a list of folders/);
});

test('the folder that waits longest is forgotten for one too many', () => {
  const folders = new OpenFolders(undefined);
  const names = Array.from({ length: FOLDERS_MAX + 1 }, (_, index) => `hour=${index}`);
  const forgotten = names.map((folder) => folders.add({ bucket: 'b', folder }, SPAN, 0)).filter(Boolean);
  assert.deepEqual(
    forgotten.map((folder) => folder!.folder),
    ['hour=0'],
  );
  assert.equal(folders.count, FOLDERS_MAX);
});
