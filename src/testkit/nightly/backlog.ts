/**
 * B19: a backend that is away until much has gathered in the log, and comes back while requests go on coming. Whatever was
 * acknowledged must be in it at the end, memory must not follow the backlog, and what comes in meanwhile is taken.
 *
 *   node dist/src/testkit/nightly/backlog.js --backend kafka|s3 [--mib 512]
 *
 * The spans that arrived are read into the memory of this program, which bounds what it can be asked for.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EngineProcess, engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { startBackend } from './backends.ts';

const MEMORY = 'otelcol_process_runtime_total_sys_memory_bytes';
const ITEMS = 'millrace_exporter_queue_items';
/** Batches in flight, what is made of them and what the clients hold: the same for three times the backlog. */
const RISE_MIB_MAX = 400;
const PADDING_BYTES = 32 * 1024;
const REQUEST_MIB = (SPANS_PER_REQUEST * PADDING_BYTES) / 2 ** 20;
/** While the backlog is delivered. */
const REQUEST_EVERY_MS = 50;
const DELIVERY_TIMEOUT_MS = 300_000;

const { values } = parseArgs({ options: { backend: { type: 'string' }, mib: { type: 'string' } } });
const [name, mib] = [values.backend ?? 'kafka', Number(values.mib ?? 512)];
const backend = await startBackend(name);
const directory = mkdtempSync(join(tmpdir(), 'millrace-backlog-'));
const ports = await freePorts();
const engine = await EngineProcess.start({
  config: engineConfig(ports, backend.exporter, { signals: ['traces'] }),
  dataDir: join(directory, 'data'),
  env: backend.env,
});
const client = new LedgerClient({ port: ports.http, producers: 0 });
const metric = async (one: string): Promise<number> => metricSum(await engine.metrics(ports.metrics), one);
const acked: number[] = [];
let sent = 0;
const send = async (): Promise<void> => {
  const sequence = sent++;
  const status = await client.send(ledgerRequest(0, sequence, PADDING_BYTES)).catch(() => 0);
  if (status === 200) acked.push(sequence);
};
let load: NodeJS.Timeout | undefined;
try {
  const before = await metric(MEMORY);
  await backend.server.kill();
  while (acked.length * REQUEST_MIB < mib) await Promise.all(Array.from({ length: 8 }, send));
  const waiting = acked.length;
  await backend.server.startProcess();
  const startMs = Date.now();
  load = setInterval(() => void send(), REQUEST_EVERY_MS);
  let peak = await metric(MEMORY);
  // What came in within the last second may be there still.
  const recent = (1000 / REQUEST_EVERY_MS) * SPANS_PER_REQUEST;
  const isCaughtUp = async (): Promise<boolean> => {
    peak = Math.max(peak, await metric(MEMORY));
    return (await metric(ITEMS)) <= recent;
  };
  await until('delivery of the backlog', isCaughtUp, DELIVERY_TIMEOUT_MS);
  const seconds = (Date.now() - startMs) / 1000;
  clearInterval(load);
  await until('delivery of the rest', async () => (await metric(ITEMS)) === 0);
  const found = await backend.spans();
  const promised = acked.flatMap((sequence) =>
    Array.from({ length: SPANS_PER_REQUEST }, (_, span) => `0/${sequence}/${span}`),
  );
  const missing = promised.filter((key) => !found.has(key)).length;
  const riseMib = Math.max(0, Math.round((peak - before) / 2 ** 20));
  process.stdout.write(
    `${name}: ${Math.round(waiting * REQUEST_MIB)} MiB delivered ${seconds.toFixed(1)} s after the backend was back, ` +
      `${riseMib} MiB more memory; ${promised.length} spans acknowledged of ${sent * SPANS_PER_REQUEST} sent, ` +
      `${(acked.length - waiting) * SPANS_PER_REQUEST} of them meanwhile, ${missing} missing\n`,
  );
  process.exitCode = missing === 0 && riseMib < RISE_MIB_MAX ? 0 : 1;
} finally {
  clearInterval(load);
  client.close();
  await engine.kill();
  await backend.server.stop();
  rmSync(directory, { recursive: true, force: true });
}
