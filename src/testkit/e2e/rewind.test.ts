/**
 * A backend lost what it had: the exporter is moved back over what the log still holds. Guarantee: everything since
 * then arrives again, also where the backend remembers ids of batches, and a crash in the middle changes nothing.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isChdbInstalled } from '../../extensions/embedded_clickhouse/store.test-peer.ts';
import { runCursors } from '../../service/cursors.ts';
import { systemClock } from '../../stdx/clock.ts';
import {
  type EnginePorts,
  type EngineProcess,
  engineConfig,
  freePort,
  freePorts,
  metricSum,
  until,
} from '../engine-process.ts';
import { CLEAN_EXIT, drained, startEngine, tempDirectory } from './storage.test-peer.ts';

const SPANS = 20;
const EXPORTER = 'clickhouse/own';

interface Bed {
  engine: EngineProcess;
  config: string;
  dataDir: string;
  ports: EnginePorts;
  store: string;
  requests: number;
}

async function startBed(t: TestContext, flags = ['--retain', '1h,64MiB']): Promise<Bed> {
  const dataDir = join(tempDirectory(t), 'data');
  const ports = await freePorts();
  const port = await freePort();
  const config = engineConfig(
    ports,
    {
      [EXPORTER]: {
        endpoint: `http://127.0.0.1:${port}`,
        sending_queue: { batch: { flush_timeout: '200ms' } },
      },
    },
    { signals: ['traces'], extensions: { embedded_clickhouse: { endpoint: `127.0.0.1:${port}` } } },
  );
  const engine = await startEngine(t, { config, dataDir, flags });
  return { engine, config, dataDir, ports, store: `http://127.0.0.1:${port}`, requests: 0 };
}

async function restart(t: TestContext, bed: Bed, failpoints?: string): Promise<void> {
  const more = failpoints === undefined ? {} : { failpoints };
  const { config, dataDir } = bed;
  bed.engine = await startEngine(t, { config, dataDir, flags: ['--retain', '1h'], ...more });
}

/** Rows are seen before the exporter knows of them: a position told meanwhile is an older one. */
function settled(bed: Bed): Promise<void> {
  return drained(bed.engine, bed.ports.metrics);
}

async function query(bed: Bed, sql: string): Promise<string> {
  const response = await fetch(bed.store, { method: 'POST', body: sql });
  const text = await response.text();
  assert.ok(response.ok, text);
  return text.trim();
}

/** One request, whose trace id tells its number. */
async function send(bed: Bed): Promise<void> {
  bed.requests += 1;
  const traceId = bed.requests.toString(16).padStart(32, '0');
  const spans = Array.from({ length: SPANS }, (_, span) => ({
    traceId,
    spanId: (span + 1).toString(16).padStart(16, '0'),
    name: 'pay',
    // Old rows go by themselves.
    startTimeUnixNano: `${Date.now()}000000`,
    endTimeUnixNano: `${Date.now()}100000`,
  }));
  const response = await fetch(`http://127.0.0.1:${bed.ports.http}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }),
  });
  assert.equal(response.status, 200);
}

async function untilRows(bed: Bed, rows: number): Promise<void> {
  let seen = '';
  await until(
    `${rows} rows`,
    async () => {
      seen = await query(bed, 'SELECT count() FROM default.otel_traces');
      return Number(seen) >= rows;
    },
    30_000,
  );
  assert.equal(Number(seen), rows);
}

/** The command, in this process. */
async function cursors(...argv: string[]): Promise<string> {
  let text = '';
  const write = (more: string) => {
    text += more;
  };
  await runCursors({ argv, clock: systemClock, writeOut: write, writeError: write });
  return text;
}

function rewind(bed: Bed, to: string, ...more: string[]): Promise<string> {
  return cursors('rewind', '--exporter', EXPORTER, '--to', to, '--data-dir', bed.dataDir, ...more);
}

const needsChdb = { timeout: 120_000, skip: !isChdbInstalled() };

test(
  'a running engine sends again: one batch with the boundaries of before, then what arrived since a time',
  needsChdb,
  async (t) => {
    const bed = await startBed(t);
    await send(bed);
    await untilRows(bed, SPANS);
    await settled(bed);
    // The table remembers the tokens of its last blocks. The same batch under the same id would vanish in it.
    assert.match(
      await rewind(bed, 'begin'),
      /traces~0: clickhouse\/own goes back to 0, 20 items are sent again/,
    );
    await untilRows(bed, 2 * SPANS);
    await sleep(1_100);
    const middle = new Date().toISOString();
    await sleep(100);
    for (let i = 0; i < 5; i++) await send(bed);
    await untilRows(bed, 7 * SPANS);
    await settled(bed);
    await query(bed, 'TRUNCATE TABLE default.otel_traces');
    const said = await rewind(bed, middle, '--pipeline', 'traces');
    // A record has the time of its first request, so the one before may come along.
    const [, items] = /(\d+) items are sent again/.exec(said) ?? [];
    assert.ok(items === '100' || items === '120', said);
    await untilRows(bed, Number(items));
    await send(bed);
    await untilRows(bed, Number(items) + SPANS);
    await settled(bed);
    assert.match(await rewind(bed, '0s'), /nothing since then.*\nerror: .*was not moved/s);
    assert.match(await rewind(bed, 'begin', '--log', 'logs'), /there is no log logs/);
    const listed = await cursors('list', '--data-dir', bed.dataDir);
    assert.match(listed, /traces~0 +clickhouse\/own +140 +- +\d+ +\d+s +0 +20\d\d-\d\d-\d\dT/);
    const metrics = await bed.engine.metrics(bed.ports.metrics);
    assert.ok(Math.abs(metricSum(metrics, 'millrace_log_oldest_time') - Date.now() / 1000) < 120);
    assert.deepEqual(await bed.engine.kill('SIGTERM'), CLEAN_EXIT);
  },
);

test(
  'a table that was dropped has all its rows again, after a rewind without an engine',
  needsChdb,
  async (t) => {
    const bed = await startBed(t);
    for (let i = 0; i < 30; i++) await send(bed);
    await untilRows(bed, 30 * SPANS);
    await settled(bed);
    await query(bed, 'DROP TABLE default.otel_traces');
    assert.deepEqual(await bed.engine.kill('SIGTERM'), CLEAN_EXIT);
    assert.match(await rewind(bed, '24h'), /goes back to 0, 600 items are sent again/);
    await restart(t, bed);
    await untilRows(bed, 30 * SPANS);
    assert.equal(
      await query(bed, 'SELECT uniqExact(TraceId, SpanId) FROM default.otel_traces'),
      String(30 * SPANS),
    );
    assert.deepEqual(await bed.engine.kill('SIGTERM'), CLEAN_EXIT);
  },
);

test(
  'kill -9 between the new position and its answer: the next start goes on, once',
  needsChdb,
  async (t) => {
    const bed = await startBed(t);
    for (let i = 0; i < 10; i++) await send(bed);
    await untilRows(bed, 10 * SPANS);
    await settled(bed);
    await bed.engine.kill('SIGTERM');
    await restart(t, bed, 'cursor.rewound=kill');
    const died = bed.engine.exit();
    const asked = rewind(bed, 'begin');
    const first = await Promise.race([died, asked]);
    assert.ok(typeof first !== 'string', `the engine lives, and said: ${first}`);
    assert.equal(first.signal, 'SIGKILL');
    await restart(t, bed);
    await untilRows(bed, 20 * SPANS);
    assert.match(await asked, /goes back to 0|nothing since then/);
    await sleep(1_500);
    await untilRows(bed, 20 * SPANS);
    assert.deepEqual(await bed.engine.kill('SIGTERM'), CLEAN_EXIT);
  },
);
