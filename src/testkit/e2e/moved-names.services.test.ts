/**
 * B13: names of a Kafka broker and of an S3 store that nobody knows yet, that are not answered for, and that another machine
 * gets while the old one falls silent. Guarantee: what was acknowledged arrives, at the latest half a minute later.
 */
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { type TestContext, test } from 'node:test';
import {
  type EnginePorts,
  EngineProcess,
  engineConfig,
  freePorts,
  metricSum,
  until,
} from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { readTopic, spansOf } from '../services/kafka-exporter-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';
import { MovingHost } from '../services/moving-host.ts';
import { archivedSpans } from '../services/s3-objects.ts';
import { S3Server } from '../services/s3-server.ts';
import { afterwards, tempDirectory } from './storage.test-peer.ts';

const RERESOLVED_MS = 30_000;
/** Until an attempt at a machine that is gone ends. */
const COMMON = {
  timeout: '3s',
  retry_on_failure: { initial_interval: '200ms', max_interval: '1s' },
  sending_queue: { batch: { min_size: 1 } },
};

type LookedUp = (error: NodeJS.ErrnoException | null, address: string | dns.LookupAddress[]) => void;

interface Backend {
  exporter: Record<string, unknown>;
  env?: Record<string, string>;
  /** How often each span is there. */
  found(): Promise<Map<string, number>>;
}

async function moves(
  t: TestContext,
  host: MovingHost,
  { exporter, env = {}, found }: Backend,
): Promise<void> {
  const ports: EnginePorts = await freePorts();
  const engine = await EngineProcess.start({
    config: engineConfig(ports, exporter, { signals: ['traces'] }),
    dataDir: tempDirectory(t),
    env: { ...env, ...host.env },
  });
  afterwards(t, () => engine.kill());
  let sequence = 0;
  const send = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const answer = await fetch(`http://127.0.0.1:${ports.http}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: Buffer.from(ledgerRequest(0, sequence++)),
      });
      assert.equal(answer.status, 200);
    }
  };
  const metric = async (name: string) => metricSum(await engine.metrics(ports.metrics), name);
  const emptied = () =>
    until('delivery', async () => (await metric('otelcol_exporter_queue_size')) === 0, RERESOLVED_MS);
  await send(10);
  await engine.said(/ENOTFOUND/);
  host.move('silent');
  await engine.said(/EAI_AGAIN/);
  host.move('first');
  await emptied();
  await send(10);
  await emptied();
  assert.ok(host.connections[0]! > 0);
  assert.equal(host.connections[1], 0);
  host.killFirst();
  host.move('second');
  await send(10);
  await emptied();
  assert.ok(host.connections[1]! > 0);
  const counts = await found();
  assert.deepEqual([counts.size, Math.max(...counts.values())], [30 * SPANS_PER_REQUEST, 1]);
  assert.equal(await metric('otelcol_exporter_send_failed_spans'), 0);
}

test('B13: the name of a Kafka broker is asked for again, whatever became of it', {
  timeout: 240_000,
}, async (t) => {
  const host = await MovingHost.start(tempDirectory(t));
  if (host === undefined) return t.diagnostic('no C compiler here');
  afterwards(t, () => host.stop());
  const address = `${host.name}:${host.port}`;
  const broker = await KafkaServer.start({
    properties: { 'advertised.listeners': `PLAINTEXT://${address}` },
  });
  afterwards(t, () => broker.stop());
  host.forwardTo(broker.port);
  await broker.createTopic('otlp_spans');
  await moves(t, host, {
    exporter: { kafka: { ...COMMON, brokers: [address] } },
    found: async () => {
      // The broker sends every client to that name, also the one that reads what is there.
      const { lookup } = dns;
      t.mock.method(dns, 'lookup', (name: string, options: dns.LookupOptions, found: LookedUp) =>
        lookup(name === host.name ? '127.0.0.2' : name, options, found),
      );
      return spansOf(await readTopic(broker, 'otlp_spans'));
    },
  });
});

test('B13: the name of an S3 store is asked for again, whatever became of it', {
  timeout: 240_000,
}, async (t) => {
  const host = await MovingHost.start(tempDirectory(t));
  if (host === undefined) return t.diagnostic('no C compiler here');
  afterwards(t, () => host.stop());
  const store = await S3Server.start({ buckets: ['archive'] });
  afterwards(t, () => store.stop());
  host.forwardTo(store.port);
  const s3uploader = {
    ...{ endpoint: `http://${host.name}:${host.port}`, s3_force_path_style: true, s3_bucket: 'archive' },
    retry_max_backoff: '100ms',
  };
  await moves(t, host, {
    exporter: { awss3: { ...COMMON, s3uploader, marshaler: 'otlp_proto' } },
    env: store.environment,
    found: async () => archivedSpans(store, 'archive'),
  });
});
