import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { QueueBound } from './queue-bound.ts';

const LIMITS = { budgetBytes: 1, reserveBytes: 0, segmentBytes: 1, recordBytes: 1, flushTimeoutMs: 1 };

test('the bound on requests agrees with a list of all requests, a backlog above the bound included', () => {
  const step = fc.record({
    items: fc.integer({ min: 1, max: 9 }),
    released: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 0, max: 300 }),
      fc.array(step, { maxLength: 400 }),
      (requestsMax, backlog, steps) => {
        let ends = Array.from({ length: backlog }, (_, index) => index + 1);
        const bound = new QueueBound({ ...LIMITS, requestsMax }, ends);
        let appended = backlog;
        let released = 0;
        for (const { items, released: share } of steps) {
          released += Math.floor((appended - released) * share * share);
          ends = ends.filter((end) => end > released);
          const refusal = bound.refusalOf(items, appended, released);
          assert.equal(refusal, ends.length >= requestsMax ? 'requests' : undefined);
          if (refusal !== undefined) continue;
          appended += items;
          ends.push(appended);
          bound.took(appended);
        }
      },
    ),
    { numRuns: 200 },
  );
});
