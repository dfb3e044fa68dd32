import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ObjectProgress, PositionFile, START } from './object-position.ts';

test('an object is done when every message from the first one on is stored, in whatever order', () => {
  const progress = new ObjectProgress('a', 0);
  const numbers = [progress.handOut(), progress.handOut(), progress.handOut()];
  assert.deepEqual(numbers, [0, 1, 2]);
  progress.settle(2);
  progress.settle(0);
  assert.equal(progress.stored, 1);
  progress.isRead = true;
  assert.equal(progress.isDone, false);
  progress.settle(1);
  assert.equal(progress.stored, 3);
  assert.equal(progress.isDone, true);
  const resumed = new ObjectProgress('a', 3);
  assert.equal(resumed.handOut(), 3);
});

test('a position is that of its configuration alone, and damage is no position', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-position-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'below', 'awss3.json');
  const file = new PositionFile(path, 'one');
  assert.deepEqual(await file.read(), START);
  const position = { after: 'k', key: 'l', messages: 7, isFinished: false };
  await Promise.all([file.write(START), file.write(position)]);
  assert.deepEqual(await new PositionFile(path, 'one').read(), position);
  assert.deepEqual(await new PositionFile(path, 'two').read(), START);
  assert.deepEqual(readdirSync(join(directory, 'below')), ['awss3.json']);
  writeFileSync(path, '{"version":1,"after":');
  assert.deepEqual(await file.read(), START);
});
