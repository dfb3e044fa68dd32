import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PartitionOffsets } from '../../kafka/consumer-offsets.ts';
import { systemClock } from '../../stdx/clock.ts';
import { Prng } from '../../stdx/prng.ts';
import { type HeldRecord, HeldRecords } from './held-records.ts';

const BACKOFF = { initialIntervalMs: 10, maxIntervalMs: 20, multiplier: 2, randomizationFactor: 0 };

function bed(retry: (record: HeldRecord) => boolean) {
  const log: string[] = [];
  const held = new HeldRecords<HeldRecord>({
    backoff: BACKOFF,
    clock: systemClock,
    prng: new Prng(1),
    retry: (record) => {
      log.push(`retry ${record.offset}`);
      return retry(record);
    },
    hold: ({ partition }) => log.push(`hold ${partition}`),
    release: ({ partition }) => log.push(`release ${partition}`),
  });
  return { held, log };
}

test('a partition stands still until all its held records are done, and they are tried in order', async () => {
  const offsets = new PartitionOffsets('t', 3);
  let rounds = 0;
  const { held, log } = bed((record) => {
    rounds += 1;
    queueMicrotask(() => (rounds <= 2 ? held.add(record, true) : held.finished(offsets)));
    return true;
  });
  held.add({ offsets, offset: 9 }, false);
  held.add({ offsets, offset: 8 }, false);
  assert.equal(held.count, 1);
  await sleep(150);
  assert.deepEqual(log, ['hold 3', 'retry 8', 'retry 9', 'retry 8', 'retry 9', 'release 3']);
  assert.equal(held.count, 0);
});

test('what finds no room stays held, and what was dropped is not tried again', async () => {
  const offsets = new PartitionOffsets('t', 0);
  const { held, log } = bed(() => false);
  held.add({ offsets, offset: 1 }, false);
  await sleep(100);
  assert.ok(log.length >= 3, log.join());
  assert.deepEqual(
    held.drop(offsets).map(({ offset }) => offset),
    [1],
  );
  const { length } = log;
  await sleep(80);
  assert.equal(log.length, length);
});
