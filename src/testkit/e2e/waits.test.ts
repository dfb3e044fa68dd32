/** `wait_for_result`, `enabled: false` and `block_on_overflow` of `sending_queue`, with a backend that waits to be told. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { engineConfig, freePorts, until } from '../engine-process.ts';
import { ledgerRequest } from '../ledger-client.ts';
import { afterwards, CLEAN_EXIT, ledgerClient, startEngine, tempDirectory } from './storage.test-peer.ts';

/** Requests of the engine, each until it is answered. */
async function startBackend(t: TestContext) {
  const waiting: ServerResponse[] = [];
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => waiting.push(response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterwards(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const answer = async (status: number) => {
    await until('a request at the backend', () => waiting.length > 0);
    waiting.shift()!.writeHead(status).end();
  };
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, waiting, answer };
}

async function start(t: TestContext, queue: object, more: { retry?: object; exporters?: object } = {}) {
  const backend = await startBackend(t);
  const ports = await freePorts();
  const otlphttp = {
    endpoint: backend.endpoint,
    retry_on_failure: more.retry ?? {},
    sending_queue: queue,
  };
  const engine = await startEngine(t, {
    config: engineConfig(ports, { otlphttp, ...more.exporters }, { signals: ['traces'] }),
    dataDir: join(tempDirectory(t), 'data'),
    flags: ['--workers', '1'],
  });
  const client = ledgerClient(t, ports.http, 4);
  let sequence = 0;
  /** The answer once it is there. */
  const send = () => {
    const sent: { status?: number; settled: Promise<number> } = {
      settled: client.send(ledgerRequest(0, sequence++)),
    };
    void sent.settled.then((status) => {
      sent.status = status;
    });
    return sent;
  };
  return { backend, engine, send };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('wait_for_result: the answer tells what became of the data', { timeout: 180_000 }, async (t) => {
  const { backend, engine, send } = await start(
    t,
    { wait_for_result: true, batch: { min_size: 1, flush_timeout: '10ms' } },
    { retry: { enabled: false }, exporters: { nop: {} } },
  );
  const delivered = send();
  await until('the request at the backend', () => backend.waiting.length === 1);
  await pause(200);
  assert.equal(delivered.status, undefined, 'no answer before delivery');
  await backend.answer(200);
  assert.equal(await delivered.settled, 200);
  const refused = send();
  // One batch of four items, then its halves: what the backend refuses for good is dead-lettered.
  const answering = (async () => {
    while (refused.status === undefined) {
      if (backend.waiting.length > 0) await backend.answer(400);
      await pause(5);
    }
  })();
  assert.equal(await refused.settled, 200);
  await answering;
  await engine.said(/items are dead-lettered/);
  const givenUp = send();
  await backend.answer(503);
  assert.equal(await givenUp.settled, 503, 'dropped, so the sender has to come again');
  const again = send();
  await backend.answer(200);
  assert.equal(await again.settled, 200);
  const unanswered = send();
  await until('the request at the backend', () => backend.waiting.length === 1);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assert.equal(await unanswered.settled, 503, 'a stop does not wait for a backend');
});

test('enabled: false sends at once and answers behind it, unless a batch processor is in front', {
  timeout: 180_000,
}, async (t) => {
  const { backend, engine, send } = await start(t, { enabled: false });
  const sent = send();
  await until('the request at the backend', () => backend.waiting.length === 1);
  await pause(100);
  assert.equal(sent.status, undefined);
  await backend.answer(200);
  assert.equal(await sent.settled, 200);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
});

test('block_on_overflow: requests wait for room, but not for ever', { timeout: 180_000 }, async (t) => {
  const { backend, engine, send } = await start(t, {
    ...{ block_on_overflow: true, queue_size: 2, num_consumers: 1 },
    batch: { min_size: 1, max_size: 4, flush_timeout: '10ms' },
  });
  assert.deepEqual([await send().settled, await send().settled], [200, 200]);
  const waiting = [send(), send(), send()];
  await pause(300);
  assert.deepEqual(
    waiting.map(({ status }) => status),
    [undefined, undefined, undefined],
  );
  // Each delivery makes room for one.
  for (const [index] of waiting.entries()) {
    await backend.answer(200);
    await until('an answer', () => waiting.filter(({ status }) => status === 200).length > index);
  }
  const startedMs = performance.now();
  assert.equal(await send().settled, 503, 'the backend does not go on');
  assert.ok(performance.now() - startedMs > 4_000);
  const last = send();
  await pause(50);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assert.equal(await last.settled, 503);
});
