import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import test, { type TestContext } from 'node:test';
import type { PipelineError } from '../../component/errors.ts';
import type { ExportBatch } from '../../component/exporter.ts';
import type { Signal } from '../../component/signal.ts';
import { countItems } from '../../otlp/slice.ts';
import { freePort, until } from '../../testkit/engine-process.ts';
import { BatchParts } from '../helper/batch-parts.ts';
import { recordingSettings, testBatch } from '../helper/otlp-exporters.test-peer.ts';
import { loadBalancingConfigSchema } from './config.ts';
import { LoadBalancingExporter } from './loadbalancing-exporter.ts';
import type { LookUp } from './resolver.ts';

const OK = 0;
const INVALID_ARGUMENT = 3;
const UNAVAILABLE = 14;

interface Backend {
  port: number;
  /** Status of the answers from now on. */
  status: number;
  /** Items of each call that was answered with success. */
  taken: number[];
  calls: number;
  close(): void;
}

async function startBackend(t: TestContext, signal: Signal = 'traces', port = 0): Promise<Backend> {
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  const close = () => {
    for (const session of sessions) session.destroy();
    server.close();
  };
  const backend: Backend = { port, status: OK, taken: [], calls: 0, close };
  server.on('session', (session: http2.ServerHttp2Session) => {
    sessions.add(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (stream: http2.ServerHttp2Stream) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      backend.calls += 1;
      if (backend.status === OK)
        backend.taken.push(countItems(signal, new Uint8Array(Buffer.concat(chunks).subarray(5))));
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(backend.status) }));
      stream.end(Buffer.alloc(5));
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  backend.port = (server.address() as { port: number }).port;
  t.after(close);
  return backend;
}

async function startExporter(
  t: TestContext,
  raw: object,
  signal: Signal = 'traces',
  lookUp?: LookUp,
): Promise<LoadBalancingExporter> {
  const protocol = { otlp: { tls: { insecure: true }, compression: 'none' } };
  const { value, issues } = loadBalancingConfigSchema.parse({ protocol, ...raw });
  assert.deepEqual(issues, []);
  const { settings } = recordingSettings('loadbalancing');
  const exporter = new LoadBalancingExporter(settings, value!, signal, lookUp);
  await exporter.start();
  t.after(() => exporter.shutdown());
  return exporter;
}

function staticOf(...backends: Backend[]): object {
  return { resolver: { static: { hostnames: backends.map(({ port }) => `127.0.0.1:${port}`) } } };
}

async function failureOf(exporter: LoadBalancingExporter, batch: ExportBatch): Promise<PipelineError> {
  const error = await exporter.export(batch, AbortSignal.timeout(5000)).catch((reason: unknown) => reason);
  assert.ok(error instanceof Error, 'the batch was taken');
  return error as PipelineError;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test('each item goes to one backend, and together they have all of them', async (t) => {
  const backends = [await startBackend(t), await startBackend(t), await startBackend(t)];
  const exporter = await startExporter(t, staticOf(...backends));
  const batch = testBatch('traces', 4, 200);
  assert.deepEqual(await exporter.export(batch, AbortSignal.timeout(5000)), { rejectedCount: 0 });
  assert.equal(sum(backends.flatMap(({ taken }) => taken)), 800);
  for (const { calls } of backends) assert.ok(calls <= 1);
  assert.ok(backends.filter(({ calls }) => calls === 1).length >= 2);
});

test('a share that one backend does not take is sent again, and nothing of what the others took', async (t) => {
  const backends = [await startBackend(t), await startBackend(t)] as const;
  const exporter = await startExporter(t, staticOf(...backends));
  const batch = testBatch('traces', 4, 200);
  backends[1].status = UNAVAILABLE;
  const error = await failureOf(exporter, batch);
  assert.equal(error.permanent, false);
  const [first] = backends[0].taken;
  assert.ok(first !== undefined && first < 800);
  await failureOf(exporter, batch);
  backends[1].status = OK;
  await exporter.export(batch, AbortSignal.timeout(5000));
  assert.deepEqual(backends[0].taken, [first]);
  assert.deepEqual(backends[1].taken, [800 - first]);
});

test('items that one backend refuses for good are found without sending those of the others again', async (t) => {
  const backends = [await startBackend(t), await startBackend(t)] as const;
  const exporter = await startExporter(t, staticOf(...backends));
  const batch = testBatch('traces', 4, 50);
  backends[1].status = INVALID_ARGUMENT;
  const error = await failureOf(exporter, batch);
  assert.deepEqual([error.permanent, error.isIndivisible], [true, false]);
  const [taken] = backends[0].taken;
  // As the engine searches: halves, down to single items.
  const parts = new BatchParts(batch);
  let refused = 0;
  const search = async (from: number, to: number): Promise<void> => {
    const outcome = await exporter
      .export(parts.part(from, to), AbortSignal.timeout(5000))
      .catch((reason: unknown) => reason as PipelineError);
    if (!(outcome instanceof Error)) return;
    if (to - from === 1) {
      refused += 1;
      return;
    }
    const middle = Math.floor((from + to) / 2);
    await search(from, middle);
    await search(middle, to);
  };
  await search(0, 200);
  assert.equal(refused, 200 - taken!);
  assert.deepEqual(backends[0].taken, [taken]);
});

test('the share of a backend that leaves the name goes to the others, by the ring without it', async (t) => {
  const backends = [await startBackend(t), await startBackend(t)] as const;
  const port = backends[0].port;
  backends[1].close();
  // Two addresses, one port: the second one's backend is not there at all.
  let addresses = ['127.0.0.1', '127.0.0.2'];
  const lookUp: LookUp = async () => {
    if (addresses.length === 0) throw new Error('no such name');
    return addresses.map((address) => ({ address, family: 4 }));
  };
  const resolver = { dns: { hostname: 'tail', port: String(port), interval: '20ms' } };
  const exporter = await startExporter(t, { resolver }, 'traces', lookUp);
  const batch = testBatch('traces', 4, 200);
  assert.equal((await failureOf(exporter, batch)).permanent, false);
  const [first] = backends[0].taken;
  assert.ok(first !== undefined && first < 800);
  addresses = ['127.0.0.1'];
  await until('the ring without the backend', async () => {
    return exporter.export(batch, AbortSignal.timeout(5000)).then(
      () => true,
      () => false,
    );
  });
  assert.equal(sum(backends[0].taken), 800);
  // A name that cannot be resolved any more leaves the backends of before.
  addresses = [];
  await new Promise((resolve) => setTimeout(resolve, 100));
  await exporter.export({ ...batch, batchId: 'log.1-60-119' }, AbortSignal.timeout(5000));
  assert.equal(sum(backends[0].taken), 1600);
});

test('without a backend data waits', async (t) => {
  const lookUp: LookUp = async () => {
    throw new Error('no such name');
  };
  const exporter = await startExporter(t, { resolver: { dns: { hostname: 'tail' } } }, 'logs', lookUp);
  const error = await failureOf(exporter, testBatch('logs'));
  assert.deepEqual([error.code, error.permanent], ['EXPORT_UNAVAILABLE', false]);
  const port = await freePort();
  const closed = { resolver: { static: { hostnames: [`127.0.0.1:${port}`] } } };
  const other = await startExporter(t, closed, 'logs');
  assert.equal((await failureOf(other, testBatch('logs'))).permanent, false);
});

test('routing keys that a signal does not have stop the start', () => {
  const { settings } = recordingSettings('loadbalancing/a');
  const resolver = { static: { hostnames: ['a'] } };
  const { value } = loadBalancingConfigSchema.parse({ resolver, routing_key: 'metric' });
  assert.throws(
    () => new LoadBalancingExporter(settings, value!, 'traces'),
    /unsupported routing_key: "metric"/,
  );
  new LoadBalancingExporter(settings, value!, 'metrics');
});
