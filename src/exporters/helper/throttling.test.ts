/** B17 with real exporters: servers that allow fewer requests than they get, and say so in the ways there are. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../stdx/clock.ts';
import { ThreadMeter } from '../../telemetry/registry.ts';
import { until } from '../../testkit/engine-process.ts';
import { otlpHttpExporterFactory } from '../otlphttp/factory.ts';
import {
  type Drain,
  deliveryConfig,
  fill,
  itemNumbers,
  memoryLog,
  RecordingLogger,
  startDrain,
} from './delivery.test-peer.ts';
import { grpcError, httpError } from './otlp-answers.ts';

const CONSUMERS = 10;

interface Backend {
  url: string;
  /** When each request was answered, and whether it was taken. */
  answers: { atMs: number; isTaken: boolean }[];
  items: number[];
}

/** A bucket of tokens, `allowed` a second and as many at once. */
async function limitedBackend(
  t: TestContext,
  allowed: number,
  refuse: (response: ServerResponse) => void,
): Promise<Backend> {
  const backend: Backend = { url: '', answers: [], items: [] };
  let [tokens, filledMs] = [allowed, performance.now()];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const atMs = performance.now();
    tokens = Math.min(tokens + ((atMs - filledMs) * allowed) / 1000, allowed);
    filledMs = atMs;
    const isTaken = tokens >= 1;
    backend.answers.push({ atMs, isTaken });
    if (!isTaken) return refuse(response);
    tokens -= 1;
    backend.items.push(...itemNumbers([Buffer.concat(chunks)]));
    response.writeHead(200).end();
  }).listen(0, '127.0.0.1');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  backend.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return backend;
}

/** So many batches of two items on their way. */
async function deliver(t: TestContext, url: string, batches: number): Promise<Drain> {
  const parsed = otlpHttpExporterFactory.configSchema.parse({ endpoint: url, compression: 'none' });
  const settings = {
    ...{ id: 'otlphttp', clock: systemClock },
    ...{ meter: new ThreadMeter(), logger: new RecordingLogger() },
  };
  const exporter = await otlpHttpExporterFactory.create(settings, parsed.value!, 'traces');
  await exporter.start();
  const log = memoryLog();
  await fill(log.openWriter(), Array<number>(batches).fill(2));
  const drain = startDrain(log, exporter, {
    config: deliveryConfig({
      numConsumers: CONSUMERS,
      batch: { minSize: 2, maxSize: 2 },
      retry: { initialIntervalMs: 200, randomizationFactor: 0.5, maxIntervalMs: 2000 },
    }),
  });
  t.after(async () => {
    await drain.end();
    await exporter.shutdown(0);
  });
  return drain;
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

test('B17: a server that allows so many requests a second gets hardly more, and everything', async (t) => {
  const batches = 120;
  const backend = await limitedBackend(t, 40, (response) => response.writeHead(429).end());
  const drain = await deliver(t, backend.url, batches);
  await until('delivery', () => drain.cursor.ordinal === 2 * batches);
  assert.deepEqual(
    backend.items.sort((a, b) => a - b),
    numbers(2 * batches),
  );
  const later = backend.answers.slice(backend.answers.length >> 1);
  const refused = later.filter(({ isTaken }) => !isTaken).length;
  assert.ok(refused <= 0.2 * later.length, `${refused} of the later ${later.length} requests were refused`);
  const refusedCount = backend.answers.filter(({ isTaken }) => !isTaken).length;
  assert.equal(drain.counter('millrace_exporter_throttled_attempts'), refusedCount);
  assert.equal(drain.logger.lines.filter(({ level }) => level === 'warn').length, 1);
});

test('B17: a delay in the answer to one holds all others', async (t) => {
  const batches = 60;
  const backend = await limitedBackend(t, 20, (response) =>
    response.writeHead(429, { 'retry-after': '1' }).end(),
  );
  const drain = await deliver(t, backend.url, batches);
  await until('delivery', () => drain.cursor.ordinal === 2 * batches);
  assert.equal(backend.items.length, 2 * batches);
  const refusals = backend.answers.filter(({ isTaken }) => !isTaken);
  assert.ok(refusals.length > 0);
  for (const { atMs } of refusals) {
    const during = backend.answers.filter((answer) => answer.atMs > atMs && answer.atMs < atMs + 990);
    // What was on its way when the refusal came.
    assert.ok(during.length < CONSUMERS, `${during.length} requests while all were to wait`);
  }
  assert.ok(refusals.length <= 3 * CONSUMERS, `${refusals.length} refusals`);
});

test('which answers say that less is allowed', () => {
  const http = (status: number, retryAfter?: string, retryDelayMs?: number) =>
    httpError(
      {
        ...{ url: 'http://there', status, retryAfter },
        details: retryDelayMs === undefined ? undefined : { code: 14, message: '', retryDelayMs },
      },
      0,
    ).isThrottled;
  assert.deepEqual(
    [http(429), http(429, '1'), http(503, '1'), http(503, undefined, 5)],
    [true, true, true, true],
  );
  // A proxy whose server is away says the same, and a rate is not what is wrong.
  assert.deepEqual(
    [http(503), http(503, 'soon'), http(502, '1'), http(500), http(400)],
    Array(5).fill(false),
  );
  const grpc = (code: number, retryDelayMs?: number) =>
    grpcError({ code, message: '', ...(retryDelayMs === undefined ? {} : { retryDelayMs }) }).isThrottled;
  assert.deepEqual([grpc(8, 100), grpc(14, 100)], [true, true]);
  assert.deepEqual([grpc(8), grpc(14), grpc(4, 100), grpc(3, 100)], Array(4).fill(false));
});
