/**
 * The `kafka` receiver on a real broker: what it reads, what it commits and when, what it does about records that it
 * cannot take. Guarantee: an offset is committed only after its record was flushed.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { committedOffsets, produce, ReceiverBed } from '../services/kafka-receiver-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';

let broker: KafkaServer;

before(async () => {
  broker = await KafkaServer.start();
});

after(async () => {
  await broker?.stop();
});

function requests(count: number, producer = 0): Buffer[] {
  return Array.from({ length: count }, (_, sequence) => Buffer.from(ledgerRequest(producer, sequence)));
}

test('records of every partition arrive once, and then their offsets are committed', {
  timeout: 180_000,
}, async (t) => {
  await broker.createTopic('otlp_spans', 4);
  await produce(
    broker,
    'otlp_spans',
    requests(40).map((value, index) => ({ value, partition: index % 4 })),
  );
  const bed = await ReceiverBed.create({ broker });
  t.after(() => bed.stop());
  const engine = await bed.start();
  await until('all spans', () => bed.spans().size === 40 * SPANS_PER_REQUEST);
  await until(
    'the commits',
    async () => (await committedOffsets(broker, 'bed', 'otlp_spans')).join() === '10,10,10,10',
  );
  assert.deepEqual(new Set(bed.spans().values()), new Set([1]));
  assert.equal(
    await bed.metric('otelcol_receiver_accepted_spans', 'transport="kafka"'),
    40 * SPANS_PER_REQUEST,
  );
  assert.equal(await bed.metric('otelcol_kafka_receiver_records', 'outcome="success"'), 40);
  const stopped = await engine.kill('SIGTERM');
  assert.equal(stopped.code, 0, engine.log);
});

test('records that cannot be decoded are counted and passed, and stop nobody', {
  timeout: 180_000,
}, async (t) => {
  await broker.createTopic('poison', 1);
  const records = requests(6).map((value) => ({ value }));
  const poison = { value: Buffer.from('\u0007 this is no request') };
  await produce(broker, 'poison', [records[0]!, poison, ...records.slice(1), { value: null }, poison]);
  const bed = await ReceiverBed.create({
    broker,
    receiver: { group_id: 'poison', traces: { topics: ['poison'] } },
  });
  t.after(() => bed.stop());
  const engine = await bed.start();
  await until('the commits', async () => (await committedOffsets(broker, 'poison', 'poison')).join() === '9');
  await until('all spans', () => bed.spans().size === 6 * SPANS_PER_REQUEST);
  assert.equal(await bed.metric('otelcol_kafka_receiver_unmarshal_failed_spans', 'topic="poison"'), 2);
  assert.equal(await bed.metric('millrace_kafka_receiver_dropped_records', 'reason="malformed"'), 2);
  await engine.said(/a record was passed without being stored/);
});

test('on_permanent_error: false stops the partition at such a record, and no other', {
  timeout: 180_000,
}, async (t) => {
  await broker.createTopic('stands', 2);
  const [first, second, third] = requests(3);
  const poison = { value: Buffer.from('\u0007 this is no request'), partition: 0 };
  await produce(broker, 'stands', [
    { value: first!, partition: 0 },
    poison,
    { value: second!, partition: 1 },
  ]);
  const bed = await ReceiverBed.create({
    broker,
    receiver: {
      group_id: 'stands',
      traces: { topics: ['stands'] },
      message_marking: { after: true, on_permanent_error: false },
    },
  });
  t.after(() => bed.stop());
  await bed.start();
  await until(
    'the commits',
    async () => (await committedOffsets(broker, 'stands', 'stands')).join() === '1,1',
  );
  await produce(broker, 'stands', [{ value: third!, partition: 1 }]);
  await until(
    'the other partition',
    async () => (await committedOffsets(broker, 'stands', 'stands')).join() === '1,2',
  );
  assert.equal(await bed.metric('millrace_kafka_receiver_held_partitions'), 1);
});

test('headers become attributes and metadata; patterns find topics, also later ones', {
  timeout: 80_000,
}, async (t) => {
  await broker.createTopic('logs-a', 1);
  await broker.createTopic('logs-debug', 1);
  const headers = { tenant: 'blue', other: 'x' };
  await produce(broker, 'logs-a', [{ value: 'first', headers }]);
  await produce(broker, 'logs-debug', [{ value: 'never' }]);
  const bed = await ReceiverBed.create({
    broker,
    signals: ['logs'],
    receiver: {
      group_id: 'headers',
      logs: { topics: ['^logs-'], exclude_topics: ['debug$'], encoding: 'text' },
      header_extraction: { extract_headers: true, headers: ['tenant'] },
      metadata: { refresh_interval: '2s' },
    },
    processors: {
      resource: {
        attributes: ['kafka.topic', 'kafka.offset', 'other'].map((name) => ({
          action: 'insert',
          key: `seen.${name}`,
          from_context: `metadata.${name}`,
        })),
      },
    },
  });
  t.after(() => bed.stop());
  await bed.start();
  const has = (text: string) => bed.lines('logs').some((line) => line.includes(text));
  await until('the first record', () => has('first'));
  const line = bed.lines('logs').find((text) => text.includes('first'))!;
  const attributes = new Map<string, string>(
    JSON.parse(line).resourceLogs[0].resource.attributes.map(
      ({ key, value }: { key: string; value: { stringValue: string } }) => [key, value.stringValue],
    ),
  );
  assert.deepEqual(
    new Map([...attributes].sort()),
    new Map([
      ['kafka.header.tenant', 'blue'],
      ['seen.kafka.offset', '0'],
      ['seen.kafka.topic', 'logs-a'],
      ['seen.other', 'x'],
    ]),
  );
  await broker.createTopic('logs-b', 1);
  await produce(broker, 'logs-b', [{ value: 'second' }]);
  await until('a record of the new topic', () => has('second'));
  assert.ok(!has('never'));
});

test('wrong credentials are said so, and the engine runs on', { timeout: 180_000 }, async (t) => {
  const guarded = await KafkaServer.start({ sasl: { PLAIN: { reader: 'right' } } });
  const bed = await ReceiverBed.create({
    broker: guarded,
    receiver: {
      brokers: [guarded.listeners.sasl],
      auth: { sasl: { mechanism: 'PLAIN', username: 'reader', password: 'wrong-secret' } },
    },
  });
  t.after(async () => {
    await bed.stop();
    await guarded.stop();
  });
  const engine = await bed.start();
  await until('the message', () => engine.log.includes('the brokers refuse the consumer until credentials'));
  assert.ok(!engine.log.includes('wrong-secret'));
  assert.equal((await engine.kill('SIGTERM')).code, 0);
});

test('OAUTHBEARER takes its tokens from an extension, the one that runs now', {
  timeout: 180_000,
}, async (t) => {
  const guarded = await KafkaServer.start({ sasl: { OAUTHBEARER: true } });
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-token-'));
  const tokenFile = join(directory, 'token');
  // Nobody's, from here on and for this long.
  const token = (seconds: number): string => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const nowS = Math.floor(Date.now() / 1000);
    return `${part({ alg: 'none' })}.${part({ sub: 'olga', iat: nowS - 60, exp: nowS + seconds })}.`;
  };
  writeFileSync(tokenFile, token(-30));
  const bed = await ReceiverBed.create({
    broker: guarded,
    receiver: {
      brokers: [guarded.listeners.sasl],
      auth: { sasl: { mechanism: 'OAUTHBEARER', oauthbearer_token_source: 'bearertokenauth' } },
    },
    extensions: { bearertokenauth: { filename: tokenFile } },
  });
  t.after(async () => {
    await bed.stop();
    await guarded.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  await guarded.createTopic('otlp_spans', 1);
  await produce(guarded, 'otlp_spans', [{ value: requests(1)[0]! }]);
  const engine = await bed.start();
  const message = /refuse the consumer until credentials.*refuses the bearer token: .*invalid_token/;
  await until('the message', () => message.test(engine.log), 30_000).catch(() => undefined);
  assert.match(engine.log, message);
  writeFileSync(tokenFile, token(3600));
  await until('the spans', () => bed.spans().size === SPANS_PER_REQUEST, 60_000);
});
