import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PartitionOffsets } from './consumer-offsets.ts';

test('a commit goes up to the first record that is not done, whatever is done behind it', () => {
  const offsets = new PartitionOffsets('t', 0);
  assert.equal(offsets.committable, undefined);
  for (const offset of [10, 11, 12, 15]) offsets.take(offset);
  offsets.finish(11);
  offsets.finish(15);
  assert.equal(offsets.committable, 10);
  offsets.finish(10);
  assert.equal(offsets.committable, 12);
  offsets.finish(12);
  assert.equal(offsets.committable, 16);
  offsets.committed(16);
  assert.equal(offsets.committable, undefined);
  assert.equal(offsets.inFlightCount, 0);
});

test('a record that was refused is the next one again, and what holds no record is stepped over', () => {
  const offsets = new PartitionOffsets('t', 0);
  offsets.take(4);
  offsets.finish(4);
  offsets.take(5);
  offsets.giveBack(5);
  assert.equal(offsets.nextOffset, 5);
  assert.equal(offsets.committable, 5);
  offsets.passTo(7);
  assert.equal(offsets.committable, 7);
});
