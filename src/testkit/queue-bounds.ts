/** The part of the log's contract kit that is about bounds by number. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogLimits } from '../queue/log/contract.ts';
import type { LogHarness } from './queue-contract.ts';

/** Bounds by number; part of the kit so that every log counts alike, a restart with a backlog included. */
export function testLogBounds(
  name: string,
  createHarness: (limits?: Partial<LogLimits>) => Promise<LogHarness>,
): void {
  test(`${name}: a bound on requests counts them whole, whatever their size, also after a restart`, async () => {
    const harness = await createHarness({ requestsMax: 3 });
    let log = await harness.open();
    const append = (items: number) => log.writer.tryAppend(Buffer.alloc(40_000, 1), items, 1);
    for (const items of [5, 1, 7]) assert.equal(append(items), true);
    const assertFull = () => {
      assert.equal(append(1), false);
      assert.equal(log.writer.lastRefusal, 'requests');
    };
    assertFull();
    await log.writer.commit();
    await log.cursor.freeze([
      { first: 0, end: 4 },
      { first: 4, end: 6 },
    ]);
    log.cursor.finish({ first: 0, end: 4 });
    await log.cursor.freeze([{ first: 6, end: 13 }]);
    // Four of the first request's five items are through: it still waits.
    assertFull();
    await harness.crash(log);
    log = await harness.open();
    assertFull();
    log.cursor.finish({ first: 4, end: 6 });
    await log.reader.close();
    await log.cursor.close();
    await log.writer.close();
    log = await harness.open();
    // Two are finished: room for as many, however many items they have.
    assert.equal(append(1_000), true);
    await log.writer.commit();
    assert.equal(append(1), true);
    assertFull();
    log.cursor.finish({ first: 6, end: 13 });
    await log.cursor.freeze([{ first: 13, end: 1_013 }]);
    assert.equal(append(1), true);
    assertFull();
    await log.writer.commit();
    for (const part of [log.reader, log.cursor, log.writer]) await part.close();
    await harness.dispose();
  });

  test(`${name}: a bound on items refuses what does not fit and takes what does`, async () => {
    const harness = await createHarness({ itemsMax: 10 });
    const log = await harness.open();
    const append = (items: number) => log.writer.tryAppend(Buffer.from('request'), items, 1);
    assert.deepEqual([append(8), append(3), append(2), append(1)], [true, false, true, false]);
    assert.equal(log.writer.lastRefusal, 'items');
    await log.writer.commit();
    await log.cursor.freeze([{ first: 0, end: 8 }]);
    log.cursor.finish({ first: 0, end: 8 });
    await log.cursor.freeze([{ first: 8, end: 10 }]);
    assert.deepEqual([append(9), append(8)], [false, true]);
    for (const part of [log.reader, log.cursor, log.writer]) await part.close();
    await harness.dispose();
  });
}
