import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { generate } from 'selfsigned';
import { readLedger } from './ledger.ts';
import { createLatencyHistogram, runLoad } from './load.ts';
import { type LoadOptions, loadFromFlags } from './options.ts';
import { type NullOtlp, startNullOtlp } from './sinks/null-otlp.ts';

function options(port: number, flags: Record<string, string>): LoadOptions {
  return loadFromFlags({
    endpoint: `127.0.0.1:${port}`,
    warmup: '0s',
    settle: '0s',
    'spans-per-request': '20',
    ...flags,
  });
}

/** Load workers take a while to start, so times count from the first request that the sink sees. */
function afterFirstRequest(sink: NullOtlp, delayMs: number, action: () => void): void {
  const poll = setInterval(() => {
    if (sink.requestCount === 0) return;
    clearInterval(poll);
    setTimeout(action, delayMs);
  }, 5);
}

test('an open loop holds its rate, over http and over grpc', (t) => holdRate(t, 'off'));

test('an open loop holds its rate over TLS', (t) => holdRate(t, 'on'));

async function holdRate(t: TestContext, tls: 'off' | 'on'): Promise<void> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }]);
  const sink = await startNullOtlp(0, 0, tls === 'on' ? { cert, key } : undefined);
  t.after(() => sink.close());
  const ports = { http: sink.httpPort, grpc: sink.grpcPort };
  for (const protocol of ['http', 'grpc'] as const) {
    const flags = { protocol, tls, rate: '4000', duration: '2s', workers: '2', connections: '4' };
    const result = await runLoad(options(ports[protocol], flags), () => undefined);
    // 4,000 items a second in requests of 20 for two seconds: never one more, and on a busy machine hardly one less.
    assert.equal(result.counts.sentRequests + result.counts.unsentRequests, 400, protocol);
    assert.equal(result.counts.ackedRequests, result.counts.sentRequests);
    assert.ok(
      result.itemsPerSecond > 3_000 && result.itemsPerSecond <= 4_000,
      `${result.itemsPerSecond} items/s`,
    );
    assert.equal(result.latency.maxMs > 0, true);
  }
}

test('a stall of the server shows in the latency of every request that was due meanwhile', async (t) => {
  const sink = await startNullOtlp();
  t.after(() => sink.close());
  const flags = { rate: '4000', duration: '2s', connections: '2' };
  afterFirstRequest(sink, 500, () => {
    sink.isStalled = true;
  });
  afterFirstRequest(sink, 1_500, () => {
    sink.isStalled = false;
  });
  const result = await runLoad(options(sink.httpPort, flags), () => undefined);
  // Two connections mean that only two requests met the stall. Half of all were due in it, and all of them count:
  // a client that measured from the sending would report a median of a millisecond.
  assert.equal(result.counts.ackedRequests + result.counts.unsentRequests, 400);
  assert.ok(result.latency.p90Ms > 600, `p90 ${result.latency.p90Ms} ms`);
  assert.ok(result.latency.p99Ms > 850, `p99 ${result.latency.p99Ms} ms`);
});

test('requests that never left count as unsent and weigh on the percentiles', async (t) => {
  const sink = await startNullOtlp();
  t.after(() => sink.close());
  sink.isStalled = true;
  afterFirstRequest(sink, 1_500, () => {
    sink.isStalled = false;
  });
  const result = await runLoad(
    options(sink.httpPort, { rate: '4000', duration: '1s', connections: '2' }),
    () => undefined,
  );
  assert.equal(result.counts.sentRequests, 2);
  assert.equal(result.counts.unsentRequests, 198);
  assert.ok(result.latency.p50Ms > 400, `p50 ${result.latency.p50Ms} ms`);
});

test('the ledger has what was acknowledged and nothing else', async (t) => {
  const sink = await startNullOtlp();
  const dir = await mkdtemp(join(tmpdir(), 'loadtest-'));
  t.after(async () => {
    await sink.close();
    await rm(dir, { recursive: true });
  });
  const ledger = join(dir, 'ledger');
  const flags = {
    rate: '4000',
    duration: '2s',
    connections: '4',
    workers: '2',
    ledger,
    run: 'r1',
    compression: 'gzip',
  };
  afterFirstRequest(sink, 1_000, () => {
    sink.status = 503;
  });
  const result = await runLoad(options(sink.httpPort, flags), () => undefined);
  const lines = readLedger(ledger);
  assert.ok(result.counts.refusedRequests > 50 && result.counts.ackedRequests > 50);
  assert.equal(
    result.counts.ackedRequests + result.counts.refusedRequests + result.counts.unsentRequests,
    400,
  );
  assert.deepEqual(result.reasons, { 'HTTP 503': result.counts.refusedRequests });
  assert.equal(lines.length, result.counts.ackedRequests);
  assert.equal(new Set(lines.map((line) => `${line.producer}/${line.seq}`)).size, lines.length);
  assert.deepEqual([...new Set(lines.map((line) => `${line.run} ${line.items}`))], ['r1 20']);
});

test('a connection that breaks under a request fails it, and the ledger does not have it', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'loadtest-'));
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    server.close();
    await rm(dir, { recursive: true });
  });
  const { port } = server.address() as { port: number };
  const ledger = join(dir, 'ledger');
  const result = await runLoad(
    options(port, { rate: '400', duration: '1s', connections: '2', ledger }),
    () => undefined,
  );
  assert.equal(result.counts.ackedRequests, 0);
  assert.ok(result.counts.failedRequests > 1);
  assert.deepEqual(Object.keys(result.reasons), ['connection lost']);
  assert.deepEqual(readLedger(ledger), []);
});

test('latencies of many workers make one histogram, so percentiles are exact to three figures', () => {
  const histogram = createLatencyHistogram();
  for (let us = 1; us <= 100_000; us += 1) histogram.recordValue(us);
  assert.ok(Math.abs(histogram.getValueAtPercentile(99) - 99_000) <= 99);
});
