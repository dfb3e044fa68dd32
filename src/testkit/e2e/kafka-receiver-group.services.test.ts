/**
 * Members of one consumer group that come and go, and brokers that do. Guarantee: every record is handed to the engine
 * of some member and its offset is committed only after that; the members here are receivers with an engine that only
 * remembers.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { OUTCOME_OK, type RequestConsumer } from '../../component/consumer.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import { kafkaReceiverConfigSchema } from '../../receivers/kafka/config.ts';
import { KafkaReceiver } from '../../receivers/kafka/kafka-receiver.ts';
import { systemClock } from '../../stdx/clock.ts';
import { Prng } from '../../stdx/prng.ts';
import { ThreadMeter } from '../../telemetry/registry.ts';
import { until } from '../engine-process.ts';
import { committedOffsets, RecordWriter } from '../services/kafka-receiver-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';

const PARTITIONS = 16;
const MEMBERS = 20;
const STORM_MS = 20_000;
const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

let broker: KafkaServer;

before(async () => {
  broker = await KafkaServer.start();
});

after(async () => {
  await broker?.stop();
});

/** Values by how often they were stored, over all members. */
type Stored = Map<string, number>;

function memberOf(group: string, topic: string, stored: Stored, keys: object = {}): KafkaReceiver {
  const parsed = kafkaReceiverConfigSchema.parse({
    brokers: [broker.bootstrap],
    group_id: group,
    initial_offset: 'earliest',
    session_timeout: '6s',
    heartbeat_interval: '300ms',
    traces: { topics: [topic] },
    ...keys,
  });
  assert.ok(parsed.value !== undefined, JSON.stringify(parsed.issues));
  const next: RequestConsumer = {
    signals: new Set(['traces']),
    tryConsume: ({ chunks }, done) => {
      const value = Buffer.from(chunks[0]!).toString();
      setTimeout(() => {
        stored.set(value, (stored.get(value) ?? 0) + 1);
        done({ code: OUTCOME_OK, itemCount: 1, rejectedCount: 0, message: '', retryAfterMs: 0 });
      }, 5);
      return true;
    },
  };
  const settings: ComponentSettings = {
    id: 'kafka',
    logger: silent,
    meter: new ThreadMeter(),
    clock: systemClock,
  };
  return new KafkaReceiver(settings, parsed.value, next);
}

const stop = (member: KafkaReceiver) => member.shutdown(systemClock.monotonicMs() + 10_000);

for (const strategy of ['sticky', 'roundrobin']) {
  test(`${MEMBERS} members that join and leave lose nothing (${strategy})`, {
    timeout: 180_000,
  }, async (t) => {
    const topic = `storm-${strategy}`;
    await broker.createTopic(topic, PARTITIONS);
    const stored: Stored = new Map();
    const prng = new Prng(7);
    const members: KafkaReceiver[] = [];
    const writer = await RecordWriter.start(broker, topic, PARTITIONS);
    t.after(async () => {
      await writer.stop();
      await Promise.all(members.map(stop));
    });
    let joined = 0;
    const endMs = Date.now() + STORM_MS;
    while (Date.now() < endMs || joined < MEMBERS) {
      const isLeaving = members.length > 6 || (members.length > 2 && prng.nextInt(3) === 0);
      if (isLeaving) await stop(members.splice(prng.nextInt(members.length), 1)[0]!);
      else {
        const member = memberOf(topic, topic, stored, { group_rebalance_strategies: [strategy] });
        await member.start();
        members.push(member);
        joined += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, prng.nextInt(900)));
    }
    await writer.stop();
    const missing = () => [...writer.written].filter((value) => !stored.has(value));
    await until('every record', () => missing().length === 0).catch(() => undefined);
    assert.deepEqual(missing(), []);
    assert.ok(writer.written.size > 500, `only ${writer.written.size} records were written`);
    const ends = (await broker.endOffsets(topic, PARTITIONS)).join();
    await until('the commits', async () => (await committedOffsets(broker, topic, topic)).join() === ends);
    const duplicates = [...stored.values()].reduce((sum, times) => sum + times - 1, 0);
    t.diagnostic(`${joined} members, ${writer.written.size} records, ${duplicates} stored again`);
  });
}

test('a broker that is killed and comes back is read on, without a record left out', {
  timeout: 180_000,
}, async (t) => {
  await broker.createTopic('restarts', 4);
  const stored: Stored = new Map();
  const member = memberOf('restarts', 'restarts', stored);
  const writer = await RecordWriter.start(broker, 'restarts', 4);
  t.after(async () => {
    await writer.stop();
    await stop(member);
  });
  await member.start();
  for (let cycle = 0; cycle < 2; cycle++) {
    const before = stored.size;
    await until('some records', () => stored.size > before + 50);
    await broker.kill();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await broker.startProcess();
  }
  const before = writer.written.size;
  await until('writes after the restart', () => writer.written.size > before + 50);
  await writer.stop();
  const missing = () => [...writer.written].filter((value) => !stored.has(value));
  await until('every record', () => missing().length === 0).catch(() => undefined);
  assert.deepEqual(missing(), []);
});

test('latest is where a partition ended when it was first seen, also after a crash before any commit', {
  timeout: 180_000,
}, async (t) => {
  await broker.createTopic('latest', 2);
  const stored: Stored = new Map();
  const first = memberOf('latest', 'latest', stored, { initial_offset: 'latest' });
  await first.start();
  await until(
    'the first commit',
    async () => (await committedOffsets(broker, 'latest', 'latest')).join() === '0,0',
  );
  await stop(first);
  const writer = await RecordWriter.start(broker, 'latest', 2);
  await until('records while nobody reads', () => writer.written.size > 20);
  await writer.stop();
  const second = memberOf('latest', 'latest', stored, { initial_offset: 'latest' });
  t.after(() => stop(second));
  await second.start();
  await until('every record', () => [...writer.written].every((value) => stored.has(value)));
});
