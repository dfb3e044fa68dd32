import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch } from '../../component/exporter.ts';
import type { ComponentSettings, Logger } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import {
  createExtension,
  eventually,
  isChdbInstalled,
  numberOf,
  type RunningStore,
  startStore,
  temporaryDirectory,
} from '../../extensions/embedded_clickhouse/store.test-peer.ts';
import { systemClock } from '../../stdx/clock.ts';
import { RequestGenerator } from '../../testkit/generators.ts';
import { clickhouseConfigSchema } from './config.ts';
import { createExporter } from './create-exporter.ts';

const skip = isChdbInstalled() ? false : 'chdb is not installed';
/** A day on which the generated times lie whole, so that blocks are not split by partition. */
const NOON_MS = Date.UTC(2026, 5, 1, 12);
const silent: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
};
const warnings: string[] = [];
const settings: ComponentSettings = {
  id: 'clickhouse',
  logger: { ...silent, warn: (message, fields) => warnings.push(`${message} ${fields?.table}`) },
  meter: {
    counter: () => ({ add: () => {} }),
    gauge: () => ({ set: () => {} }),
    latency: () => ({ record: () => {} }),
    histogram: () => ({ record: () => {} }),
  },
  clock: systemClock,
};

function openExporter(url: string, signal: Signal, keys: Record<string, unknown> = {}) {
  const parsed = clickhouseConfigSchema.parse({ endpoint: url, database: 'otel', ttl: 0, ...keys });
  assert.deepEqual(parsed.issues, []);
  return createExporter(settings, parsed.value!, signal);
}

function batchOf(signal: Signal, batchId: string, seq: number, itemCount = 1000): ExportBatch {
  const generator = new RequestGenerator({ signal, itemsPerRequest: itemCount, seed: seq });
  const slices = [generator.next(seq, NOON_MS)];
  return { signal, batchId, slices, itemCount, sizeBytes: slices[0]!.length, receivedUnixMs: NOON_MS };
}

const inTime = () => AbortSignal.timeout(30_000);

interface Fixture {
  client: RunningStore['client'];
  url: string;
  /** One number of a table of the exporter's. */
  count(table: string, what?: string): Promise<number>;
}

/** Run in this order on one store. */
const EXPORTER_TESTS: Record<string, (fixture: Fixture) => Promise<void>> = {
  'a batch sent twice counts once, in the spans and in everything derived from them': async ({
    url,
    count,
  }) => {
    const exporter = openExporter(url, 'traces');
    await exporter.start();
    const tables = async () => [
      await count('otel_traces'),
      await count('otel_traces_rollup_5m', 'sum(Calls)'),
      await count('otel_traces_rollup_1h', 'sum(Calls)'),
      await count('otel_traces_rollup_1h', 'sum(arraySum(mapValues(Buckets)))'),
      await count('otel_traces_trace_id_ts'),
    ];
    const first = batchOf('traces', 'log:0-999', 1);
    await exporter.export(first, inTime());
    assert.deepEqual(await tables(), [1000, 1000, 1000, 1000, 125]);
    await exporter.export(first, inTime());
    assert.deepEqual(await tables(), [1000, 1000, 1000, 1000, 125]);
    await exporter.export(batchOf('traces', 'log:1000-1999', 2), inTime());
    assert.deepEqual(await tables(), [2000, 2000, 2000, 2000, 250]);
    await exporter.shutdown(systemClock.monotonicMs());
  },

  'rollups hold the calls, errors and durations of the spans': async ({ client }) => {
    const fromSpans =
      "SELECT ServiceName, SpanName, SpanKind, count() c, countIf(StatusCode = 'Error') e, sum(Duration) s, max(Duration) m FROM otel.otel_traces GROUP BY 1, 2, 3";
    const fromRollup = (table: string) =>
      `SELECT ServiceName, SpanName, SpanKind, sum(Calls) c, sum(Errors) e, sum(DurationSum) s, max(DurationMax) m FROM otel.${table} GROUP BY 1, 2, 3`;
    for (const table of ['otel_traces_rollup_5m', 'otel_traces_rollup_1h']) {
      const differing = `SELECT count() FROM (SELECT *, count() n FROM (${fromSpans} UNION ALL ${fromRollup(table)}) GROUP BY ALL) WHERE n != 2`;
      assert.equal(await numberOf(client, differing), 0);
    }
    const p90 = `SELECT quantileExact(0.9)(Duration) FROM otel.otel_traces`;
    // Walks the merged buckets up to the rank; 8 an octave means at most 2^(1/8) above the exact value.
    const sketch = `WITH (SELECT sumMap(Buckets) FROM otel.otel_traces_rollup_1h) AS b, arraySort(mapKeys(b)) AS ks,
      arrayCumSum(arrayMap(k -> b[k], ks)) AS cum SELECT pow(2, (ks[arrayFirstIndex(c -> c >= 0.9 * cum[-1], cum)] + 1) / 8)`;
    const ratio = (await numberOf(client, sketch)) / (await numberOf(client, p90));
    assert(ratio >= 0.999 && ratio <= 2 ** (1 / 8) + 0.001, `ratio ${ratio}`);
  },

  'logs and all kinds of metrics arrive, and a repeated metric batch changes no table': async ({
    url,
    count,
  }) => {
    const logs = openExporter(url, 'logs');
    await logs.start();
    await logs.export(batchOf('logs', 'l:0', 1), inTime());
    assert.equal(await count('otel_logs'), 1000);
    const metrics = openExporter(url, 'metrics');
    await metrics.start();
    const batch = batchOf('metrics', 'm:0', 1);
    for (let attempt = 0; attempt < 2; attempt++) {
      await metrics.export(batch, inTime());
      let total = 0;
      for (const kind of ['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary']) {
        const rows = await count(`otel_metrics_${kind}`);
        assert(rows > 0, kind);
        total += rows;
      }
      assert.equal(total, 1000);
    }
    await logs.shutdown(0);
    await metrics.shutdown(0);
  },

  'an existing table is filled as it is: other types, missing columns, columns of its own': async ({
    client,
    url,
    count,
  }) => {
    await client.command({
      query: `CREATE TABLE otel.older (Timestamp DateTime64(3), TraceId FixedString(32), SpanName String, Own UInt8 DEFAULT 7,
        Duration Int64, SpanAttributes Map(String, String), Upper String MATERIALIZED upper(SpanName)) ENGINE = MergeTree ORDER BY Timestamp`,
    });
    const exporter = openExporter(url, 'traces', { traces_table_name: 'older', create_schema: false });
    await exporter.start();
    await exporter.export(batchOf('traces', 'o:0', 3), inTime());
    assert.deepEqual(
      warnings.filter((warning) => warning.includes('stored twice')),
      ['a batch that has to be sent again may be stored twice older'],
    );
    assert.equal(
      await count(
        'older',
        "countIf(Own = 7 AND length(TraceId) = 32 AND Upper != '' AND length(SpanAttributes) > 5)",
      ),
      1000,
    );
    await exporter.shutdown(0);
  },

  'a column that cannot hold what it is named for is refused by name, and nothing is dropped': async ({
    client,
    url,
  }) => {
    await client.command({
      query:
        'CREATE TABLE otel.odd (Timestamp DateTime64(9), SpanAttributes Array(UInt8)) ENGINE = MergeTree ORDER BY Timestamp',
    });
    const exporter = openExporter(url, 'traces', { traces_table_name: 'odd', create_schema: false });
    await exporter.start();
    await assert.rejects(exporter.export(batchOf('traces', 'x:0', 4), inTime()), (error: unknown) => {
      assert(error instanceof PipelineError && !error.permanent);
      assert.match(error.message, /SpanAttributes.*Array\(UInt8\)/);
      return true;
    });
    await exporter.shutdown(0);
  },

  'one batch may touch more days than the server takes from others': async ({ url, count }) => {
    const exporter = openExporter(url, 'traces', { traces_table_name: 'days', rollups: false });
    await exporter.start();
    const generator = new RequestGenerator({ signal: 'traces', itemsPerRequest: 1, seed: 5 });
    const slices = Array.from({ length: 105 }, (_, day) => generator.next(day, NOON_MS + day * 86_400_000));
    const batch: ExportBatch = {
      signal: 'traces',
      batchId: 'd:0',
      slices,
      itemCount: 105,
      sizeBytes: 1,
      receivedUnixMs: 0,
    };
    await exporter.export(batch, inTime());
    assert.equal(await count('days'), 105);
    await exporter.shutdown(0);
  },
};

test('the clickhouse exporter against the embedded ClickHouse', { skip }, async (t) => {
  const { client, url } = await startStore(t);
  const count = (table: string, what = 'count()') => numberOf(client, `SELECT ${what} FROM otel.${table}`);
  for (const [name, body] of Object.entries(EXPORTER_TESTS))
    await t.test(name, () => body({ client, url, count }));
});

test('an exporter that starts before its server keeps refusing retryably and creates the schema when it comes', {
  skip,
}, async (t) => {
  const directory = await temporaryDirectory(t);
  const first = createExtension(`${directory}/a`, {}, []);
  await first.start();
  const { url } = first;
  await first.shutdown(systemClock.monotonicMs() + 10_000);
  const exporter = openExporter(url, 'traces');
  await exporter.start();
  t.after(() => exporter.shutdown(0));
  const batch = batchOf('traces', 'g:0', 1, 64);
  await assert.rejects(
    exporter.export(batch, inTime()),
    (error: unknown) => error instanceof PipelineError && !error.permanent,
  );
  const second = createExtension(`${directory}/b`, { endpoint: new URL(url).host }, []);
  await second.start();
  t.after(() => second.shutdown(systemClock.monotonicMs() + 10_000));
  await eventually('the batch is delivered', 20_000, () =>
    exporter.export(batch, inTime()).then(
      () => true,
      () => false,
    ),
  );
});

test('a server that accepts and never answers ends in a retryable timeout', async (t) => {
  const { createServer } = await import('node:net');
  const sockets: { destroy(): void }[] = [];
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  const exporter = openExporter(`http://127.0.0.1:${address.port}`, 'traces', { create_schema: false });
  await exporter.start();
  const error: unknown = await exporter
    .export(batchOf('traces', 't:0', 1, 64), AbortSignal.timeout(200))
    .catch((cause: unknown) => cause);
  assert(error instanceof PipelineError);
  assert.deepEqual([error.code, error.permanent], ['EXPORT_TIMEOUT', false]);
  await exporter.shutdown(0);
  await assert.rejects(exporter.export(batchOf('traces', 't:1', 2, 64), inTime()), { code: 'SHUTTING_DOWN' });
});
