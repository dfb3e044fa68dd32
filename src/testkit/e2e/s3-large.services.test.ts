/**
 * Objects that are larger than memory may hold, on a real S3 server: one object of 512 MiB, uploaded in parts, through a
 * kill -9 in the middle of it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EngineProcess, engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { archivedSpans } from '../services/s3-objects.ts';
import { S3Server } from '../services/s3-server.ts';

const BUCKET = 'archive';
const MIB = 1 << 20;
const OBJECT_BYTES = 512 * MIB;
/** What the object may cost: the parts on their way, one that is filled, and records that are read. */
const COST_BYTES_MAX = 64 * MIB;
/** What makes requests large; its own spans are in all of them, and nobody counts those. */
const BULK = ledgerRequest(9999, 0, 200_000);

/** Sends requests of 800 kB one after the other until `isOver`; the keys of the spans that were taken. */
async function sendLoad(port: number, isOver: () => boolean): Promise<string[]> {
  const taken: string[] = [];
  for (let sequence = 0; !isOver(); sequence++) {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: Buffer.concat([ledgerRequest(1, sequence), BULK]),
    }).catch(() => undefined);
    await answer?.arrayBuffer().catch(() => undefined);
    if (answer?.status !== 200) continue;
    for (let span = 0; span < SPANS_PER_REQUEST; span++) taken.push(`1/${sequence}/${span}`);
  }
  return taken;
}

/** Memory of the process that is backed by no file: what the log maps of its segments is not the engine's. */
function anonymousBytes(pid: number): number {
  const line = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line![1]) * 1024;
}

test('an object of 512 MiB costs at most 64 MiB and survives kill -9', {
  timeout: 230_000,
  skip: process.platform !== 'linux' && 'needs /proc',
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-s3-large-'));
  const store = await S3Server.start({ buckets: [BUCKET] });
  const ports = await freePorts();
  const configOf = (batch: Record<string, unknown>) => {
    const s3uploader = { endpoint: store.endpoint, s3_force_path_style: true, s3_bucket: BUCKET };
    const exporter = { s3uploader, marshaler: 'otlp_proto', sending_queue: { batch } };
    return engineConfig(ports, { awss3: exporter }, { signals: ['traces'] });
  };
  const start = {
    config: configOf({ sizer: 'bytes', min_size: OBJECT_BYTES, flush_timeout: '10m' }),
    dataDir: join(directory, 'data'),
    flags: ['--disk-budget', '4GiB'],
    env: store.environment,
  };
  let engine = await EngineProcess.start(start);
  t.after(async () => {
    await engine.kill();
    await store.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  let isOver = false;
  const load = sendLoad(ports.http, () => isOver);
  await until('the upload to begin', async () => (await store.openUploads(BUCKET)).length > 0, 120_000);
  await engine.kill();
  isOver = true;
  const taken = await load;
  assert.equal((await store.openUploads(BUCKET)).length, 1, 'an upload that nobody finishes');
  assert.deepEqual(store.keysOf(BUCKET), []);

  // The upload waits for the server, so that memory without it is seen first.
  store.pause();
  engine = await EngineProcess.start(start);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const pid = engine.child.pid!;
  const before = anonymousBytes(pid);
  let peak = before;
  store.resume();
  await until(
    'the object to be there',
    () => {
      peak = Math.max(peak, anonymousBytes(pid));
      return store.keysOf(BUCKET).length > 0;
    },
    120_000,
  );
  assert.deepEqual(await store.openUploads(BUCKET), [], 'the upload of the killed process is given up');
  const [key] = store.keysOf(BUCKET);
  const { length } = store.objectBytes(BUCKET, key!);
  assert.ok(length >= OBJECT_BYTES, `${length} bytes`);
  t.diagnostic(
    `${length} bytes cost ${Math.round((peak - before) / MIB)} MiB over ${Math.round(before / MIB)} MiB`,
  );
  assert.ok(peak - before <= COST_BYTES_MAX, `${Math.round((peak - before) / MIB)} MiB`);

  // The rest is far from such a size: a configuration with small batches takes it from there.
  await engine.kill();
  engine = await EngineProcess.start({ ...start, config: configOf({ min_size: 64 }) });
  await until('the rest', async () => {
    return metricSum(await engine.metrics(ports.metrics), 'otelcol_exporter_queue_size') === 0;
  });
  const archived = archivedSpans(store, BUCKET);
  assert.deepEqual(
    taken.filter((span) => archived.get(span) !== 1),
    [],
  );
});
