import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { isAbsent, openSegmentStore, openSegmentView } from './store.ts';

let directory = '';
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'log-store-')), 'segment.v1');
  mkdirSync(directory);
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }));

const settings = () => ({ directory, mapBytes: 64 * 1024 * 1024, flush: true });

test('a view over shared memory is refused before the library can misread it', async () => {
  const store = openSegmentStore(settings());
  const shared = new Uint8Array(new SharedArrayBuffer(100));
  await assert.rejects(store.putAll([{ firstOrdinal: 1, bytes: shared }]), /shared memory/);
  assert.throws(() => store.putAllBlocking([{ firstOrdinal: 1, bytes: shared }]), /shared memory/);
  await store.putAll([{ firstOrdinal: 1, bytes: new Uint8Array(100) }]);
  await store.close();
});

test('a view sees what is stored after it was opened, by exact key, floor and ceiling', async () => {
  const store = openSegmentStore(settings());
  await store.putAll([{ firstOrdinal: 10, bytes: Buffer.from('ten') }]);
  const view = openSegmentView(settings());
  const far = 2 ** 45 + 3;
  await store.putAll([
    { firstOrdinal: 300, bytes: Buffer.alloc(300_000, 3) },
    { firstOrdinal: far, bytes: Buffer.from('far') },
  ]);
  assert.equal(Buffer.from(view.get(10) ?? []).toString(), 'ten');
  assert.equal(view.get(300)?.byteLength, 300_000);
  assert.equal(view.get(11), undefined);
  assert.deepEqual([view.floorKey(9), view.floorKey(299), view.floorKey(300)], [undefined, 10, 300]);
  assert.deepEqual(
    [view.ceilingKey(11), view.ceilingKey(far), view.ceilingKey(far + 1)],
    [300, far, undefined],
  );
  assert.equal(view.lastKey(), far);
  // The writer leaves first: the shared environment must stay for the view.
  await store.close();
  assert.equal(view.get(300)?.[299_999], 3);
  await view.close();
});

test('viewing a deleted segment fails and does not make it again; files belong to their owner only', async () => {
  const store = openSegmentStore(settings());
  assert.equal(statSync(join(directory, 'data.mdb')).mode & 0o777, 0o600);
  await store.close();
  rmSync(directory, { recursive: true });
  assert.throws(() => openSegmentView(settings()), isAbsent);
  assert.equal(existsSync(directory), false);
});
