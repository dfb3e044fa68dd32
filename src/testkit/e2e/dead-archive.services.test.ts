/**
 * B18 and B12 with Kafka and S3: one of three exporters on one log is dead, or its peer cannot be trusted.
 * Guarantee: the others are delivered to meanwhile, nothing is refused, and the dead one gets everything, once, when it is back.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer as createSecureServer } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TestAuthority } from '../certificates.ts';
import { engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { deliveredSpans } from '../file-sink.ts';
import { ledgerRequest } from '../ledger-client.ts';
import { readTopic, spansOf } from '../services/kafka-exporter-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';
import { S3FaultBed } from '../services/s3-fault-bed.ts';
import { archivedSpans } from '../services/s3-objects.ts';
import { S3Server } from '../services/s3-server.ts';
import { afterwards, CLEAN_EXIT, ledgerClient, startEngine, tempDirectory } from './storage.test-peer.ts';

const TOPIC = 'otlp_spans';
const BUCKET = 'archive';
const REQUESTS = 40;

async function startBed(t: TestContext) {
  const kafka = await KafkaServer.start();
  afterwards(t, () => kafka.stop());
  const s3 = await S3Server.start({ buckets: [BUCKET] });
  afterwards(t, () => s3.stop());
  await kafka.createTopic(TOPIC);
  const directory = tempDirectory(t);
  const sink = join(directory, 'delivered.bin');
  const ports = await freePorts();
  const retry_on_failure = { initial_interval: '200ms', max_interval: '1s' };
  const exporters = {
    kafka: { brokers: [kafka.bootstrap], timeout: '2s', retry_on_failure },
    awss3: {
      s3uploader: { endpoint: s3.endpoint, s3_force_path_style: true, s3_bucket: BUCKET },
      ...{ marshaler: 'otlp_proto', timeout: '2s', retry_on_failure },
      sending_queue: { batch: { min_size: 16, flush_timeout: '100ms' } },
    },
    file: { path: sink, format: 'proto' },
  };
  const engine = await startEngine(t, {
    config: engineConfig(ports, exporters, { signals: ['traces'] }),
    dataDir: join(directory, 'data'),
    env: s3.environment,
  });
  const stores = {
    kafka: async () => spansOf(await readTopic(kafka, TOPIC)),
    awss3: async () => archivedSpans(s3, BUCKET),
    file: async () => deliveredSpans(sink),
  };
  return { kafka, s3, engine, ports, stores };
}

test('B18: Kafka dead, then S3 dead: the other two get everything meanwhile, the dead one when it is back', {
  timeout: 240_000,
}, async (t) => {
  const { kafka, s3, engine, ports, stores } = await startBed(t);
  const client = ledgerClient(t, ports.http, 1);
  let sequence = 0;
  const send = async (): Promise<void> => {
    for (let i = 0; i < REQUESTS; i++) {
      assert.equal(await client.send(ledgerRequest(0, sequence)), 200);
      client.acked.add(`0/${sequence++}`);
    }
  };
  const has = async (name: keyof typeof stores): Promise<boolean> => {
    // A broker that has just come back has no leaders yet.
    const found = await stores[name]().catch(() => new Map<string, number>());
    return client.ackedSpans().every((key) => found.get(key) === 1);
  };
  const waiting = async (name: string): Promise<number> =>
    metricSum(await engine.metrics(ports.metrics), 'otelcol_exporter_queue_size', [`exporter="${name}"`]);
  await send();
  for (const name of ['kafka', 'awss3', 'file'] as const)
    await until(`the first in ${name}`, () => has(name));
  for (const [name, server, others] of [
    ['kafka', kafka, ['awss3', 'file']],
    ['awss3', s3, ['kafka', 'file']],
  ] as const) {
    await server.kill();
    await send();
    for (const other of others) await until(`${other} to have it while ${name} is dead`, () => has(other));
    assert.ok((await waiting(name)) > 0, `${name} is dead`);
    await server.startProcess();
    await until(`${name} to have it`, () => has(name));
  }
  await until('positions', async () => (await waiting('kafka')) + (await waiting('awss3')) === 0);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  for (const name of ['kafka', 'awss3', 'file'] as const) {
    const found = await stores[name]();
    assert.equal(found.size, client.ackedSpans().length, name);
    assert.ok(
      [...found.values()].every((count) => count === 1),
      `${name}: more than once`,
    );
  }
});

for (const [name, options, isOwn] of [
  ['of an unknown authority', {}, false],
  ['that has expired', { isExpired: true }, true],
] as const) {
  test(`B12: an S3 store with a certificate ${name} is not spoken to, and the data waits`, {
    timeout: 180_000,
  }, async (t) => {
    const authority = await TestAuthority.create();
    const bed = await S3FaultBed.create(t, { min_size: 16, flush_timeout: '100ms' });
    const file = join(tempDirectory(t), 'ca.pem');
    writeFileSync(file, authority.cert);
    const serve = (pair: { cert: string; key: string }) =>
      createSecureServer(pair, (incoming, outgoing) => bed.proxy.serve(incoming, outgoing));
    const server = serve(await authority.issue('store', options));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    afterwards(t, () => server.close().closeAllConnections());
    const endpoint = `https://127.0.0.1:${(server.address() as { port: number }).port}`;
    const engine = await bed.start(isOwn ? { NODE_EXTRA_CA_CERTS: file } : {}, { endpoint });
    const keys = await bed.send(10);
    await engine.said(/export failed, will be tried again.*(certificate|issuer)/);
    assert.deepEqual(bed.proxy.requests, []);
    assert.equal(await bed.metric('otelcol_exporter_send_failed_spans'), 0);
    assert.equal((await engine.kill('SIGTERM')).code, 0);
    server.setSecureContext(await authority.issue('store'));
    await bed.start({ NODE_EXTRA_CA_CERTS: file }, { endpoint });
    await bed.drained();
    bed.assertOnce(keys);
  });
}
