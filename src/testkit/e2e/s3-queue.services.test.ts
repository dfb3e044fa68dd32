/**
 * The receiver `awss3` with a queue, against moto: a bucket that tells a queue of its new objects, and engines that read
 * them. Guarantee: what a message names is stored before the message is gone.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../stdx/prng.ts';
import { until } from '../engine-process.ts';
import { BUCKET, eventNotification, QueueBed } from '../services/queue-bed.ts';
import { CLEAN_EXIT, drained } from './storage.test-peer.ts';

const CRASHES = 8;
const OBJECTS_A_CYCLE = 15;
/** AWS itself asks for `sqs:DeleteMessage`, of one message or of ten. */
const READS = [
  { Effect: 'Allow', Action: ['sqs:ReceiveMessage', 'sqs:DeleteMessageBatch'], Resource: '*' },
  { Effect: 'Allow', Action: 's3:GetObject', Resource: '*' },
] as const;

const keyOf = (object: number) => `prod/year=2026/month=03/day=01/hour=08/traces_${1000 + object}.binpb.gz`;

test('new objects arrive once, and their messages are deleted', { timeout: 90_000 }, async (t) => {
  const bed = await QueueBed.create(t, { visibilitySeconds: 30, isNotified: true });
  const engine = await bed.start();
  for (let object = 0; object < 40; object++) await bed.put(keyOf(object), 5);
  await until('all objects', async () => (await bed.metric(engine, 'objects', 'outcome="stored"')) === 40);
  await until('an empty queue', async () => (await bed.depth()).all === 0);
  await drained(engine, bed.ports.metrics);
  assert.equal(await bed.metric(engine, 'queue_messages', 'outcome="test"'), 1);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  assert.equal(bed.assertDelivered(), 0);
});

test(`${CRASHES} crashes lose no object`, { timeout: 240_000 }, async (t) => {
  const bed = await QueueBed.create(t, { visibilitySeconds: 2, isNotified: true });
  const prng = new Prng(20_261_122);
  let objects = 0;
  for (let crash = 0; crash < CRASHES; crash++) {
    const engine = await bed.start();
    const already = bed.delivered().size;
    for (let i = 0; i < OBJECTS_A_CYCLE; i++) await bed.put(keyOf(objects++), 1 + prng.nextInt(200));
    // In the middle of it: some of this life has arrived, or at least some was received.
    await until(
      'something of it',
      async () => bed.delivered().size > already || (await bed.depth()).held > 0,
    );
    await engine.kill();
  }
  const engine = await bed.start();
  await until('an empty queue', async () => (await bed.depth()).all === 0);
  await drained(engine, bed.ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  const repeated = bed.assertDelivered();
  t.diagnostic(`${objects} objects, ${bed.spans.length} spans, ${repeated} of them more than once`);
});

test('messages of SNS, keys with every sign, objects of others: each message has its end', {
  timeout: 90_000,
}, async (t) => {
  const bed = await QueueBed.create(t, { visibilitySeconds: 30 });
  const keys = ['prod/a b+c%20&=ä/traces_1.binpb', "prod/it's (100%)/traces_2.json.binpb"];
  for (const key of keys) await bed.put(key, 3);
  await bed.putBytes('prod/torn/traces_3.json', Buffer.from('{"resourceSpans":[{"scopeSpans":['));
  await bed.send(eventNotification({ key: keys[0]! }));
  await bed.send(JSON.stringify({ Type: 'Notification', Message: eventNotification({ key: keys[1]! }) }));
  await bed.send(eventNotification({ key: 'prod/torn/traces_3.json' }));
  await bed.send(eventNotification({ key: 'prod/gone/traces_4.binpb' }));
  await bed.send(
    eventNotification(
      { key: 'test/traces_5.binpb' },
      { key: keys[0]!, bucket: `${BUCKET}-2` },
      { key: keys[0]!, event: 'ObjectRemoved:Delete' },
    ),
  );
  await bed.send('{"Records":"none"}');
  const engine = await bed.start(bed.config({}, { s3_prefix: 'prod/' }));
  await until('all but one', async () => (await bed.depth()).all === 1);
  const counts: [string, string, number][] = [
    ['objects', 'outcome="stored"', 2],
    ['objects', 'outcome="partly"', 1],
    ['objects', 'outcome="gone"', 1],
    ['queue_messages', 'outcome="left_out"', 1],
    ['queue_messages', 'outcome="malformed"', 1],
    ['left_out_records', 'reason="other_prefix"', 1],
    ['left_out_records', 'reason="other_bucket"', 1],
    ['left_out_records', 'reason="other_event"', 1],
  ];
  for (const [name, label, count] of counts)
    assert.equal(await bed.metric(engine, name, label), count, `${name} ${label}`);
  await drained(engine, bed.ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  assert.equal(bed.assertDelivered(), 0);
});

test('a queue that is not there yet is waited for, and a stop does not wait for it', {
  timeout: 90_000,
}, async (t) => {
  const bed = await QueueBed.create(t, { visibilitySeconds: 30, isNotified: true });
  const queue_url = `${bed.queueUrl}-later`;
  const engine = await bed.start(bed.config({ queue_url }));
  await engine.said(/the queue cannot be read.*the queue is not there under this URL, region and endpoint/);
  await bed.put(keyOf(1), 2);
  await bed.createQueue('new-objects-later', 30);
  await bed.send(eventNotification({ key: keyOf(1) }), queue_url);
  await until('the object', async () => (await bed.metric(engine, 'objects', 'outcome="stored"')) === 1);
  await drained(engine, bed.ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  assert.equal(bed.assertDelivered(), 0);
});

test('what AWS refuses stays in the queue until it is allowed', { timeout: 120_000 }, async (t) => {
  const bed = await QueueBed.create(t, { visibilitySeconds: 2, isNotified: true });
  await bed.put(keyOf(1), 2);
  const nobody = await bed.aws.createUser('nobody', READS.slice(1));
  const receiver = await bed.aws.createUser('receiver', READS.slice(0, 1));
  const reader = await bed.aws.createUser('reader', READS);
  await bed.aws.enforcePolicies();
  const refusals = [
    [nobody, /the queue cannot be read.*the credentials are not accepted/],
    [{ ...reader, secretAccessKey: 'guessed' }, /the queue cannot be read.*the credentials are not accepted/],
    [receiver, /an object cannot be read: its message stays in the queue.*access denied/],
  ] as const;
  for (const [keys, message] of refusals) {
    const engine = await bed.start(bed.config(), bed.aws.environment(keys));
    await engine.said(message);
    assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  }
  assert.ok((await bed.depth()).all > 0);
  const engine = await bed.start(bed.config(), bed.aws.environment(reader));
  await until('an empty queue', async () => (await bed.depth()).all === 0);
  await drained(engine, bed.ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  assert.equal(bed.assertDelivered(), 0);
});
