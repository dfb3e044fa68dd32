/** Crashes of the store process: noticed, replaced, and nothing lost or doubled for a client that retries. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ClickHouseClient } from '@clickhouse/client';
import { PipelineError } from '../../component/errors.ts';
import { systemClock } from '../../stdx/clock.ts';
import {
  createExtension,
  eventually,
  isChdbInstalled,
  numberOf,
  type RunningStore,
  startStore,
  temporaryDirectory,
} from './store.test-peer.ts';

const ROWS = 20_000;

/** A table with a rollup behind it, both with a deduplication window, and one Native block for it. */
async function prepareRollup(client: ClickHouseClient): Promise<Buffer> {
  const window = 'SETTINGS non_replicated_deduplication_window = 1000';
  for (const query of [
    `CREATE TABLE spans (day Date, id UInt64, ms UInt32) ENGINE = MergeTree PARTITION BY day ORDER BY id ${window}`,
    `CREATE TABLE rollup (day Date, calls SimpleAggregateFunction(sum, UInt64)) ENGINE = AggregatingMergeTree ORDER BY day ${window}`,
    'CREATE MATERIALIZED VIEW feed TO rollup AS SELECT day, count() AS calls FROM spans GROUP BY day',
  ]) {
    await client.command({ query });
  }
  const query = `SELECT toDate('2026-01-01') + number % 3 AS day, number AS id, toUInt32(number % 997) AS ms FROM numbers(${ROWS}) FORMAT Native`;
  const { stream } = await client.exec({ query });
  return Buffer.concat(await stream.toArray());
}

async function insert(client: ClickHouseClient, bytes: Buffer, token: string): Promise<void> {
  const { stream } = await client.exec({
    query: 'INSERT INTO spans (day, id, ms) FORMAT Native',
    values: Readable.from([bytes]),
    clickhouse_settings: { insert_deduplication_token: token, async_insert: 0 },
  });
  await stream.toArray();
}

async function counts(client: ClickHouseClient): Promise<[number, number]> {
  return [
    await numberOf(client, 'SELECT count() FROM spans'),
    await numberOf(client, 'SELECT sum(calls) FROM rollup'),
  ];
}

/** Retries as the exporter does: any failure, same bytes, same token. */
async function insertUntilDone(client: ClickHouseClient, bytes: Buffer, token: string): Promise<number> {
  let failures = 0;
  for (;;) {
    try {
      await insert(client, bytes, token);
      return failures;
    } catch {
      failures += 1;
      assert.ok(failures < 500);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function untilReplaced(store: RunningStore, pid: number): Promise<void> {
  await eventually('another process answers', 20_000, async () => {
    if (store.extension.pid === pid) return false;
    return (await store.client.ping()).success;
  });
}

async function dedupTests(t: TestContext): Promise<void> {
  const store = await startStore(t, { config: { heartbeat_timeout: '2s' } });
  const { client, extension } = store;
  const bytes = await prepareRollup(client);

  await t.test('a token is honoured by the table and by the view behind it', async () => {
    await insert(client, bytes, 'batch-1');
    await insert(client, bytes, 'batch-1');
    assert.deepEqual(await counts(client), [ROWS, ROWS]);
    await insert(client, bytes, 'batch-2');
    assert.deepEqual(await counts(client), [2 * ROWS, 2 * ROWS]);
  });

  await t.test('kill -9 between and during inserts: every batch is there once', async () => {
    let batches = 2;
    let failures = 0;
    for (let kill = 0; kill < 3; kill += 1) {
      const pid = extension.pid!;
      // Somewhere inside the third batch or so; the retries do not care where.
      const timer = setTimeout(() => process.kill(pid, 'SIGKILL'), 10 + kill * 13);
      for (let batch = 0; batch < 6; batch += 1) {
        batches += 1;
        failures += await insertUntilDone(client, bytes, `batch-${batches}`);
      }
      clearTimeout(timer);
      await untilReplaced(store, pid).catch(() => assert.fail(`kill ${kill}`));
    }
    assert.ok(failures > 0, 'no insert met a dead process');
    assert.deepEqual(await counts(client), [batches * ROWS, batches * ROWS]);
    assert.ok(store.logLines.some((line) => line.message.includes('starting it again')));
  });

  for (const signal of ['SIGSEGV', 'SIGABRT'] as const) {
    await t.test(`${signal} leaves a sleeping process, which is noticed and replaced`, async () => {
      const before = await counts(client);
      const { port } = new URL(extension.url);
      const pid = extension.pid!;
      process.kill(pid, signal);
      await untilReplaced(store, pid);
      assert.equal(new URL(extension.url).port, port);
      assert.deepEqual(await counts(client), before);
      // Signal 0 fails when there is no such process.
      assert.throws(() => process.kill(pid, 0));
    });
  }

  if (process.platform === 'linux') {
    await t.test('a crash in one of many threads is noticed too', async () => {
      const pid = extension.pid!;
      const ids = await readdir(`/proc/${pid}/task`);
      const names = await Promise.all(ids.map((id) => readFile(`/proc/${pid}/task/${id}/comm`, 'utf8')));
      const thread = ids[names.findIndex((name) => name.startsWith('MergeMutate'))];
      // A signal to the id of a thread goes to that thread first; the others keep running.
      process.kill(Number(thread), 'SIGSEGV');
      assert.equal((await client.ping()).success, true);
      await untilReplaced(store, pid);
      const reason = store.logLines
        .map((line) => JSON.stringify(line.fields))
        .find((text) => /MergeMutate/.test(text));
      assert.ok(reason !== undefined);
    });
  }

  await t.test('shutdown ends the process', async () => {
    const pid = extension.pid!;
    await extension.shutdown(systemClock.monotonicMs() + 5000);
    await extension.shutdown(systemClock.monotonicMs() + 5000);
    assert.throws(() => process.kill(pid, 0));
  });
}

async function startFailure(path: string, config: Record<string, unknown>): Promise<PipelineError> {
  const extension = createExtension(path, config, []);
  try {
    await extension.start();
  } catch (error) {
    assert.ok(error instanceof PipelineError);
    assert.equal(error.code, 'START_FAILED');
    await extension.shutdown(systemClock.monotonicMs() + 1000);
    return error;
  }
  assert.fail('it has started');
}

async function shutdownTests(t: TestContext): Promise<void> {
  const store = await startStore(t);

  await t.test('a second engine on the same directory is told so', async () => {
    const error = await startFailure(store.path, {});
    assert.match(error.message, new RegExp(`${store.path} is open in process ${store.extension.pid}`));
  });

  await t.test('a port in use is told so', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const error = await startFailure(join(await temporaryDirectory(t), 'c'), {
      endpoint: `127.0.0.1:${port}`,
    });
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port} is in use`));
    server.close();
  });

  await t.test('shutdown lets a running statement end, and the data is there at the next start', async () => {
    await store.client.command({ query: 'CREATE TABLE w (n UInt64) ENGINE = MergeTree ORDER BY n' });
    const query =
      'INSERT INTO w SELECT number + sleepEachRow(0.05) FROM numbers(20) SETTINGS max_block_size = 1, max_threads = 1';
    const running = store.client.command({ query });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await store.extension.shutdown(systemClock.monotonicMs() + 10_000);
    await running;
    const next = await startStore(t, { path: store.path });
    assert.equal(await numberOf(next.client, 'SELECT count() FROM w'), 20);
    // Past its deadline the process is killed, whatever runs.
    const endless = next.client.command({
      query: 'SELECT sleepEachRow(0.1) FROM numbers(100) SETTINGS max_block_size = 1',
    });
    endless.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 300));
    const startedMs = systemClock.monotonicMs();
    await next.extension.shutdown(startedMs + 1000);
    assert.ok(systemClock.monotonicMs() - startedMs < 6000);
  });
}

function startOwner(path: string): ChildProcess {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const file = fileURLToPath(new URL(`./store-owner.test-peer${extension}`, import.meta.url));
  return spawn(process.execPath, [file, path], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function isGone(pid: number): Promise<boolean> {
  try {
    // A zombie is gone for all that matters: nobody may be there to collect it.
    return /^State:\s*Z/m.test(await readFile(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return true;
  }
}

async function orphanTests(t: TestContext): Promise<void> {
  const path = join(await temporaryDirectory(t), 'clickhouse');
  const owner = startOwner(path);
  const [line] = await once(createInterface({ input: owner.stdout! }), 'line');
  const storePid = Number(line);
  assert.equal(await isGone(storePid), false);
  owner.kill('SIGKILL');
  // A successor does not wait until somebody has looked: it starts at once.
  const store = await startStore(t, { path });
  assert.equal((await store.client.ping()).success, true);
  assert.equal(await isGone(storePid), true);
}

async function crashedOrphanTests(t: TestContext): Promise<void> {
  const path = join(await temporaryDirectory(t), 'clickhouse');
  const owner = startOwner(path);
  const [line] = await once(createInterface({ input: owner.stdout! }), 'line');
  process.kill(Number(line), 'SIGSEGV');
  owner.kill('SIGKILL');
  const store = await startStore(t, { path });
  assert.equal((await store.client.ping()).success, true);
  assert.equal(await isGone(Number(line)), true);
}

if (isChdbInstalled()) {
  test('a store that dies comes back', dedupTests);
  test('start and shutdown', shutdownTests);
  test('the store ends with an engine that was killed', orphanTests);
  test('a store that crashed and lost its engine does not hold its directory', crashedOrphanTests);
} else {
  test('without chDB the start fails and says what to do', async (t) => {
    const error = await startFailure(join(await temporaryDirectory(t), 'c'), {});
    assert.match(error.message, /npm install chdb.*clickhouse exporter/s);
  });
}
