/** ClickHouse stored a batch and its reply is lost (B14, A18): the batch is sent again under its token and stored once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { createClient } from '@clickhouse/client';
import { afterwards } from '../e2e/storage.test-peer.ts';
import { EngineProcess, engineConfig, freePort, freePorts, until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { missingStore } from '../services/stored-engine.ts';

const REQUESTS = 60;
const LOST_REPLIES = 6;

interface Proxy {
  port: number;
  /** Inserts whose reply went through, and whose reply was lost after ClickHouse had answered. */
  passed: number;
  lost: number;
}

/** Hands everything on; of the inserts of spans every second reply is lost, up to a number. */
async function startProxy(t: TestContext, storePort: number): Promise<Proxy> {
  const proxy: Proxy = { port: await freePort(), passed: 0, lost: 0 };
  const server = createServer((incoming, outgoing: ServerResponse) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const upstream = request({ host: '127.0.0.1', port: storePort, method, path: url, headers }, (answer) => {
      const isInsert = /INSERT(?:%20|\+)INTO/i.test(url) && url.includes('otel_traces');
      if (isInsert && answer.statusCode === 200 && proxy.lost < LOST_REPLIES && proxy.lost <= proxy.passed) {
        answer.resume();
        answer.on('end', () => {
          proxy.lost += 1;
          outgoing.socket?.destroy();
        });
        return;
      }
      if (isInsert) proxy.passed += 1;
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    upstream.on('error', () => outgoing.socket?.destroy());
    incoming.pipe(upstream);
  });
  server.listen(proxy.port, '127.0.0.1');
  afterwards(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return proxy;
}

test('B14: replies of ClickHouse that are lost leave each span in the table once', {
  skip: missingStore(),
  timeout: 90_000,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-b14-'));
  afterwards(t, () => rmSync(directory, { recursive: true, force: true }));
  const storePort = await freePort();
  const proxy = await startProxy(t, storePort);
  const ports = await freePorts();
  const engine = await EngineProcess.start(
    {
      config: engineConfig(
        ports,
        {
          clickhouse: {
            endpoint: `http://127.0.0.1:${proxy.port}`,
            database: 'otel',
            ttl: '0s',
            rollup_ttl: '0s',
            timeout: '5s',
            retry_on_failure: { initial_interval: '50ms', max_interval: '200ms' },
            sending_queue: { batch: { flush_timeout: '50ms' } },
          },
        },
        {
          signals: ['traces'],
          extensions: { embedded_clickhouse: { endpoint: `127.0.0.1:${storePort}`, max_memory: '1GiB' } },
        },
      ),
      dataDir: join(directory, 'data'),
    },
    60_000,
  );
  afterwards(t, () => engine.kill('SIGTERM'));
  const client = new LedgerClient({ port: ports.http, producers: 1 });
  afterwards(t, () => client.close());
  for (let sequence = 0; sequence < REQUESTS; sequence += 1) {
    assert.equal(await client.send(ledgerRequest(0, sequence)), 200);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const store = createClient({ url: `http://127.0.0.1:${storePort}`, database: 'otel' });
  afterwards(t, () => store.close());
  const count = async (what: string): Promise<number> => {
    const result = await store.query({
      query: `SELECT ${what} FROM otel_traces`,
      format: 'JSONCompactEachRow',
    });
    return Number((await result.json<[string]>())[0]![0]);
  };
  const wanted = REQUESTS * SPANS_PER_REQUEST;
  await until('every span is stored', async () => (await count('uniqExact(TraceId)')) === wanted);
  await until('the replies are lost', () => proxy.lost === LOST_REPLIES);
  // What was sent again is finished when the last of the exporter's batches is.
  await until('the queue is empty', async () => {
    const text = await engine.metrics(ports.metrics);
    return /^otelcol_exporter_queue_size\{.*\} 0$/m.test(text);
  });
  assert.equal(await count('count()'), wanted, `${proxy.lost} replies were lost, ${proxy.passed} arrived`);
  await engine.said(/export failed, will be tried again/);
});
