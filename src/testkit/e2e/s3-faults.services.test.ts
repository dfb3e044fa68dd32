/**
 * B1, B5, B14 and what an S3 store may refuse, with a real server behind a proxy that breaks things.
 * Guarantee: every acknowledged span is in exactly one object as soon as the store takes it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Prng } from '../../stdx/prng.ts';
import {
  type EnginePorts,
  EngineProcess,
  engineConfig,
  freePorts,
  metricSum,
  until,
} from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { S3FaultProxy } from '../services/s3-faults.ts';
import { archivedSpans } from '../services/s3-objects.ts';
import { S3Server } from '../services/s3-server.ts';

const BUCKET = 'archive';

class World {
  readonly store: S3Server;
  readonly proxy: S3FaultProxy;
  readonly ports: EnginePorts;
  readonly #directory: string;
  readonly #batch: Record<string, unknown>;
  engine: EngineProcess | undefined;
  #sequence = 0;

  private constructor(
    store: S3Server,
    proxy: S3FaultProxy,
    ports: EnginePorts,
    batch: Record<string, unknown>,
  ) {
    this.store = store;
    this.proxy = proxy;
    this.ports = ports;
    this.#batch = batch;
    this.#directory = mkdtempSync(join(tmpdir(), 'millrace-s3-faults-'));
  }

  static async create(t: TestContext, batch: Record<string, unknown>): Promise<World> {
    const store = await S3Server.start({ buckets: [BUCKET] });
    const world = new World(store, await S3FaultProxy.start(store), await freePorts(), batch);
    t.after(async () => {
      await world.engine?.kill();
      world.proxy.stop();
      await store.stop();
      rmSync(world.#directory, { recursive: true, force: true });
    });
    return world;
  }

  async start(env: Record<string, string> = {}): Promise<EngineProcess> {
    const exporter = {
      s3uploader: {
        ...{ endpoint: this.proxy.endpoint, s3_force_path_style: true, s3_bucket: BUCKET },
        retry_max_backoff: '50ms',
      },
      marshaler: 'otlp_proto',
      timeout: '3s',
      sending_queue: { batch: this.#batch },
      retry_on_failure: { initial_interval: '50ms', max_interval: '200ms' },
    };
    this.engine = await EngineProcess.start({
      config: engineConfig(this.ports, { awss3: exporter }, { signals: ['traces'] }),
      dataDir: join(this.#directory, 'data'),
      env: { ...this.store.environment, ...env },
    });
    return this.engine;
  }

  /** @returns keys of the spans, all of them acknowledged. */
  async send(count: number, paddingBytes = 100): Promise<string[]> {
    const keys: string[] = [];
    for (let i = 0; i < count; i++) {
      const sequence = this.#sequence++;
      const answer = await fetch(`http://127.0.0.1:${this.ports.http}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: Buffer.from(ledgerRequest(1, sequence, paddingBytes)),
      });
      assert.equal(answer.status, 200, await answer.text());
      for (let span = 0; span < SPANS_PER_REQUEST; span++) keys.push(`1/${sequence}/${span}`);
    }
    return keys;
  }

  async drained(): Promise<void> {
    await until(
      'the log to drain',
      async () => {
        const text = await this.engine!.metrics(this.ports.metrics);
        return metricSum(text, 'otelcol_exporter_queue_size') === 0;
      },
      60_000,
    );
  }

  assertOnce(keys: readonly string[]): void {
    const archived = archivedSpans(this.store, BUCKET);
    assert.deepEqual(
      keys.filter((key) => archived.get(key) !== 1),
      [],
      'acknowledged spans that are not in exactly one object',
    );
    assert.equal(archived.size, keys.length);
  }
}

test('5xx, SlowDown, broken connections and lost answers: each span once', {
  timeout: 120_000,
}, async (t) => {
  const world = await World.create(t, { min_size: 16, flush_timeout: '100ms' });
  const prng = new Prng(20_261_122);
  const faults = [
    { status: 503, code: 'SlowDown' },
    { status: 500, code: 'InternalError' },
    { status: 503, code: 'ServiceUnavailable' },
    { status: 409, code: 'ConditionalRequestConflict' },
    'reset',
    'lost',
    'lost',
  ] as const;
  const seen = new Set<unknown>();
  world.proxy.script = () => {
    const fault = prng.nextFloat() < 0.6 ? faults[prng.nextInt(faults.length)] : undefined;
    seen.add(fault);
    return fault;
  };
  await world.start();
  const keys = await world.send(200);
  await until('every fault to come', () => seen.size === new Set(faults).size + 1, 60_000);
  world.proxy.script = () => undefined;
  await world.drained();
  world.assertOnce(keys);
});

test('wrong credentials keep the data and say what is wrong', { timeout: 90_000 }, async (t) => {
  const world = await World.create(t, { min_size: 16, flush_timeout: '100ms' });
  const engine = await world.start({ AWS_SECRET_ACCESS_KEY: 'not-the-secret' });
  const keys = await world.send(20);
  await until('the refusal', () => engine.log.includes('the credentials are not accepted'));
  assert.match(engine.log, /SignatureDoesNotMatch/);
  assert.ok(!engine.log.includes('not-the-secret'));
  const text = await engine.metrics(world.ports.metrics);
  assert.ok(metricSum(text, 'otelcol_exporter_queue_size') > 0);
  assert.equal(metricSum(text, 'otelcol_exporter_send_failed_spans'), 0, 'nothing is given up');
  assert.deepEqual(world.store.keysOf(BUCKET), []);
  await engine.kill('SIGTERM');
  await world.start();
  await world.drained();
  world.assertOnce(keys);
});

test('a clock that the store refuses keeps the data, and so does a bucket that is gone', {
  timeout: 90_000,
}, async (t) => {
  const world = await World.create(t, { min_size: 16, flush_timeout: '100ms' });
  world.proxy.script = () => ({ status: 403, code: 'RequestTimeTooSkewed' });
  const engine = await world.start();
  const keys = await world.send(20);
  await until('the refusal', () => engine.log.includes('the clock of this machine'));
  world.proxy.script = () => ({ status: 404, code: 'NoSuchBucket' });
  await until('the other refusal', () => engine.log.includes('the bucket is not there'));
  world.proxy.script = () => undefined;
  await world.drained();
  world.assertOnce(keys);
});

test('credentials that may only write are enough', { timeout: 90_000 }, async (t) => {
  const world = await World.create(t, { sizer: 'bytes', min_size: 12 << 20, flush_timeout: '60s' });
  world.proxy.script = (method) =>
    method === 'HEAD' || method === 'GET' ? { status: 403, code: 'AccessDenied' } : undefined;
  await world.start();
  const keys = await world.send(16, 200_000);
  await world.drained();
  world.assertOnce(keys);
});

test('an upload in parts that fails is given up, and the next attempt is whole', {
  timeout: 90_000,
}, async (t) => {
  const world = await World.create(t, { sizer: 'bytes', min_size: 12 << 20, flush_timeout: '60s' });
  let failures = 0;
  world.proxy.script = (method, url) => {
    const isSecondPart = method === 'PUT' && url.includes('partNumber=2');
    if (!isSecondPart || failures >= 4) return undefined;
    failures += 1;
    return { status: 500, code: 'InternalError' };
  };
  await world.start();
  // One object: sixteen requests of 800 kB.
  const keys = await world.send(16, 200_000);
  await world.drained();
  const wasAborted = world.proxy.requests.some(
    (line) => line.startsWith('DELETE') && line.includes('uploadId='),
  );
  assert.ok(wasAborted, 'the first upload is given up');
  assert.deepEqual(await world.store.openUploads(BUCKET), []);
  world.assertOnce(keys);
});
