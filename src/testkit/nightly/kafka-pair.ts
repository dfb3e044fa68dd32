/**
 * A1 across a pair of engines with Kafka between them: either engine or the broker is killed (-9) in each cycle, under load.
 * What was acknowledged by the first must be delivered by the second.
 *
 *   node dist/src/testkit/nightly/kafka-pair.js [--cycles 30] [--seed 1]
 */
import { parseArgs } from 'node:util';
import { Prng } from '../../stdx/prng.ts';
import { until } from '../engine-process.ts';
import { LedgerClient } from '../ledger-client.ts';
import { ExporterBed } from '../services/kafka-exporter-bed.ts';
import { ReceiverBed } from '../services/kafka-receiver-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';

const TOPIC = 'otlp_spans';
const VICTIMS = ['gateway', 'processor', 'broker'] as const;
const DELIVERY_TIMEOUT_MS = 90_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** @returns what to print; `isComplete` says whether it passed. */
async function run(cycles: number, seed: number): Promise<{ line: string; isComplete: boolean }> {
  const prng = new Prng(seed);
  const kafka = await KafkaServer.start();
  await kafka.createTopic(TOPIC);
  const gateway = await ExporterBed.start({
    bootstrap: kafka.bootstrap,
    exporter: { partition_traces_by_id: true },
    signals: ['traces'],
  });
  const receiver = { group_instance_id: 'processor-0', session_timeout: '60s' };
  const processor = await ReceiverBed.create({ broker: kafka, receiver });
  const client = new LedgerClient({ port: gateway.ports.http, producers: 2 });
  const kills = { gateway: 0, processor: 0, broker: 0 };
  try {
    await processor.start();
    client.start();
    for (let cycle = 0; cycle < cycles; cycle++) {
      await sleep(300 + prng.nextInt(700));
      const victim = VICTIMS[prng.nextInt(VICTIMS.length)]!;
      kills[victim]++;
      process.stderr.write(`cycle ${cycle + 1} of ${cycles}: ${victim}\n`);
      if (victim === 'gateway') await gateway.engine!.kill();
      else if (victim === 'processor') await processor.engine!.kill();
      else await kafka.kill();
      await sleep(prng.nextInt(500));
      if (victim === 'gateway') await gateway.startEngine();
      else if (victim === 'processor') await processor.start();
      else await kafka.startProcess();
    }
    await sleep(500);
    await client.stop();
    const acked = client.ackedSpans();
    const missing = (): number => {
      const found = processor.spans();
      return acked.filter((key) => !found.has(key)).length;
    };
    await until('delivery', () => missing() === 0, DELIVERY_TIMEOUT_MS).catch(() => undefined);
    const copies = [...processor.spans().values()].reduce((sum, count) => sum + count - 1, 0);
    const isComplete = missing() === 0 && acked.length > 0;
    const killed = Object.entries(kills).map(([name, count]) => `${name} ${count}`);
    const line = `${cycles} cycles (${killed.join(', ')}), seed ${seed}: ${acked.length} spans acknowledged, ${missing()} missing, ${copies} delivered again`;
    return { line, isComplete };
  } finally {
    client.close();
    await gateway.stop();
    await processor.stop();
    await kafka.stop();
  }
}

const { values } = parseArgs({ options: { cycles: { type: 'string' }, seed: { type: 'string' } } });
const { line, isComplete } = await run(Number(values.cycles ?? 30), Number(values.seed ?? 1));
process.stdout.write(`${line}\n`);
process.exitCode = isComplete ? 0 : 1;
