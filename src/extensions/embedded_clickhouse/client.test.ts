/** The official client against the embedded ClickHouse: what it does with a server must work here alike. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { type ClickHouseClient, ClickHouseError, createClient } from '@clickhouse/client';
import { isChdbInstalled, numberOf, type RunningStore, rowsOf, startStore } from './store.test-peer.ts';

async function nativeBytes(client: ClickHouseClient, query: string): Promise<Buffer> {
  const { stream } = await client.exec({ query: `${query} FORMAT Native` });
  return Buffer.concat(await stream.toArray());
}

/** One process for all subtests: each starts with a table of its own. */
async function clientTests(t: Parameters<typeof startStore>[0], store: RunningStore): Promise<void> {
  const { client, url } = store;

  await t.test('ping answers, with and without a query', async () => {
    assert.deepEqual(await client.ping(), { success: true });
    assert.deepEqual(await client.ping({ select: true }), { success: true });
  });

  await t.test('command, insert and query work, and say how many rows were written', async () => {
    await client.command({
      query: 'CREATE TABLE a (id UInt64, name String DEFAULT toString(id)) ENGINE=MergeTree ORDER BY id',
    });
    const values = [{ id: 1, name: 'one' }, { id: '18446744073709551615' }];
    const inserted = await client.insert({ table: 'a', values, format: 'JSONEachRow' });
    assert.equal(inserted.executed, true);
    assert.equal(inserted.summary?.written_rows, '2');
    const rows = await rowsOf(client, 'SELECT toString(id) AS id, name FROM a ORDER BY a.id');
    assert.deepEqual(rows, [
      { id: '1', name: 'one' },
      { id: '18446744073709551615', name: '18446744073709551615' },
    ]);
  });

  await t.test('rows stream in from objects and out in pieces', async () => {
    await client.command({ query: 'CREATE TABLE b (n UInt32, s String) ENGINE=MergeTree ORDER BY n' });
    const rows = Array.from({ length: 5000 }, (_, n) => ({ n, s: `row ${n}\n\nwith an empty line` }));
    await client.insert({
      table: 'b',
      values: Readable.from(rows),
      format: 'JSONEachRow',
      columns: ['n', 's'],
    });
    const result = await client.query({ query: 'SELECT * FROM b ORDER BY n', format: 'JSONEachRow' });
    const seen: unknown[] = [];
    for await (const part of result.stream<{ n: number; s: string }>()) {
      for (const row of part) seen.push(row.json());
    }
    assert.deepEqual(seen, rows);
  });

  await t.test('a result of many blocks arrives whole, in formats with and without a header', async () => {
    const query = 'SELECT number AS n, toString(number) AS s FROM numbers(300000)';
    for (const [format, lines] of [
      ['TabSeparated', 300_000],
      ['CSVWithNames', 300_001],
      ['JSONCompactEachRowWithNamesAndTypes', 300_002],
    ] as const) {
      const text = await (await client.query({ query, format })).text();
      assert.equal(text.split('\n').length, lines + 1, format);
    }
    const whole = await (await client.query({ query: `${query} LIMIT 3`, format: 'JSON' })).json<{
      n: string;
    }>();
    assert.equal(whole.rows, 3);
    assert.deepEqual(
      whole.data.map((row) => row.n),
      [0, 1, 2],
    );
  });

  await t.test('Native rows go through exec with a stream, NUL bytes and empty lines inside', async () => {
    const table = '(k UInt32, id FixedString(4), body String)';
    await client.command({ query: `CREATE TABLE c ${table} ENGINE=MergeTree ORDER BY k` });
    const source = `SELECT toUInt32(number) AS k, toFixedString(unhex('000a0a00'), 4) AS id, 'x\\n\\n\\0y' AS body FROM numbers(1000)`;
    const bytes = await nativeBytes(client, source);
    assert.ok(bytes.includes('\n\n'));
    const { stream } = await client.exec({
      query: 'INSERT INTO c (body, k, id) FORMAT Native',
      values: Readable.from([bytes.subarray(0, 100), bytes.subarray(100)]),
    });
    stream.resume();
    assert.equal(
      await numberOf(client, "SELECT countIf(hex(id) = '000A0A00' AND length(body) = 5) FROM c"),
      1000,
    );
    // What comes out is byte for byte what a server would send.
    assert.deepEqual(await nativeBytes(client, 'SELECT k, id, body FROM c ORDER BY k'), bytes);
    const id = await client.query({ query: 'SELECT id, body FROM c LIMIT 1', format: 'JSONEachRow' });
    assert.deepEqual(await id.json(), [{ id: '\0\n\n\0', body: 'x\n\n\0y' }]);
  });

  await t.test('other binary formats insert the same way', async () => {
    await client.command({ query: 'CREATE TABLE d (k UInt32, body String) ENGINE=MergeTree ORDER BY k' });
    const formats = ['RowBinary', 'RowBinaryWithNamesAndTypes', 'Parquet', 'Arrow', 'ArrowStream'];
    for (const format of formats) {
      const query = `SELECT toUInt32(number) AS k, 'a\\n\\nb' AS body FROM numbers(50) FORMAT ${format}`;
      const { stream: source } = await client.exec({ query });
      const rows = Buffer.concat(await source.toArray());
      const { stream } = await client.exec({
        query: `INSERT INTO d FORMAT ${format}`,
        values: Readable.from([rows]),
      });
      stream.resume();
    }
    assert.equal(
      await numberOf(client, "SELECT count() FROM d WHERE body = 'a\\n\\nb'"),
      50 * formats.length,
    );
  });

  await t.test('parameters are values, whatever is in them', async () => {
    const query =
      'SELECT {s:String} AS s, {n:Int64} AS n, {list:Array(String)} AS list, {none:Nullable(String)} AS none, {t:Identifier} FROM (SELECT 1 AS one)';
    const s = `it's "\\ ; DROP TABLE a --\n\t\0`;
    const result = await client.query({
      query,
      query_params: { s, n: -5, list: ["a'b", 'c'], none: null, t: 'one' },
      format: 'JSONEachRow',
    });
    assert.deepEqual(await result.json(), [{ s, n: -5, list: ["a'b", 'c'], none: null, one: 1 }]);
    // A value of an earlier request must not stand in for a missing one.
    await assert.rejects(
      rowsOf(client, 'SELECT {s:String} AS s'),
      (error: ClickHouseError) => error.code === '456',
    );
  });

  await t.test('settings and database hold for one request', async () => {
    const query = "SELECT getSetting('max_block_size') AS size, currentDatabase() AS db";
    const set = await client.query({
      query,
      format: 'JSONEachRow',
      clickhouse_settings: { max_block_size: '1234' },
    });
    assert.deepEqual(await set.json(), [{ size: 1234, db: 'otel' }]);
    const other = createClient({ url });
    await assert.doesNotReject(other.command({ query: 'USE system' }));
    for (let request = 0; request < 8; request += 1) {
      const [row] = await rowsOf<{ size: number; db: string }>(other, query);
      assert.deepEqual({ ...row }, { size: 65409, db: 'default' });
    }
    await other.close();
  });

  await t.test('errors have the code, the name and the text of ClickHouse', async () => {
    const cases: [string, string, string, RegExp][] = [
      ['SELECT * FROM nowhere', '60', 'UNKNOWN_TABLE', /nowhere/],
      ['SELEC 1', '62', 'SYNTAX_ERROR', /failed at position 7 /],
      ['SELECT 1; SELECT 2', '62', 'SYNTAX_ERROR', /Multi-statements/],
      ['SELECT nothing', '47', 'UNKNOWN_IDENTIFIER', /nothing/],
      ["SELECT 1 INTO OUTFILE '/tmp/x'", '358', 'INTO_OUTFILE_NOT_ALLOWED', /OUTFILE/],
    ];
    for (const [query, code, type, message] of cases) {
      await assert.rejects(client.command({ query }), (error: unknown) => {
        assert.ok(error instanceof ClickHouseError);
        assert.deepEqual([error.code, error.type], [code, type]);
        assert.match(error.message, message);
        return true;
      });
    }
    const bad = client.insert({ table: 'a', values: [{ id: 'x' }], format: 'JSONEachRow' });
    await assert.rejects(
      bad,
      (error: ClickHouseError) => error.code === '27' && !error.message.includes('request-bodies'),
    );
    const nowhere = client.insert({ table: 'nowhere', values: [{ id: 1 }], format: 'JSONEachRow' });
    await assert.rejects(nowhere, (error: ClickHouseError) => error.type === 'UNKNOWN_TABLE');
    const setting = client.command({ query: 'SELECT 1', clickhouse_settings: { no_such: '1' } as never });
    await assert.rejects(setting, (error: ClickHouseError) => error.type === 'UNKNOWN_SETTING');
  });

  await t.test('a query that fails in the middle of its result leaves nothing for the next one', async () => {
    const failing = 'SELECT throwIf(number = 200000) FROM numbers(300000)';
    for (const format of ['JSON', 'TabSeparated'] as const) {
      const text = async () => (await client.query({ query: failing, format })).text();
      await assert.rejects(text(), (error: ClickHouseError) => error.code === '395');
      for (let query = 0; query < 5; query += 1) {
        assert.equal(await (await client.query({ query: 'SELECT 7', format: 'CSV' })).text(), '7\n');
      }
    }
  });

  await t.test('an error after the first megabyte reaches the reader of a stream', async () => {
    const query =
      "SELECT repeat('x', 1000), throwIf(number = 9000) FROM numbers(10000) SETTINGS max_block_size = 1000";
    const result = await client.query({ query, format: 'JSONEachRow' });
    await assert.rejects(
      async () => {
        for await (const part of result.stream()) assert.ok(part.length > 0);
      },
      (error: ClickHouseError) => error.code === '395',
    );
  });

  await t.test('a query is killed by the id that its client gave', async () => {
    const query =
      'SELECT sum(sleepEachRow(0.01)) FROM numbers(100000) SETTINGS max_block_size = 10, max_threads = 1';
    const slow = assert.rejects(
      client.command({ query, query_id: 'slow-1' }),
      (error: ClickHouseError) => error.type === 'QUERY_WAS_CANCELLED',
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    await client.command({ query: "KILL QUERY WHERE query_id = 'slow-1' SYNC" });
    await slow;
  });

  await t.test('compressed requests and answers', async () => {
    await client.command({ query: 'CREATE TABLE z (n UInt32) ENGINE=MergeTree ORDER BY n' });
    const zipped = createClient({ url, database: 'otel', compression: { request: true, response: true } });
    const values = Array.from({ length: 3000 }, (_, n) => ({ n }));
    await zipped.insert({ table: 'z', values, format: 'JSONEachRow' });
    const result = await zipped.query({ query: 'SELECT n FROM z ORDER BY n', format: 'JSONEachRow' });
    assert.equal(result.response_headers['content-encoding'], 'gzip');
    assert.deepEqual(await result.json(), values);
    await zipped.close();
  });

  await t.test('statements that return tables of their own', async () => {
    const exists = await client.query({ query: 'EXISTS TABLE a', format: 'JSONEachRow' });
    assert.deepEqual(await exists.json(), [{ result: 1 }]);
    const columns = await rowsOf<{ name: string }>(client, 'DESCRIBE TABLE a');
    assert.deepEqual(
      columns.map((row) => row.name),
      ['id', 'name'],
    );
    assert.ok((await rowsOf(client, 'SHOW TABLES')).length >= 4);
    await client.command({ query: "INSERT INTO a (id, name) VALUES (3, 'a;b\n\nc'), (4, 'd')" });
    await client.command({ query: 'INSERT INTO a SELECT number + 100, toString(number) FROM numbers(10)' });
    assert.deepEqual(await rowsOf(client, 'SELECT name FROM a WHERE id = 3'), [{ name: 'a;b\n\nc' }]);
    assert.equal(await numberOf(client, 'SELECT count() FROM a WHERE id BETWEEN 100 AND 200'), 10);
  });
}

if (isChdbInstalled()) {
  test('the official client works as with a server', async (t) => {
    await clientTests(t, await startStore(t));
  });
}
