import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../stdx/clock.ts';
import { OK_OUTCOME, RecordingConsumer, testSettings } from './bed.test-peer.ts';
import { otlpConfigSchema } from './config.ts';
import { otlpReceiverFactory } from './factory.ts';
import { GrpcClient } from './grpc-bed.test-peer.ts';
import { eventually, post } from './http-client.test-peer.ts';
import type { OtlpReceiver } from './otlp-receiver.ts';

async function createReceiver(protocols: unknown, consumer = new RecordingConsumer()): Promise<OtlpReceiver> {
  const parsed = otlpConfigSchema.parse({ protocols });
  assert.deepEqual(parsed.issues, []);
  return (await otlpReceiverFactory.create(testSettings(), parsed.value!, consumer)) as OtlpReceiver;
}

const BOTH = { grpc: { endpoint: '127.0.0.1:0' }, http: { endpoint: '127.0.0.1:0' } };
const soon = (): number => systemClock.monotonicMs() + 2000;

test('serves both protocols with one configuration, and restarts on nothing left behind', async () => {
  const consumer = new RecordingConsumer();
  const receiver = await createReceiver(BOTH, consumer);
  await receiver.start();
  const client = new GrpcClient(receiver.grpcPort!);
  assert.equal((await client.export(Buffer.of(1))).code, 0);
  assert.equal((await post(receiver.httpPort!, { path: '/v1/logs' })).status, 200);
  assert.deepEqual(
    consumer.taken.map(({ signal, transport }) => [signal, transport]),
    [
      ['traces', 'grpc'],
      ['logs', 'http'],
    ],
  );
  client.close();
  await receiver.shutdown(soon());
  await receiver.shutdown(soon());
  await assert.rejects(post(receiver.httpPort!));
});

test('shutdown before start does nothing', async () => {
  const receiver = await createReceiver(BOTH);
  await receiver.shutdown(soon());
});

test('a port in use fails the start, names endpoint and id, and leaves the other protocol closed', async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
  const address = blocker.address();
  assert.ok(typeof address === 'object' && address !== null);
  const taken = `127.0.0.1:${address.port}`;
  for (const protocols of [
    { ...BOTH, http: { endpoint: taken } },
    { ...BOTH, grpc: { endpoint: taken } },
    { http: { endpoint: taken, read_timeout: '5s' } },
  ]) {
    const receiver = await createReceiver(protocols);
    await assert.rejects(receiver.start(), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'START_FAILED');
      assert.match(error.message, new RegExp(`^receiver otlp: cannot listen on ${taken}: `));
      return true;
    });
    if (receiver.grpcPort !== undefined) {
      const client = new GrpcClient(receiver.grpcPort);
      assert.equal((await client.export(Buffer.of(1))).code, 14, 'nobody listens any more');
      client.close();
    }
    await receiver.shutdown(soon());
  }
  blocker.close();
});

test('shutdown answers what is in flight and refuses what comes later', async () => {
  const consumer = new RecordingConsumer();
  consumer.outcome = undefined;
  const receiver = await createReceiver(BOTH, consumer);
  await receiver.start();
  const client = new GrpcClient(receiver.grpcPort!);
  const grpcCall = client.export(Buffer.of(1));
  const httpCall = post(receiver.httpPort!);
  await eventually('both arrived', () => consumer.taken.length === 2);
  let isDown = false;
  const down = receiver.shutdown(soon()).then(() => {
    isDown = true;
  });
  await assert.rejects(post(receiver.httpPort!), 'no new connection');
  assert.equal(isDown, false);
  for (const { done } of consumer.taken) done(OK_OUTCOME);
  assert.equal((await httpCall).status, 200);
  assert.equal((await grpcCall).code, 0);
  await down;
  client.close();
});

test('shutdown returns at its deadline when the engine does not answer', async () => {
  const consumer = new RecordingConsumer();
  consumer.outcome = undefined;
  const receiver = await createReceiver(BOTH, consumer);
  await receiver.start();
  const call = post(receiver.httpPort!);
  call.catch(() => {});
  await eventually('it arrived', () => consumer.taken.length === 1);
  const startMs = systemClock.monotonicMs();
  await receiver.shutdown(startMs + 100);
  const tookMs = systemClock.monotonicMs() - startMs;
  assert.ok(tookMs >= 90 && tookMs < 10_000, `${tookMs} ms`);
  await assert.rejects(call);
  consumer.taken[0]?.done(OK_OUTCOME);
});

test('the factory says how large a body can be', () => {
  const bodyBytes = (protocols: unknown): number =>
    otlpReceiverFactory.bodyBytesMax(otlpConfigSchema.parse({ protocols }).value!);
  assert.equal(bodyBytes({ grpc: null }), 4 * 1024 * 1024);
  assert.equal(bodyBytes({ grpc: null, http: null }), 20 * 1024 * 1024);
});
