/**
 * A1 across the Kafka pair: kill -9 of the engine that writes a topic and of the engine that reads it, in turn, under
 * load and at named points. Guarantee: what the first one has answered with 200 arrives behind the second one.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Prng } from '../../stdx/prng.ts';
import { EngineProcess, engineConfig, freePorts, until } from '../engine-process.ts';
import { LedgerClient } from '../ledger-client.ts';
import { ReceiverBed } from '../services/kafka-receiver-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';

const CYCLES = 30;
const WRITER_POINTS = ['exporter.before_send', 'exporter.sent', 'exporter.before_finish'];
const READER_POINTS = ['pipeline.decoded', 'pipeline.before_commit', 'pipeline.before_ack', 'exporter.sent'];

test(`${CYCLES} crashes on either side of a topic lose nothing`, { timeout: 540_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-pair-'));
  const broker = await KafkaServer.start();
  await broker.createTopic('otlp_spans', 4);
  const ports = await freePorts();
  const writer = {
    config: engineConfig(ports, { kafka: { brokers: [broker.bootstrap] } }, { signals: ['traces'] }),
    dataDir: join(directory, 'writer'),
  };
  // A named member has its partitions again at once: the cycles would otherwise wait for the session of the dead one.
  const bed = await ReceiverBed.create({ broker, receiver: { group_instance_id: 'reader' } });
  const client = new LedgerClient({ port: ports.http, producers: 4 });
  const prng = new Prng(20_261_121);
  let writing: EngineProcess | undefined;
  t.after(async () => {
    client.close();
    await writing?.kill();
    await bed.stop();
    await broker.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const failpoint = (points: readonly string[], cycle: number): string =>
    cycle % 4 < 2 ? '' : `${points[cycle % points.length]}=kill@${1 + prng.nextInt(20)}`;
  writing = await EngineProcess.start(writer);
  let reading = await bed.start();
  client.start();
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const untilMs = Date.now() + 200 + prng.nextInt(1200);
    const isWriter = cycle % 2 === 0;
    const victim: EngineProcess = isWriter ? writing : reading;
    while (Date.now() < untilMs && !victim.hasExited) await new Promise((resolve) => setTimeout(resolve, 10));
    await victim.kill();
    if (isWriter) {
      writing = await EngineProcess.start({ ...writer, failpoints: failpoint(WRITER_POINTS, cycle) });
    } else reading = await bed.start(failpoint(READER_POINTS, cycle));
  }
  await client.stop();
  await writing.kill();
  await reading.kill();
  writing = await EngineProcess.start(writer);
  reading = await bed.start();
  const missing = (): string[] => {
    const delivered = bed.spans();
    return client.ackedSpans().filter((key) => !delivered.has(key));
  };
  await until('every acknowledged span', () => missing().length === 0, 120_000).catch(() => undefined);
  assert.deepEqual(missing(), [], reading.log);
  assert.ok(client.acked.size > 10 * CYCLES, `only ${client.acked.size} requests were acknowledged`);
  const foreign = [...bed.spans().keys()].filter(
    (key) => !client.sent.has(key.slice(0, key.lastIndexOf('/'))),
  );
  assert.deepEqual(foreign, [], 'spans that were never sent');
  const duplicates = [...bed.spans().values()].reduce((sum, times) => sum + times - 1, 0);
  t.diagnostic(`${client.acked.size} requests acknowledged, ${duplicates} duplicate spans`);
});
