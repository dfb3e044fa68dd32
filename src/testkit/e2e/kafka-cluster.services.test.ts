/**
 * The pair of `kafka` exporter and receiver on a cluster of three brokers that are killed, fall silent and hand their
 * partitions to each other under load. Guarantee (row B20): what the first engine has answered with 200 is in the topic
 * once, however leaders change, and arrives behind the second engine; while too few replicas are in sync it waits.
 */
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { KafkaCluster } from '../services/kafka-cluster.ts';
import { ExporterBed, type FoundRecord, readTopic, spansOf } from '../services/kafka-exporter-bed.ts';
import { ReceiverBed } from '../services/kafka-receiver-bed.ts';

const PARTITIONS = 3;
const NODES = [1, 2, 3];
const MOVES = 4;
const WAIT_MS = 40_000;
const IN_SYNC = { 'min.insync.replicas': '2' };

let cluster: KafkaCluster;

before(async () => {
  cluster = await KafkaCluster.start({ 'leader.imbalance.check.interval.seconds': '1' });
});

after(async () => {
  await cluster?.stop();
});

/** An engine that writes the topic, and clients that send to it. */
async function startWriting(
  t: TestContext,
  topic: string,
  keys: Record<string, unknown>,
): Promise<{ bed: ExporterBed; client: LedgerClient }> {
  const bed = await ExporterBed.start({
    bootstrap: cluster.bootstrap,
    exporter: { traces: { topic }, ...keys },
    signals: ['traces'],
  });
  const client = new LedgerClient({ port: bed.ports.http, producers: 2 });
  t.after(async () => {
    client.close();
    await bed.stop();
  });
  return { bed, client };
}

/** More than was delivered when it is called. */
async function moreDelivered(bed: ExporterBed): Promise<void> {
  const sent = () => bed.metric('otelcol_exporter_sent_spans');
  const before = await sent();
  await until('further deliveries', async () => (await sent()) > before + 100, WAIT_MS);
}

async function emptied(bed: ExporterBed): Promise<void> {
  await until('an empty queue', async () => (await bed.metric('otelcol_exporter_queue_size')) === 0, WAIT_MS);
  assert.equal(await bed.metric('otelcol_exporter_send_failed_spans'), 0);
}

/** Nothing that was acknowledged is missing, and nothing is there twice. */
function assertOnce(client: LedgerClient, records: readonly FoundRecord[]): void {
  const found = spansOf(records);
  const missing = client.ackedSpans().filter((key) => !found.has(key));
  assert.deepEqual(missing, [], 'missing');
  const repeated = [...found].filter(([, count]) => count !== 1);
  assert.deepEqual(repeated, [], 'more than once');
  const ids = records.map(({ headers }) => headers['millrace.batch_id']!);
  assert.equal(new Set(ids).size, records.length, 'no record is there twice');
}

/** The records of each batch lie in its partition in their order. */
function assertInOrder(records: readonly FoundRecord[]): void {
  const last = new Map<string, number>();
  for (const { partition, headers } of records) {
    const [batch, index] = headers['millrace.batch_id']!.split('/') as [string, string];
    const place = `${partition} ${batch}`;
    assert.ok(Number(index) > (last.get(place) ?? -1), `record ${index} of batch ${batch}`);
    last.set(place, Number(index));
  }
}

test('every broker is killed in turn: spans are in the topic once, and reach the reader', {
  timeout: 230_000,
}, async (t) => {
  await cluster.createTopic('killed', PARTITIONS, IN_SYNC);
  const { bed, client } = await startWriting(t, 'killed', {
    sending_queue: { batch: { min_size: 200, flush_timeout: '20ms' } },
  });
  const reader = await ReceiverBed.create({
    broker: cluster,
    receiver: { traces: { topics: ['killed'] } },
  });
  t.after(() => reader.stop());
  await reader.start();
  client.start();
  await moreDelivered(bed);
  for (const node of NODES) {
    await cluster.kill(node);
    await cluster.untilLed('killed');
    await moreDelivered(bed);
    await cluster.startAgain(node);
    await cluster.untilInSync('killed');
  }
  await client.stop();
  await emptied(bed);

  const records = await readTopic(cluster, 'killed', PARTITIONS);
  assert.ok(client.acked.size > 200, `only ${client.acked.size} requests were acknowledged`);
  assertOnce(client, records);
  const missing = (): string[] => {
    const delivered = reader.spans();
    return client.ackedSpans().filter((key) => !delivered.has(key));
  };
  await until('every acknowledged span', () => missing().length === 0, WAIT_MS).catch(() => undefined);
  assert.deepEqual(missing(), [], reader.engine!.log);
  const twice = [...reader.spans().values()].filter((count) => count > 1).length;
  t.diagnostic(`${client.acked.size} requests, ${records.length} records, ${twice} spans read again`);
});

test('leaders that move while they live: no batch is taken for the one before it', {
  timeout: 120_000,
}, async (t) => {
  await cluster.createTopic('moving', PARTITIONS, IN_SYNC);
  // Every error ends an attempt, and all batches have the same count of records: nothing but their numbers tells them.
  const { bed, client } = await startWriting(t, 'moving', {
    metadata: { retry: { max: 0 } },
    sending_queue: { batch: { min_size: 1, flush_timeout: '1ms' } },
  });
  client.start();
  await moreDelivered(bed);
  const retries = await bed.metric('millrace_exporter_retries');
  for (let move = 0; move < MOVES; move++) {
    await cluster.moveLeaders('moving');
    await moreDelivered(bed);
  }
  await client.stop();
  await emptied(bed);
  // The log tells only the first ten of a kind, which may be of the start.
  assert.ok((await bed.metric('millrace_exporter_retries')) > retries, 'the moves were not noticed');
  assertOnce(client, await readTopic(cluster, 'moving', PARTITIONS));
});

test('a broker that answers nothing any more is left for its successors', { timeout: 120_000 }, async (t) => {
  await cluster.createTopic('silent', PARTITIONS, IN_SYNC);
  const { bed, client } = await startWriting(t, 'silent', {
    timeout: '2s',
    sending_queue: { batch: { min_size: 200, flush_timeout: '20ms' } },
  });
  client.start();
  await moreDelivered(bed);
  const [first] = await cluster.places('silent');
  const silent = first!.leader;
  cluster.pause(silent);
  try {
    await cluster.untilLed('silent');
    await moreDelivered(bed);
    await client.stop();
    await emptied(bed);
  } finally {
    cluster.resume(silent);
  }
  await cluster.untilInSync('silent');
  assertOnce(client, await readTopic(cluster, 'silent', PARTITIONS));
});

test('with too few replicas in sync data waits until there are enough', { timeout: 120_000 }, async (t) => {
  await cluster.createTopic('strict', PARTITIONS, { 'min.insync.replicas': '3' });
  const { bed } = await startWriting(t, 'strict', { partition_traces_by_id: true });
  await cluster.kill(1);
  const requests = 20;
  for (let sequence = 0; sequence < requests; sequence++) {
    await bed.post('traces', ledgerRequest(0, sequence));
  }
  await until('the message', () => /NOT_ENOUGH_REPLICAS/.test(bed.engine!.log), WAIT_MS);
  assert.ok((await bed.metric('otelcol_exporter_queue_size')) > 0);
  await cluster.startAgain(1);
  await emptied(bed);
  const records = await readTopic(cluster, 'strict', PARTITIONS);
  assertInOrder(records);
  const counts = spansOf(records);
  assert.equal(counts.size, requests * SPANS_PER_REQUEST);
  assert.ok([...counts.values()].every((count) => count === 1));
});
