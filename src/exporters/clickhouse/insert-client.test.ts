import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, request } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { PipelineError } from '../../component/errors.ts';
import { readDefaults } from '../../config/schema.ts';
import { tlsClientShape } from '../../config/tls-client.ts';
import {
  isChdbInstalled,
  numberOf,
  startStore,
} from '../../extensions/embedded_clickhouse/store.test-peer.ts';
import { TestAuthority } from '../../testkit/certificates.ts';
import { type BodyCompression, InsertClient } from './insert-client.ts';

async function listen(t: TestContext, handler: RequestListener): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function openClient(
  t: TestContext,
  url: string,
  compression: BodyCompression = 'none',
): Promise<InsertClient> {
  const client = await InsertClient.open({
    url,
    username: 'u',
    password: 'p',
    compression,
    settings: { max_execution_time: '60' },
    connectionsMax: 2,
    tls: readDefaults(tlsClientShape),
  });
  t.after(() => client.close());
  return client;
}

const inTime = () => AbortSignal.timeout(10_000);
const CHUNKS = [Buffer.from('first '), Buffer.from('second '), Buffer.alloc(300_000, 'x')];

test('an insert carries its statement, token and settings, and the chunks in order', async (t) => {
  for (const compression of ['none', 'gzip'] as const) {
    let seen: URL | undefined;
    let body = Buffer.alloc(0);
    const url = await listen(t, async (incoming, response) => {
      seen = new URL(incoming.url ?? '', 'http://sink');
      const raw = Buffer.concat(await incoming.toArray());
      body = incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      response.end();
    });
    const client = await openClient(t, url, compression);
    await client.insert('INSERT INTO t FORMAT Native', CHUNKS, 'batch-7:traces', inTime());
    const parameters = Object.fromEntries(seen?.searchParams ?? []);
    assert.equal(parameters.query, 'INSERT INTO t FORMAT Native');
    assert.equal(parameters.insert_deduplication_token, 'batch-7:traces');
    assert.equal(parameters.async_insert, '0');
    assert.equal(parameters.wait_end_of_query, '1');
    assert.equal(parameters.max_execution_time, '60');
    assert.deepEqual(body, Buffer.concat(CHUNKS));
  }
});

test('what the server answers decides between dropping and trying again', async (t) => {
  const answers: [status: number, code: number | undefined, text: string, permanent: boolean][] = [
    [500, 241, 'DB::Exception: Memory limit (total) exceeded (MEMORY_LIMIT_EXCEEDED)', false],
    [500, 252, 'DB::Exception: Too many parts (3000). (TOO_MANY_PARTS)', false],
    [500, 252, 'DB::Exception: Too many partitions for single INSERT block (TOO_MANY_PARTS)', true],
    [404, 60, "DB::Exception: Table otel.t doesn't exist. (UNKNOWN_TABLE)", false],
    [403, 516, 'DB::Exception: u: Authentication failed (AUTHENTICATION_FAILED)', false],
    [400, 33, 'DB::Exception: Cannot read all data (CANNOT_READ_ALL_DATA)', true],
    [503, undefined, 'upstream is gone', false],
    [429, undefined, '', false],
  ];
  let next = 0;
  const url = await listen(t, (incoming, response) => {
    incoming.resume();
    const [status, code, text] = answers[next]!;
    incoming.on('end', () => {
      if (code !== undefined) response.setHeader('X-ClickHouse-Exception-Code', String(code));
      response.writeHead(status).end(code === undefined ? text : `Code: ${code}. ${text} (version 26.7.1.1)`);
    });
  });
  const client = await openClient(t, url);
  for (; next < answers.length; next++) {
    const error: unknown = await client
      .insert('INSERT INTO t FORMAT Native', CHUNKS, 'x', inTime())
      .catch((cause: unknown) => cause);
    assert(error instanceof PipelineError, `answer ${next}`);
    assert.equal(error.permanent, answers[next]![3], `${error.message}`);
  }
});

test('an error that comes after the status line is an error, and a repeated block is none', async (t) => {
  let code = '241';
  const url = await listen(t, (incoming, response) => {
    incoming.resume();
    incoming.on('end', () => {
      response.setHeader('X-ClickHouse-Exception-Code', code);
      response.end(`Code: ${code}. DB::Exception: late (SOME_NAME) (version 26.7.1.1)`);
    });
  });
  const client = await openClient(t, url);
  const insert = () => client.insert('INSERT INTO t FORMAT Native', CHUNKS, 'x', inTime());
  await assert.rejects(insert(), { code: 'EXPORT_UNAVAILABLE', permanent: false });
  code = '389';
  await insert();
});

test('a signal that was aborted before the call ends it at once', async (t) => {
  const client = await openClient(t, await listen(t, () => {}));
  const aborted = AbortSignal.abort();
  for (const call of [
    () => client.insert('INSERT INTO t FORMAT Native', CHUNKS, 'x', aborted),
    () => client.command('SELECT 1', aborted),
    () => client.query('SELECT 1', aborted),
  ]) {
    await assert.rejects(call(), { code: 'EXPORT_TIMEOUT', permanent: false });
  }
});

test('over TLS the server is checked by the keys of `tls`, and its certificate may be exchanged', async (t) => {
  const authority = await TestAuthority.create();
  const { cert, key } = await authority.issue('localhost');
  const server = createSecureServer({ cert, key }, (incoming, response) => {
    incoming.resume();
    incoming.on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const insertWith = async (tls: object) => {
    const client = await InsertClient.open({
      ...{ url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, username: 'u', password: 'p' },
      ...{ compression: 'none', settings: {}, connectionsMax: 1 },
      tls: { ...readDefaults(tlsClientShape), ...tls },
    });
    t.after(() => client.close());
    await client.insert('INSERT INTO t FORMAT Native', CHUNKS, 'x', inTime());
  };
  await assert.rejects(insertWith({}), { code: 'EXPORT_UNAVAILABLE', permanent: false });
  await insertWith({ caPem: authority.cert, serverName: 'localhost' });
  await assert.rejects(insertWith({ caPem: authority.cert, serverName: 'elsewhere' }), { permanent: false });
  await insertWith({ insecureSkipVerify: true });
  await assert.rejects(insertWith({ caFile: '/nonexistent' }), /ca_file: cannot read/);
});

test('a reply that is lost leaves exactly one copy after the retry', {
  skip: isChdbInstalled() ? false : 'chdb is not installed',
}, async (t) => {
  const store = await startStore(t);
  await store.client.command({
    query:
      'CREATE TABLE otel.once (n UInt32) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100',
  });
  let lost = 0;
  // Hands everything on, waits until the server has stored it, and breaks the first connection instead of answering.
  const url = await listen(t, (incoming, response) => {
    const onward = request(`${store.url}${incoming.url}`, { method: incoming.method ?? 'POST' }, (answer) => {
      answer.resume();
      answer.on('end', () => {
        if (lost++ === 0) incoming.socket.destroy();
        else response.writeHead(answer.statusCode ?? 500).end();
      });
    });
    incoming.pipe(onward);
  });
  const client = await openClient(t, url);
  // One column `n` of UInt32 with the rows 7 and 8.
  const block = Buffer.from([1, 2, 1, 0x6e, 6, ...Buffer.from('UInt32'), 7, 0, 0, 0, 8, 0, 0, 0]);
  const insert = () => client.insert('INSERT INTO otel.once (`n`) FORMAT Native', [block], 'b:0', inTime());
  await assert.rejects(insert(), { code: 'EXPORT_UNAVAILABLE', permanent: false });
  assert.equal(await numberOf(store.client, 'SELECT count() FROM otel.once'), 2);
  await insert();
  assert.equal(await numberOf(store.client, 'SELECT count() FROM otel.once'), 2);
});
