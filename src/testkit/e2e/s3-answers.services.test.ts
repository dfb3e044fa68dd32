/**
 * B1 to B3, B9 to B11, B15, B16 and G7 at an S3 store: what answers strangely, too slowly, without end or not at all, and a
 * clock that is wrong. A real server is behind the proxy, so that what counts is what is in the bucket.
 * Guarantee: every acknowledged span is in exactly one object as soon as the store can take it.
 */
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { until } from '../engine-process.ts';
import { S3FaultBed } from '../services/s3-fault-bed.ts';
import type { S3Fault } from '../services/s3-faults.ts';
import { wrongClock } from '../services/wrong-clock.ts';
import { afterwards, tempDirectory } from './storage.test-peer.ts';

const BATCH = { min_size: 16, flush_timeout: '100ms' };
const MEMORY = 'otelcol_process_runtime_total_sys_memory_bytes';
const RISE_BYTES_MAX = 192 << 20;
/** Writes, of which a store is asked again and again; reads are of the conditional write's second look. */
const FAULTS_EACH = 6;

/** Fails some writes, and then none: everything has to be there, once, and the log has to say why it took longer. */
async function survives(t: TestContext, fault: S3Fault, message?: RegExp): Promise<S3FaultBed> {
  const bed = await S3FaultBed.create(t, BATCH);
  let left = FAULTS_EACH;
  bed.proxy.script = (method) => (method === 'PUT' && left-- > 0 ? fault : undefined);
  const engine = await bed.start();
  const before = await bed.metric(MEMORY);
  const keys = await bed.send(40);
  let peak = before;
  await until('every fault', async () => {
    peak = Math.max(peak, await bed.metric(MEMORY));
    return left <= 0;
  });
  await bed.drained();
  bed.assertOnce(keys);
  if (message !== undefined) await engine.said(message);
  assert.ok(peak - before < RISE_BYTES_MAX, `${(peak - before) >> 20} MiB more memory`);
  assert.equal(await bed.metric('otelcol_exporter_send_failed_spans'), 0);
  return bed;
}

/** Sends a piece again and again until the other side has had enough. */
function endless(outgoing: ServerResponse, piece: Buffer): void {
  const write = (): void => {
    while (!outgoing.destroyed) if (!outgoing.write(piece)) return void outgoing.once('drain', write);
  };
  outgoing.on('error', () => undefined);
  write();
}

test('B1: a store that is away is waited for', { timeout: 180_000 }, async (t) => {
  const bed = await S3FaultBed.create(t, BATCH);
  await bed.store.kill();
  const engine = await bed.start({}, { endpoint: bed.store.endpoint });
  const keys = await bed.send(10);
  await engine.said(/export failed, will be tried again.*ECONNREFUSED/);
  assert.ok((await bed.metric('otelcol_exporter_queue_size')) > 0);
  await bed.store.startProcess();
  await bed.drained();
  bed.assertOnce(keys);
});

test('B2: a store that takes requests and answers none costs an attempt its time', {
  timeout: 180_000,
}, async (t) => {
  await survives(t, (incoming) => void incoming.resume(), /no answer within 3000 ms/);
});

test('B2: a store that does not read costs an attempt its time', { timeout: 180_000 }, async (t) => {
  await survives(t, () => undefined, /no answer within 3000 ms/);
});

test('B3: an answer that drips costs an attempt its time', { timeout: 180_000 }, async (t) => {
  const drip: S3Fault = (incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(503, { 'content-type': 'application/xml' });
    const timer = setInterval(() => outgoing.write('<'), 1000);
    outgoing.on('close', () => clearInterval(timer));
  };
  await survives(t, drip, /no answer within 3000 ms/);
});

test('B9: an answer without end is bounded in memory and in time', { timeout: 180_000 }, async (t) => {
  const flood: S3Fault = (incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(503, { 'content-type': 'application/xml' });
    endless(outgoing, Buffer.alloc(65_536, 0x20));
  };
  await survives(t, flood);
});

for (const [encoding, bomb] of [
  ['gzip', gzipSync(Buffer.alloc(64 << 20))],
  ['br', Buffer.from('no brotli')],
] as const) {
  test(`B10: an answer in ${encoding} is not unpacked`, { timeout: 180_000 }, async (t) => {
    const packed: S3Fault = (incoming, outgoing) => {
      incoming.resume();
      outgoing.writeHead(503, { 'content-type': 'application/xml', 'content-encoding': encoding });
      outgoing.end(bomb);
    };
    await survives(t, packed, /export failed, will be tried again/);
  });
}

test('B11: a redirect to another host is not followed', { timeout: 180_000 }, async (t) => {
  let visits = 0;
  const other = createServer((_, outgoing) => {
    visits += 1;
    outgoing.end();
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  afterwards(t, () => other.close().closeAllConnections());
  const location = `http://127.0.0.1:${(other.address() as { port: number }).port}/archive/key`;
  const redirect: S3Fault = (incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(307, { location, 'content-type': 'application/xml' });
    outgoing.end('<Error><Code>TemporaryRedirect</Code><Message>there</Message></Error>');
  };
  await survives(t, redirect, /the bucket is not there under this region and endpoint/);
  assert.equal(visits, 0);
});

test('B15: strange Retry-After values stop nothing', { timeout: 180_000 }, async (t) => {
  const values = ['31536000', '-5', 'Fri, 31 Dec 9999 23:59:59 GMT', '0.0000001', 'soon', '1e9'];
  const slow: S3Fault = (incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(503, { 'retry-after': values.pop() ?? '0', 'content-type': 'application/xml' });
    outgoing.end('<Error><Code>SlowDown</Code><Message>less</Message></Error>');
  };
  // Asked again within the attempt, so that there may be nothing to tell.
  await survives(t, slow);
});

test('B16: garbage behind an error leaves the status to decide', { timeout: 180_000 }, async (t) => {
  const garbage: S3Fault = (incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(500, { 'content-type': 'application/xml' });
    outgoing.end(Buffer.from([0xff, 0xfe, 0, 0x3c, 0x3c, 0x21, 0x5b]));
  };
  await survives(t, garbage);
});

test('an upload that fails behind its 200 is no success', { timeout: 180_000 }, async (t) => {
  const bed = await S3FaultBed.create(t, { sizer: 'bytes', min_size: 12 << 20, flush_timeout: '60s' });
  let failures = 0;
  bed.proxy.script = (method, url) => {
    if (method !== 'POST' || !url.includes('uploadId=') || failures >= 3) return undefined;
    failures += 1;
    return { status: 200, code: 'InternalError' };
  };
  await bed.start();
  const keys = await bed.send(16, 200_000);
  await bed.drained();
  assert.equal(failures, 3);
  bed.assertOnce(keys);
});

for (const [name, offsetS] of [
  ['behind', -3600],
  ['ahead', 3600],
] as const) {
  test(`G7: a clock an hour ${name}: the store refuses, its own time is taken, and all arrives`, {
    timeout: 180_000,
  }, async (t) => {
    const env = wrongClock(tempDirectory(t), offsetS);
    if (env === undefined) return t.diagnostic('no C compiler here');
    const bed = await S3FaultBed.create(t, BATCH);
    await bed.start(env);
    const keys = await bed.send(20);
    await bed.drained();
    bed.assertOnce(keys);
    assert.ok(bed.proxy.statuses.has(403), 'the store did not mind the time');
  });
}
