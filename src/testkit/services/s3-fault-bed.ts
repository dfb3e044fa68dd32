/** An engine that archives to a real S3 server behind a proxy that breaks things, and a ledger of what it promised. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { afterwards } from '../e2e/storage.test-peer.ts';
import {
  type EnginePorts,
  EngineProcess,
  engineConfig,
  freePorts,
  metricSum,
  until,
} from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { S3FaultProxy } from './s3-faults.ts';
import { archivedSpans } from './s3-objects.ts';
import { S3Server } from './s3-server.ts';

export const BUCKET = 'archive';

export class S3FaultBed {
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

  static async create(t: TestContext, batch: Record<string, unknown>): Promise<S3FaultBed> {
    const store = await S3Server.start({ buckets: [BUCKET] });
    const world = new S3FaultBed(store, await S3FaultProxy.start(store), await freePorts(), batch);
    afterwards(t, async () => {
      await world.engine?.kill();
      world.proxy.stop();
      await store.stop();
      rmSync(world.#directory, { recursive: true, force: true });
    });
    return world;
  }

  /** @param uploader keys of `s3uploader` instead of the usual ones. */
  async start(
    env: Record<string, string> = {},
    uploader: Record<string, unknown> = {},
  ): Promise<EngineProcess> {
    const exporter = {
      s3uploader: {
        ...{ endpoint: this.proxy.endpoint, s3_force_path_style: true, s3_bucket: BUCKET },
        retry_max_backoff: '50ms',
        ...uploader,
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
    await until('the log to drain', async () => (await this.metric('otelcol_exporter_queue_size')) === 0);
  }

  async metric(name: string): Promise<number> {
    return metricSum(await this.engine!.metrics(this.ports.metrics), name);
  }

  /** Each of these spans is in exactly one object, and nothing else is. */
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
