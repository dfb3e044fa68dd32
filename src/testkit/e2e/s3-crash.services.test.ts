/**
 * A1 and B14 in front of a real S3 server: kill -9 at random moments and at named points, under load.
 * Guarantee: what was answered with 200 is in exactly one object afterwards. A batch that is sent again, after a crash
 * or because its answer was lost, finds its own object.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Prng } from '../../stdx/prng.ts';
import { EngineProcess, engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { LedgerClient } from '../ledger-client.ts';
import { archivedSpans } from '../services/s3-objects.ts';
import { S3Server } from '../services/s3-server.ts';

const CYCLES = 12;
const POINTS = ['exporter.frozen', 'exporter.before_send', 'exporter.sent', 'exporter.before_finish'];
const BUCKET = 'archive';

for (const marshaler of ['otlp_proto', 'otlp_json'] as const) {
  test(`${CYCLES} crashes of the engine: each span once, as ${marshaler}`, {
    timeout: 540_000,
  }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-s3-crash-'));
    const store = await S3Server.start({ buckets: [BUCKET] });
    const ports = await freePorts();
    const exporter = {
      s3uploader: {
        ...{ endpoint: store.endpoint, s3_force_path_style: true, s3_bucket: BUCKET, s3_prefix: 'app' },
        compression: 'gzip',
      },
      marshaler,
      sending_queue: { batch: { min_size: 64 } },
      retry_on_failure: { initial_interval: '100ms', max_interval: '500ms' },
    };
    const start = {
      config: engineConfig(ports, { awss3: exporter }, { signals: ['traces'] }),
      dataDir: join(directory, 'data'),
      env: store.environment,
    };
    const client = new LedgerClient({ port: ports.http, producers: 4 });
    const prng = new Prng(20_261_121);
    let engine: EngineProcess | undefined;
    t.after(async () => {
      await engine?.kill();
      client.close();
      await store.stop();
      rmSync(directory, { recursive: true, force: true });
    });

    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const point = POINTS[(cycle >> 1) % POINTS.length]!;
      const failpoints = cycle % 2 === 0 ? '' : `${point}=kill@${1 + prng.nextInt(20)}`;
      engine = await EngineProcess.start({ ...start, failpoints });
      client.start();
      const untilMs = Date.now() + 300 + prng.nextInt(700);
      while (Date.now() < untilMs && !engine.hasExited)
        await new Promise((resolve) => setTimeout(resolve, 10));
      const { signal } = await engine.kill();
      assert.equal(signal, 'SIGKILL', `cycle ${cycle} (${failpoints}):\n${engine.log}`);
      await client.stop();
    }

    engine = await EngineProcess.start(start);
    const { metrics } = ports;
    await until('the log to drain', async () => {
      return metricSum(await engine!.metrics(metrics), 'otelcol_exporter_queue_size') === 0;
    });
    assert.deepEqual(await engine.kill('SIGTERM'), { code: 0, signal: null });

    const archived = archivedSpans(store, BUCKET);
    assert.ok(client.acked.size > 5 * CYCLES, `only ${client.acked.size} requests were acknowledged`);
    const missing = client.ackedSpans().filter((key) => !archived.has(key));
    assert.deepEqual(missing, [], 'acknowledged spans that are in no object');
    const twice = [...archived].filter(([, times]) => times > 1);
    assert.deepEqual(twice, [], 'spans that are in several objects');
    const keys = store.keysOf(BUCKET);
    const shape =
      /^app\/year=\d{4}\/month=\d\d\/day=\d\d\/hour=\d\d\/minute=\d\d\/traces_[\da-f]{16}-\d{12}-\d{12}\.(json|binpb)\.gz$/;
    for (const key of keys) assert.match(key, shape);
    t.diagnostic(`${client.acked.size} requests acknowledged, ${keys.length} objects`);
  });
}
