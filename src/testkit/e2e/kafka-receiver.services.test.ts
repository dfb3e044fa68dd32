/**
 * The `kafka` receiver on a real broker: what it reads, what it commits and when, what it does about records that it
 * cannot take. Guarantee: an offset is committed only after its record was flushed.
 */
import assert from 'node:assert/strict';
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
  timeout: 60_000,
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
  await until('all spans', () => bed.spans().size === 40 * SPANS_PER_REQUEST, 20_000);
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
