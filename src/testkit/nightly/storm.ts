/**
 * B17: a store that allows a few writes a second and refuses all others with SlowDown, for minutes, while more comes in than
 * it allows. What is allowed must be used, refusals must not beget more requests than a few for each that is taken, and nothing
 * may be lost.
 *
 *   node dist/src/testkit/nightly/storm.js [--minutes 10] [--allowed 5]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { EngineProcess, engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { S3FaultProxy } from '../services/s3-faults.ts';
import { archivedSpans } from '../services/s3-objects.ts';
import { S3Server } from '../services/s3-server.ts';

const BUCKET = 'archive';
/** Each becomes an object of its own: four times what is allowed by default. */
const REQUEST_EVERY_MS = 50;
const CONSUMERS = 10;
/** In the second half, when the rate has been found: all that were sent, for each that was taken. */
const REQUESTS_PER_OBJECT_MAX = 1.25;

async function run(minutes: number, allowed: number): Promise<{ line: string; isComplete: boolean }> {
  const store = await S3Server.start({ buckets: [BUCKET] });
  const proxy = await S3FaultProxy.start(store);
  let taken = 0;
  const perSecond = new Map<number, number>();
  let isOver = false;
  const startedMs = performance.now();
  proxy.script = (method) => {
    if (method !== 'PUT' || isOver) return undefined;
    const seconds = (performance.now() - startedMs) / 1000;
    perSecond.set(Math.floor(seconds), (perSecond.get(Math.floor(seconds)) ?? 0) + 1);
    if (taken >= seconds * allowed) return { status: 503, code: 'SlowDown' };
    taken += 1;
    return undefined;
  };
  const directory = mkdtempSync(join(tmpdir(), 'millrace-storm-'));
  const ports = await freePorts();
  const s3uploader = { endpoint: proxy.endpoint, s3_force_path_style: true, s3_bucket: BUCKET };
  const awss3 = {
    ...{ s3uploader, marshaler: 'otlp_proto' },
    retry_on_failure: { initial_interval: '500ms', max_interval: '5s' },
    sending_queue: {
      num_consumers: CONSUMERS,
      batch: { min_size: SPANS_PER_REQUEST, max_size: SPANS_PER_REQUEST, flush_timeout: '100ms' },
    },
  };
  const engine = await EngineProcess.start({
    config: engineConfig(ports, { awss3 }, { signals: ['traces'] }),
    dataDir: join(directory, 'data'),
    env: store.environment,
  });
  const client = new LedgerClient({ port: ports.http, producers: 0 });
  const acked: string[] = [];
  let sequence = 0;
  const load = setInterval(() => {
    const own = sequence++;
    void client
      .send(ledgerRequest(0, own))
      .then((status) => {
        if (status === 200) for (let n = 0; n < SPANS_PER_REQUEST; n++) acked.push(`0/${own}/${n}`);
      })
      .catch(() => undefined);
  }, REQUEST_EVERY_MS);
  try {
    await sleep(minutes * 60_000);
    clearInterval(load);
    isOver = true;
    await sleep(1000);
    const waiting = async () => metricSum(await engine.metrics(ports.metrics), 'otelcol_exporter_queue_size');
    await until('delivery', async () => (await waiting()) === 0, 600_000).catch(() => undefined);
    const found = archivedSpans(store, BUCKET);
    const missing = acked.filter((key) => !found.has(key)).length;
    const seconds = [...perSecond.keys()].sort((a, b) => a - b);
    const later = seconds.slice(seconds.length >> 1).map((second) => perSecond.get(second)!);
    const mean = later.reduce((sum, count) => sum + count, 0) / later.length;
    const most = Math.max(...later);
    const line =
      `${minutes} min of ${1000 / REQUEST_EVERY_MS} objects a second, ${allowed} allowed: ${taken} taken; in the second half ` +
      `${mean.toFixed(1)} requests a second, ${most} in the fullest one; ${acked.length} spans acknowledged, ${missing} missing`;
    const isCalm = mean <= REQUESTS_PER_OBJECT_MAX * allowed && most <= 3 * mean;
    const isUsed = taken >= 0.8 * allowed * minutes * 60;
    return { line, isComplete: missing === 0 && acked.length > 0 && isCalm && isUsed };
  } finally {
    clearInterval(load);
    client.close();
    await engine.kill();
    proxy.stop();
    await store.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options: { minutes: { type: 'string' }, allowed: { type: 'string' } } });
const { line, isComplete } = await run(Number(values.minutes ?? 10), Number(values.allowed ?? 5));
process.stdout.write(`${line}\n`);
process.exitCode = isComplete ? 0 : 1;
