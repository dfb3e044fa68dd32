import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PipelineError } from '../../component/errors.ts';
import { type Isolation, type ItemRange, isolatePoison, type PartOutcome } from './poison.ts';

const refusal = new PipelineError('EXPORT_REJECTED', 'bad item', { permanent: true });

interface Search extends Isolation {
  attempts: number;
  delivered: number[];
}

/** A backend that refuses whatever holds a bad item. */
async function search(
  itemCount: number,
  isBad: (item: number) => boolean,
  isHopeless = false,
): Promise<Search> {
  const delivered: number[] = [];
  let attempts = 0;
  const tryPart = async ({ from, to }: ItemRange): Promise<PartOutcome> => {
    attempts++;
    const items = Array.from({ length: to - from }, (_, index) => from + index);
    if (items.some(isBad)) return refusal;
    delivered.push(...items);
    return 'delivered';
  };
  const found = await isolatePoison(itemCount, refusal, tryPart, { isHopeless });
  const { failed, isStopped, hasDelivered } = found;
  return { failed, isStopped, hasDelivered, attempts, delivered };
}

const ranges = ({ failed }: Isolation) => failed.map(({ from, to }) => [from, to]);

test('B7: one bad item anywhere is found with two attempts for each halving, and the rest goes through', async () => {
  for (const itemCount of [2, 3, 100, 8192]) {
    for (const bad of new Set([0, 1, itemCount >> 1, itemCount - 1])) {
      const found = await search(itemCount, (item) => item === bad);
      assert.deepEqual(ranges(found), [[bad, bad + 1]]);
      assert.equal(found.delivered.length, itemCount - 1);
      assert.ok(found.attempts <= 2 * Math.ceil(Math.log2(itemCount)), `${found.attempts} of ${itemCount}`);
    }
  }
});

test('a backend that refuses everything sees a few requests a batch, and fewer still from the second batch on', async () => {
  const first = await search(8192, () => true);
  assert.ok(first.attempts <= 20, `${first.attempts} attempts`);
  assert.equal(first.hasDelivered, false);
  const second = await search(8192, () => true, true);
  assert.equal(second.attempts, 2);
  // One good half proves that the backend is back to refusing single items.
  const recovered = await search(8192, (item) => item === 5000, true);
  assert.deepEqual(ranges(recovered), [[5000, 5001]]);
});

test('many bad items have a limit as well: what is refused beyond it is not split any more', async () => {
  const found = await search(65_536, (item) => item % 2 === 0);
  assert.ok(found.attempts <= 300, `${found.attempts} attempts`);
  assert.ok(found.failed.length > 50 && found.hasDelivered);
});

test('every item ends exactly once, delivered or refused, and good ones near few bad ones are delivered', async () => {
  const scenario = fc.record({
    itemCount: fc.integer({ min: 1, max: 300 }),
    bad: fc.array(fc.nat(299), { minLength: 1, maxLength: 12 }),
    isHopeless: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ itemCount, bad, isHopeless }) => {
      const isBad = (item: number) => bad.some((each) => each % itemCount === item);
      const found = await search(itemCount, isBad, isHopeless);
      const refused = found.failed.flatMap(({ from, to }) =>
        Array.from({ length: to - from }, (_, index) => from + index),
      );
      const all = [...found.delivered, ...refused].sort((a, b) => a - b);
      assert.deepEqual(
        all,
        Array.from({ length: itemCount }, (_, index) => index),
      );
      assert.ok(all.filter(isBad).every((item) => refused.includes(item)));
      if (new Set(bad).size === 1 && itemCount > 1) assert.equal(refused.length, 1);
    }),
    { numRuns: 300 },
  );
});

test('a stop in the middle ends the search at once', async () => {
  let attempts = 0;
  const found = await isolatePoison(
    64,
    refusal,
    async () => {
      attempts++;
      return attempts < 4 ? refusal : 'stopped';
    },
    { isHopeless: false },
  );
  assert.deepEqual([found.isStopped, attempts], [true, 4]);
});

test('a refusal that is not about the items is not searched: one attempt, and all of the batch is set aside', async () => {
  const denied = new PipelineError('EXPORT_REJECTED', '401', { permanent: true, isIndivisible: true });
  const parts: ItemRange[] = [];
  const tryPart = async (range: ItemRange): Promise<PartOutcome> => {
    parts.push(range);
    return denied;
  };
  const found = await isolatePoison(64, denied, tryPart, { isHopeless: false });
  assert.deepEqual([ranges(found), parts], [[[0, 64]], []]);
  // It may also come up in the middle: then what is open is asked once more each, and not split.
  const later = await isolatePoison(64, refusal, tryPart, { isHopeless: false });
  assert.deepEqual(ranges(later), [
    [32, 64],
    [0, 32],
  ]);
  assert.equal(parts.length, 2);
});
