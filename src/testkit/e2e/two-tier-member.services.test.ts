/** Static membership on a real broker: a member that is killed and comes back has its partitions, and nobody else had them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { kafkaClient, produce, ReceiverBed } from '../services/kafka-receiver-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';

const PARTITIONS = 4;
const PER_MEMBER = PARTITIONS / 2;
/** Longer than a member is away here, and longer than anybody waits here. */
const SESSION_TIMEOUT = '60s';

test('members with names of their own come and go without a rebalance', { timeout: 180_000 }, async (t) => {
  const broker = await KafkaServer.start();
  t.after(async () => broker.stop());
  await broker.createTopic('otlp_spans', PARTITIONS);
  const beds: ReceiverBed[] = [];
  for (const name of ['processor-0', 'processor-1']) {
    const receiver = { group_instance_id: name, session_timeout: SESSION_TIMEOUT };
    const bed = await ReceiverBed.create({ broker, receiver });
    t.after(async () => bed.stop());
    await bed.start();
    beds.push(bed);
  }
  const [stays, goes] = beds as [ReceiverBed, ReceiverBed];
  const admin = (await kafkaClient(broker)).admin();
  await admin.connect();
  t.after(async () => admin.disconnect());
  const group = async () => (await admin.describeGroups(['bed'])).groups[0]!;
  await until('both members', async () => {
    const { state, members } = await group();
    return state === 'Stable' && members.length === 2;
  });
  let sequence = 0;
  const send = async (): Promise<void> => {
    const records = Array.from({ length: PARTITIONS }, (_, partition) => ({
      value: Buffer.from(ledgerRequest(0, sequence++)),
      partition,
    }));
    await produce(broker, 'otlp_spans', records);
  };
  const spans = (bed: ReceiverBed): number => bed.spans().size / SPANS_PER_REQUEST;

  await send();
  await until('a half for each', () => beds.every((bed) => spans(bed) === PER_MEMBER));
  const changes = async (): Promise<number[]> => [
    await stays.metric('otelcol_kafka_receiver_partition_start'),
    await stays.metric('otelcol_kafka_receiver_partition_close'),
  ];
  const changesBefore = await changes();

  for (const [round, signal] of (['SIGKILL', 'SIGTERM'] as const).entries()) {
    await goes.engine!.kill(signal);
    await send();
    await until('what is its own', () => spans(stays) === PER_MEMBER * (round + 2));
    // A group that had noticed would have told it within a heartbeat, which is half a second here.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    assert.equal(spans(stays), PER_MEMBER * (round + 2), 'it has read partitions of the other one');
    assert.equal((await group()).members.length, 2);
    await goes.start();
    await until('the other half', () => spans(goes) === PER_MEMBER * (round + 2));
  }
  assert.deepEqual(await changes(), changesBefore);
  const all = new Map([...stays.spans(), ...goes.spans()]);
  assert.equal(all.size, 3 * PARTITIONS * SPANS_PER_REQUEST);
});
