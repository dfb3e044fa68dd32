import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveredBatches } from './replay-delivered.ts';

test('runs are short however many batches there are, and come back as they were', () => {
  const delivered = new DeliveredBatches([]);
  for (let number = 0; number < 100_000; number++) if (number !== 99_990) delivered.add(0, number);
  delivered.add(3, 1);
  const stored = delivered.toStored();
  assert.ok(JSON.stringify(stored).length < 120, JSON.stringify(stored));
  const again = new DeliveredBatches(stored);
  for (const [epoch, number, isThere] of [
    [0, 0, true],
    [0, 99_989, true],
    [0, 99_990, false],
    [0, 99_999, true],
    [0, 100_000, false],
    [3, 0, false],
    [3, 1, true],
    [1, 0, false],
  ] as const)
    assert.equal(again.has(epoch, number), isThere, `${epoch}-${number}`);
  again.add(0, 99_990);
  assert.deepEqual(again.toStored(), ['0:100000:', '3:0:1']);
});
