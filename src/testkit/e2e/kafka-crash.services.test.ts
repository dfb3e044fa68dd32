/**
 * The `kafka` exporter against brokers that are killed and come back, and an engine that is: what was acknowledged is
 * in the topic. Guarantee (row B20): while the engine lives, idempotent writes are in the topic once, however often
 * the broker went away; after a crash of the engine a record may be there twice, and its headers say so.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../engine-process.ts';
import { LedgerClient } from '../ledger-client.ts';
import { ExporterBed, type FoundRecord, readTopic, spansOf } from '../services/kafka-exporter-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';

let broker: KafkaServer;

before(async () => {
  broker = await KafkaServer.start();
});

after(async () => {
  await broker?.stop();
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function allDelivered(bed: ExporterBed): Promise<void> {
  await until('an empty queue', async () => (await bed.metric('otelcol_exporter_queue_size')) === 0);
}

function idsOf(records: readonly FoundRecord[]): string[] {
  return records.map(({ headers }) => headers['millrace.batch_id']!);
}

for (const [name, exporter] of [
  ['whole requests', {}],
  ['records by trace id', { partition_traces_by_id: true }],
] as const) {
  test(`${name}: a broker killed three times leaves every acknowledged span in the topic, once`, {
    timeout: 170_000,
  }, async (t) => {
    const topic = `spans_${name.replaceAll(' ', '_')}`;
    await broker.createTopic(topic, 4);
    const bed = await ExporterBed.start({
      bootstrap: broker.bootstrap,
      exporter: {
        ...exporter,
        traces: { topic },
        sending_queue: { batch: { min_size: 200, flush_timeout: '20ms' } },
      },
      signals: ['traces'],
    });
    const client = new LedgerClient({ port: bed.ports.http, producers: 4 });
    t.after(async () => {
      client.close();
      await bed.stop();
    });
    client.start();
    for (let kill = 0; kill < 3; kill++) {
      await pause(700);
      await broker.kill();
      await pause(300);
      await broker.startProcess();
    }
    await pause(500);
    await client.stop();
    await allDelivered(bed);

    const records = await readTopic(broker, topic);
    const found = spansOf(records);
    const acked = client.ackedSpans();
    assert.ok(acked.length > 500, `${acked.length} spans were acknowledged`);
    assert.deepEqual(
      acked.filter((key) => !found.has(key)),
      [],
    );
    assert.deepEqual(
      [...found].filter(([, count]) => count !== 1),
      [],
    );
    assert.equal(new Set(idsOf(records)).size, records.length, 'no record is there twice');
    assert.equal(await bed.metric('otelcol_exporter_send_failed_spans'), 0);
  });
}

test('an engine killed between writing and noting it writes the same records again, and their headers say so', {
  timeout: 180_000,
}, async (t) => {
  await broker.createTopic('crashed', 4);
  const options = {
    bootstrap: broker.bootstrap,
    exporter: { traces: { topic: 'crashed' } },
    signals: ['traces'],
  };
  const bed = await ExporterBed.start(options, 'exporter.before_finish=kill@1');
  const client = new LedgerClient({ port: bed.ports.http, producers: 1 });
  t.after(async () => {
    client.close();
    await bed.stop();
  });
  client.start();
  await bed.engine!.exit();
  await client.stop();
  await bed.startEngine();
  await allDelivered(bed);

  const records = await readTopic(broker, 'crashed');
  const found = spansOf(records);
  assert.deepEqual(
    client.ackedSpans().filter((key) => !found.has(key)),
    [],
  );
  const ids = idsOf(records);
  assert.ok(new Set(ids).size < ids.length, 'something was written twice');
  for (const id of new Set(ids)) {
    const same = records.filter(({ headers }) => headers['millrace.batch_id'] === id);
    // The same record: the same bytes, and in the same partition.
    for (const { value, partition } of same) {
      assert.ok(value.equals(same[0]!.value));
      assert.equal(partition, same[0]!.partition);
    }
  }
});
