/**
 * B4: a backend that is there for five seconds and away for five, for half an hour, while requests come in. Whatever was
 * acknowledged must be in it at the end; Kafka and S3 are real servers that are killed and started again.
 *
 *   node dist/src/testkit/nightly/flapping.js --backend kafka|s3 [--minutes 30]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EngineProcess, engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { startBackend } from './backends.ts';

const HALF_PERIOD_MS = 5000;
const REQUEST_EVERY_MS = 20;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function run(name: string, minutes: number): Promise<{ line: string; isComplete: boolean }> {
  const backend = await startBackend(name);
  const directory = mkdtempSync(join(tmpdir(), 'millrace-flapping-'));
  const ports = await freePorts();
  const engine = await EngineProcess.start({
    config: engineConfig(ports, backend.exporter, { signals: ['traces'] }),
    dataDir: join(directory, 'data'),
    env: backend.env,
  });
  const client = new LedgerClient({ port: ports.http, producers: 0 });
  const acked: number[] = [];
  let sent = 0;
  const load = setInterval(() => {
    const sequence = sent++;
    void client
      .send(ledgerRequest(0, sequence))
      .then((status) => status === 200 && acked.push(sequence))
      .catch(() => undefined);
  }, REQUEST_EVERY_MS);
  try {
    const endMs = Date.now() + minutes * 60_000;
    let outages = 0;
    while (Date.now() < endMs) {
      await sleep(HALF_PERIOD_MS);
      await backend.server.kill();
      outages++;
      await sleep(HALF_PERIOD_MS);
      await backend.server.startProcess();
    }
    clearInterval(load);
    await sleep(1000);
    const metric = async (one: string): Promise<number> =>
      metricSum(await engine.metrics(ports.metrics), one);
    await until('delivery', async () => (await metric('otelcol_exporter_queue_size')) === 0, 60_000).catch(
      () => undefined,
    );
    const retries = await metric('millrace_exporter_retries');
    const found = await backend.spans();
    const promised = acked.flatMap((sequence) =>
      Array.from({ length: SPANS_PER_REQUEST }, (_, span) => `0/${sequence}/${span}`),
    );
    const missing = promised.filter((key) => !found.has(key)).length;
    const copies = [...found.values()].reduce((sum, count) => sum + count - 1, 0);
    const line = `${name}: ${minutes} min, ${outages} outages, ${promised.length} spans acknowledged of ${sent * SPANS_PER_REQUEST} sent, ${missing} missing, ${copies} delivered again, ${retries} retries`;
    return { line, isComplete: missing === 0 && promised.length > 0 };
  } finally {
    clearInterval(load);
    client.close();
    await engine.kill();
    await backend.server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options: { backend: { type: 'string' }, minutes: { type: 'string' } } });
const { line, isComplete } = await run(values.backend ?? 'kafka', Number(values.minutes ?? 30));
process.stdout.write(`${line}\n`);
process.exitCode = isComplete ? 0 : 1;
