/** The HTTP interface as programs without a client library use it. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { eventually, isChdbInstalled, type RunningStore, startStore } from './store.test-peer.ts';

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

interface Sending {
  method?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  path?: string;
}

function send(url: string, sending: Sending): Promise<Answer> {
  const { method = 'POST', query = {}, headers = {}, body = '', path = '/' } = sending;
  const target = `${url}${path}?${new URLSearchParams(query)}`;
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(target, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(method === 'GET' ? undefined : body);
  });
}

async function statementTests(t: Parameters<typeof startStore>[0], store: RunningStore): Promise<void> {
  const { url } = store;
  const bodies = join(store.path, 'request-bodies');
  const text = async (sending: Sending) => {
    const answer = await send(url, sending);
    assert.equal(answer.status, 200, answer.body.toString());
    return answer.body.toString();
  };

  await t.test('ping, root and unknown paths', async () => {
    assert.equal(await text({ method: 'GET', path: '/ping' }), 'Ok.\n');
    assert.equal(await text({ method: 'GET' }), 'Ok.\n');
    assert.equal((await send(url, { method: 'GET', path: '/nothing' })).status, 404);
    assert.equal((await send(url, { method: 'PUT' })).status, 405);
  });

  await t.test('the query is the parameter, a line break and the body', async () => {
    assert.equal(await text({ method: 'GET', query: { query: 'SELECT 1, 2' } }), '1\t2\n');
    assert.equal(await text({ body: 'SELECT 1, 2 FORMAT CSV' }), '1,2\n');
    const json = await text({ body: 'SELECT number FROM numbers(200000) format json' });
    assert.equal(JSON.parse(json).rows, 200_000);
    assert.equal(await text({ query: { query: 'SELECT 1 -- one' }, body: ', 2' }), '1\t2\n');
    assert.equal(await text({ query: { default_format: 'JSONCompactEachRow' }, body: 'SELECT 1' }), '[1]\n');
  });

  await t.test('rows of an INSERT come behind the statement, wherever it is', async () => {
    await text({ body: 'CREATE TABLE otel.r (a UInt32, b String) ENGINE = MergeTree ORDER BY a' });
    const database = 'otel';
    await text({ query: { database, query: 'INSERT INTO r FORMAT CSV' }, body: '1,"x\n\ny"\n' });
    await text({ query: { database }, body: 'INSERT INTO r FORMAT CSV\n2,"x\n\ny"\n' });
    await text({
      query: { database },
      body: "INSERT INTO r VALUES (3, 'x\n\ny'), (1 + 3, concat('x\n', '\ny'))",
    });
    await text({ query: { database, query: 'INSERT INTO r FORMAT CSV 5,"x\n\ny"' } });
    await text({
      query: { database, query: 'INSERT INTO r' },
      body: 'FORMAT JSONEachRow\n\n{"a":6,"b":"x\\n\\ny"}\n\n\n{"a":7,"b":"x\\n\\ny"}',
    });
    const query = "SELECT groupArray(a), uniqExact(b), any(b) = 'x\\n\\ny' FROM (SELECT * FROM r ORDER BY a)";
    assert.equal(await text({ query: { database }, body: query }), '[1,2,3,4,5,6,7]\t1\t1\n');
  });

  await t.test('bodies of every coding are understood', async () => {
    const database = 'otel';
    await text({ query: { database }, body: 'CREATE TABLE k (a UInt32) ENGINE = MergeTree ORDER BY a' });
    const coders: [string, (bytes: string) => Uint8Array][] = [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
      ['br', brotliCompressSync],
    ];
    for (const [coding, encode] of coders) {
      const headers = { 'content-encoding': coding };
      await text({ query: { database, query: 'INSERT INTO k FORMAT CSV' }, headers, body: encode('1\n2\n') });
      await text({ query: { database }, headers, body: encode('INSERT INTO k FORMAT CSV\n3\n4\n') });
      assert.equal(await text({ headers, body: encode('SELECT 5') }), '5\n');
      const damaged = encode('SELECT 5').subarray(0, 8);
      assert.equal(
        (await send(url, { headers, body: damaged })).headers['x-clickhouse-exception-code'],
        '271',
      );
    }
    // One frame of 6 raw bytes, as any zstd encoder may write it; the engine reads it on every version of Node.
    const zstd = Buffer.from('28b52ffd2006310000390a31300a', 'hex');
    await text({
      query: { database, query: 'INSERT INTO k FORMAT CSV' },
      headers: { 'content-encoding': 'zstd' },
      body: zstd,
    });
    assert.equal(await text({ body: 'SELECT sum(a), count() FROM otel.k' }), '49\t14\n');
    assert.equal((await send(url, { headers: { 'content-encoding': 'rot13' }, body: 'x' })).status, 501);
  });

  await t.test('answers name id, format, counters, and errors', async () => {
    const query = { query_id: 'my-id', query: 'SELECT number FROM numbers(5) FORMAT JSONEachRow' };
    const good = await send(url, {
      method: 'GET',
      query,
      headers: { 'x-clickhouse-user': 'default', 'x-clickhouse-key': 'any' },
    });
    assert.equal(good.headers['x-clickhouse-query-id'], 'my-id');
    assert.equal(good.headers['x-clickhouse-format'], 'JSONEachRow');
    assert.match(good.headers['content-type']!, /^application\/x-ndjson/);
    assert.equal(
      Object.values(JSON.parse(String(good.headers['x-clickhouse-summary']))).every(
        (value) => typeof value === 'string',
      ),
      true,
    );
    const bad = await send(url, { body: 'SELECT * FROM nowhere', query: { user: 'u', password: 'p' } });
    assert.equal(bad.status, 404);
    assert.equal(bad.headers['x-clickhouse-exception-code'], '60');
    assert.match(bad.body.toString(), /^Code: 60\. DB::Exception: .*\(UNKNOWN_TABLE\) \(version /);
  });

  await t.test('GET changes nothing', async () => {
    const answer = await send(url, { method: 'GET', query: { query: 'CREATE DATABASE d' } });
    assert.equal(answer.headers['x-clickhouse-exception-code'], '164');
    const insert = await send(url, { method: 'GET', query: { query: 'INSERT INTO otel.k VALUES (9)' } });
    assert.equal(insert.headers['x-clickhouse-exception-code'], '164');
    assert.equal(await text({ method: 'GET', query: { query: 'SELECT 1', max_threads: '1' } }), '1\n');
    assert.equal(await text({ body: "SELECT count() FROM system.databases WHERE name = 'd'" }), '0\n');
  });

  await t.test('answers are compressed for who asks', async () => {
    const headers = { 'accept-encoding': 'gzip' };
    const body = 'SELECT number FROM numbers(200000)';
    const zipped = await send(url, { headers, body });
    assert.equal(zipped.headers['content-encoding'], 'gzip');
    assert.equal(gunzipSync(zipped.body).toString().split('\n').length, 200_001);
    const plain = await send(url, { headers, body, query: { enable_http_compression: '0' } });
    assert.equal(plain.headers['content-encoding'], undefined);
  });

  await t.test('what it cannot do is refused, not ignored', async () => {
    for (const query of [{ session_id: 's' }, { compress: '1' }, { decompress: '1' }, { role: 'r' }]) {
      assert.equal((await send(url, { query, body: 'SELECT 1' })).status, 501, JSON.stringify(query));
    }
    const large = { query: { max_query_size: '400000' }, body: `SELECT length('${'x'.repeat(300_000)}')` };
    assert.equal((await send(url, large)).body.toString(), '300000\n');
    const tooLong = await send(url, { body: `SELECT '${'x'.repeat(300_000)}'` });
    assert.deepEqual([tooLong.status, tooLong.headers['x-clickhouse-exception-code']], [400, '62']);
    const address = await send(url, { method: 'GET', query: { query: `SELECT '${'x'.repeat(1_100_000)}'` } });
    assert.ok(address.status === 414 || address.status === 431);
    assert.equal(
      (await send(url, { query: { query: `SELECT length('${'x'.repeat(200_000)}')` } })).body.toString(),
      '200000\n',
    );
  });

  await t.test('web pages on other origins get no answer', async () => {
    assert.equal(
      (await send(url, { headers: { origin: 'http://evil.example' }, body: 'SELECT 1' })).status,
      403,
    );
    assert.equal((await send(url, { headers: { host: 'evil.example' }, body: 'SELECT 1' })).status, 403);
    const image = { 'sec-fetch-site': 'cross-site' };
    assert.equal(
      (await send(url, { method: 'GET', headers: image, query: { query: 'SELECT 1' } })).status,
      403,
    );
    assert.equal((await send(url, { headers: { origin: url }, body: 'SELECT 1' })).status, 200);
  });

  await t.test('a body that breaks off leaves no row', async () => {
    const before = await text({ body: 'SELECT count() FROM otel.k' });
    const target = `${url}/?query=${encodeURIComponent('INSERT INTO otel.k FORMAT CSV')}`;
    const outgoing = httpRequest(target, {
      method: 'POST',
      headers: { 'content-length': 1000 },
      agent: false,
    });
    outgoing.on('error', () => {});
    outgoing.write('1\n2\n');
    await eventually('the body has begun', 20_000, async () => (await readdir(bodies)).length === 1);
    outgoing.destroy();
    await eventually('the body is gone', 20_000, async () => (await readdir(bodies)).length === 0);
    assert.equal(await text({ body: 'SELECT count() FROM otel.k' }), before);
  });

  await t.test('no body stays on disk', async () => {
    assert.deepEqual(await readdir(bodies), []);
  });
}

async function concurrencyTests(t: Parameters<typeof startStore>[0]): Promise<void> {
  const { url } = await startStore(t, { config: { query_sessions: 2, max_waiting: 3 } });
  const slow = (seconds: number) =>
    send(url, {
      body: `SELECT sum(sleepEachRow(0.05)) FROM numbers(${seconds * 20}) SETTINGS max_block_size = 1`,
    });
  const timeOf = async (work: Promise<unknown>) => {
    const startedMs = performance.now();
    await work;
    return performance.now() - startedMs;
  };

  await t.test('a light query and an insert do not wait behind a heavy query', async () => {
    await send(url, { body: 'CREATE TABLE otel.l (a UInt8) ENGINE = MergeTree ORDER BY a' });
    const heavy = timeOf(slow(2));
    const light = timeOf(send(url, { body: 'SELECT 1' }));
    const insert = timeOf(send(url, { query: { query: 'INSERT INTO otel.l FORMAT CSV' }, body: '1\n' }));
    assert.ok((await light) < 1000 && (await insert) < 1000);
    assert.ok((await heavy) >= 1900);
  });

  await t.test('past the waiting room requests get 503 and code 202', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => slow(0.5)));
    const refused = answers.filter((answer) => answer.status === 503);
    assert.equal(refused.length, 8 - 2 - 3);
    assert.ok(refused.every((answer) => answer.headers['x-clickhouse-exception-code'] === '202'));
    assert.equal(answers.filter((answer) => answer.status === 200).length, 5);
  });
}

if (isChdbInstalled()) {
  test('statements over plain HTTP', async (t) => statementTests(t, await startStore(t)));
  test('requests beside each other', concurrencyTests);
}
