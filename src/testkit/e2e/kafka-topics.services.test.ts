/**
 * Topics that are made again while what is in them is uncertain, at a real Kafka broker behind a proxy.
 * Guarantee: data waits for a topic, never for a partition that is gone for good.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { ExporterBed, readTopic, spansOf } from '../services/kafka-exporter-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';
import { TcpFaultProxy } from '../services/tcp-faults.ts';
import { afterwards } from './storage.test-peer.ts';

const TOPIC = 'again';
const MISSING = 'millrace_kafka_exporter_missing_partitions';

test('a topic that is made again with fewer partitions gets what was open of the old one', {
  timeout: 240_000,
}, async (t) => {
  const proxy = await TcpFaultProxy.start();
  afterwards(t, () => proxy.stop());
  const address = `127.0.0.1:${proxy.port}`;
  const broker = await KafkaServer.start({
    properties: {
      'advertised.listeners': `PLAINTEXT://${address}`,
      'auto.create.topics.enable': 'false',
    },
  });
  afterwards(t, () => broker.stop());
  proxy.forwardTo(broker.port);
  await broker.createTopic(TOPIC, 4);
  const bed = await ExporterBed.start({
    bootstrap: address,
    exporter: {
      timeout: '2s',
      traces: { topic: TOPIC },
      partition_traces_by_id: true,
      retry_on_failure: { initial_interval: '100ms', max_interval: '500ms' },
    },
    signals: ['traces'],
  });
  afterwards(t, () => bed.stop());
  const emptied = () =>
    until('an empty queue', async () => (await bed.metric('otelcol_exporter_queue_size')) === 0);
  await bed.post('traces', ledgerRequest(0, 0));
  await emptied();
  // What is sent now arrives, and nobody learns of it: all four partitions have a batch whose outcome is open.
  proxy.set('lost');
  for (let sequence = 1; sequence <= 20; sequence++) await bed.post('traces', ledgerRequest(0, sequence));
  const retries = await bed.metric('millrace_exporter_retries');
  await until('attempts without an answer', async () => {
    const ends = await broker.endOffsets(TOPIC, 4);
    return ends.every((end) => end > 1) && (await bed.metric('millrace_exporter_retries')) > retries + 2;
  });
  await broker.deleteTopic(TOPIC);
  await broker.createTopic(TOPIC, 1);
  proxy.set(undefined);
  await emptied();
  const counts = spansOf(await readTopic(broker, TOPIC, 1));
  const missing = Array.from({ length: 20 }, (_, i) => i + 1).flatMap((sequence) =>
    Array.from({ length: SPANS_PER_REQUEST }, (_, span) => `0/${sequence}/${span}`).filter(
      (key) => !counts.has(key),
    ),
  );
  assert.deepEqual(missing, []);
  assert.ok((await bed.metric(MISSING)) >= 1);
  await bed.engine!.said(/partitions of the topic are gone/);
  assert.equal(await bed.metric('otelcol_exporter_send_failed_spans'), 0);
});
