/**
 * B1, B3, B9, B14 and B17 at a real Kafka broker behind a proxy that breaks connections, lets answers drip, loses them or
 * floods, and a broker that allows less than is sent.
 * Guarantee: what was acknowledged is in the topic as soon as the network lets it through; what is there twice is told.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { until } from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { ExporterBed, readTopic, spansOf } from '../services/kafka-exporter-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';
import { type TcpFault, TcpFaultProxy } from '../services/tcp-faults.ts';
import { afterwards } from './storage.test-peer.ts';

const TOPIC = 'otlp_spans';
const MEMORY = 'otelcol_process_runtime_total_sys_memory_bytes';
const RETRIES = 'millrace_exporter_retries';
const RISE_BYTES_MAX = 192 << 20;
/** As many attempts have to end before a fault goes away. */
const ATTEMPTS = 3;

async function startBed(t: TestContext) {
  const proxy = await TcpFaultProxy.start();
  afterwards(t, () => proxy.stop());
  // Clients go where brokers say that they are: to the proxy.
  const address = `127.0.0.1:${proxy.port}`;
  const broker = await KafkaServer.start({
    properties: { 'advertised.listeners': `PLAINTEXT://${address}` },
  });
  afterwards(t, () => broker.stop());
  proxy.forwardTo(broker.port);
  await broker.createTopic(TOPIC);
  const bed = await ExporterBed.start({
    bootstrap: address,
    exporter: {
      timeout: '2s',
      retry_on_failure: { initial_interval: '100ms', max_interval: '500ms' },
      sending_queue: { batch: { min_size: 16 } },
    },
    signals: ['traces'],
  });
  afterwards(t, () => bed.stop());
  return { proxy, broker, bed };
}

/** What the log says when the numbers are given up by which brokers know repetitions. */
const MAY_BE_TWICE = 'batches without an answer may be written twice';

/** Nothing waits, and everything is there; once, unless the log says why not. */
async function assertOnce(bed: ExporterBed, broker: KafkaServer, requests: number): Promise<void> {
  await until('an empty queue', async () => (await bed.metric('otelcol_exporter_queue_size')) === 0);
  const counts = spansOf(await readTopic(broker, TOPIC));
  assert.equal(counts.size, requests * SPANS_PER_REQUEST);
  const repeated = [...counts].filter(([, count]) => count !== 1);
  assert.ok(
    repeated.length === 0 || bed.engine!.log.includes(MAY_BE_TWICE),
    `${repeated.length} spans are there again: ${bed.engine!.log}`,
  );
  assert.equal(await bed.metric('otelcol_exporter_send_failed_spans'), 0);
}

test('B1, B3, B9, B14: connections that break, drip, flood or lose answers: nothing is missing, what is there twice is told', {
  timeout: 240_000,
}, async (t) => {
  const { proxy, broker, bed } = await startBed(t);
  let requests = 0;
  const send = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await bed.post('traces', ledgerRequest(0, requests++));
  };
  await send(10);
  await assertOnce(bed, broker, requests);
  const before = await bed.metric(MEMORY);
  let peak = before;
  for (const fault of ['reset', 'drip', 'lost', 'flood', 'lost'] satisfies TcpFault[]) {
    const retriesBefore = await bed.metric(RETRIES);
    proxy.set(fault);
    await send(20);
    await until(`${ATTEMPTS} attempts that end by ${fault}`, async () => {
      peak = Math.max(peak, await bed.metric(MEMORY));
      return proxy.hits > 0 && (await bed.metric(RETRIES)) >= retriesBefore + ATTEMPTS;
    });
    assert.ok((await bed.metric('otelcol_exporter_queue_size')) > 0, fault);
    proxy.set(undefined);
    await assertOnce(bed, broker, requests);
  }
  t.diagnostic(`${(peak - before) >> 20} MiB more memory at most`);
  assert.ok(peak - before < RISE_BYTES_MAX, `${(peak - before) >> 20} MiB more memory`);
});

test('B17: a broker that allows less than is sent slows the exporter down, and gets each span once', {
  timeout: 240_000,
}, async (t) => {
  const { broker, bed } = await startBed(t);
  await broker.tool('kafka.admin.ConfigCommand', [
    ...['--bootstrap-server', broker.bootstrap, '--alter', '--add-config', 'producer_byte_rate=50000'],
    ...['--entity-type', 'clients', '--entity-default'],
  ]);
  const REQUESTS = 60;
  for (let sequence = 0; sequence < REQUESTS; sequence++)
    await bed.post('traces', ledgerRequest(0, sequence, 2000));
  await assertOnce(bed, broker, REQUESTS);
});
