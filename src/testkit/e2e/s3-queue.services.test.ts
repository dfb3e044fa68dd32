/**
 * The receiver `awss3` with a queue, against moto: a bucket that tells a queue of its new objects, and engines that read
 * them. Guarantee: what a message names is stored before the message is gone.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../engine-process.ts';
import { QueueBed } from '../services/queue-bed.ts';
import { CLEAN_EXIT, drained } from './storage.test-peer.ts';

const keyOf = (object: number) => `prod/year=2026/month=03/day=01/hour=08/traces_${1000 + object}.binpb.gz`;

test('new objects arrive once, and their messages are deleted', { timeout: 90_000 }, async (t) => {
  const bed = await QueueBed.create(t, { visibilitySeconds: 30, isNotified: true });
  const engine = await bed.start();
  for (let object = 0; object < 40; object++) await bed.put(keyOf(object), 5);
  await until('all objects', async () => (await bed.metric(engine, 'objects', 'outcome="stored"')) === 40);
  await until('an empty queue', async () => (await bed.depth()).all === 0);
  await drained(engine, bed.ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  assert.equal(bed.assertDelivered(), 0);
});
