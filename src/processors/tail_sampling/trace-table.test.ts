import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HEADER_WORDS, TraceTable } from './trace-table.ts';

type Command =
  | { kind: 'add'; id: number }
  | { kind: 'drop' }
  | { kind: 'renew' }
  | { kind: 'find'; id: number };

/** Few ids, and ids that differ in one word only: both collide often in a small table. */
const id = fc.integer({ min: 0, max: 40 });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('find' as const), id }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'drop' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'renew' as const }) },
);

test('a table of traces does what a map in order does', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 24 }),
      fc.integer(),
      fc.array(command),
      (capacity, seed, commands) => {
        const table = new TraceTable(capacity, 1, seed);
        const model = new Map<number, number>();
        let stamp = 0;
        for (const each of commands) {
          if (each.kind === 'drop' || each.kind === 'renew') {
            const oldest = model.entries().next().value as [number, number] | undefined;
            if (oldest === undefined) continue;
            model.delete(oldest[0]);
            if (each.kind === 'drop') table.dropOldest();
            else {
              table.renewOldest();
              model.set(...oldest);
            }
            continue;
          }
          const slot = each.kind === 'add' ? table.findOrAdd(each.id, 0, 7, 7) : table.find(each.id, 0, 7, 7);
          const isKnown = model.has(each.id);
          if (each.kind === 'add' && !isKnown && model.size < capacity) {
            assert.ok(table.wasAdded && slot >= 0);
            assert.equal(table.words[slot * table.strideWords + HEADER_WORDS], 0, 'facts of another trace');
            model.set(each.id, ++stamp);
            table.words[slot * table.strideWords + HEADER_WORDS] = stamp;
          } else if (!isKnown) assert.equal(slot, -1);
          if (model.has(each.id))
            assert.equal(table.words[slot * table.strideWords + HEADER_WORDS], model.get(each.id));
          assert.equal(table.count, model.size);
        }
        for (const [known, value] of model) {
          const slot = table.find(known, 0, 7, 7);
          assert.equal(table.words[slot * table.strideWords + HEADER_WORDS], value);
        }
      },
    ),
    { numRuns: 500 },
  );
});
