import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Signal } from '../../component/signal.ts';
import { isChdbInstalled, startStore } from '../../extensions/embedded_clickhouse/store.test-peer.ts';
import { encodedRequest } from '../../testkit/otlp-arbitraries.ts';
import type { SignalEncoder, TableKey } from './encode/encoder.ts';
import { LogsEncoder } from './encode/logs-encoder.ts';
import { MetricsEncoder } from './encode/metrics-encoder.ts';
import { TracesEncoder } from './encode/traces-encoder.ts';
import { expectedRows } from './expected-rows.test-peer.ts';
import { createUnsortedTables, insertBlock, openInsertClient, readTable } from './test-tables.test-peer.ts';

/** A sum whose point has an attribute without key and value, and behind it a byte that looks like an integer's tag. */
const EMPTY_ATTRIBUTE = Uint8Array.from([10, 12, 18, 10, 18, 8, 58, 6, 10, 2, 58, 0, 24, 1]);

/** Few runs of many requests: the engine's answers cost more than the generated values. */
const RUNS = 10;
const REQUESTS_MAX = 12;
const TABLES: Record<Signal, readonly TableKey[]> = {
  traces: ['traces'],
  logs: ['logs'],
  metrics: ['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary'],
};
const ENCODERS: Record<Signal, () => SignalEncoder> = {
  traces: () => new TracesEncoder(),
  logs: () => new LogsEncoder(),
  metrics: () => new MetricsEncoder(),
};

// Goal: no value is lost, moved to another row or rounded. Method: generated requests through the exporter's
// encoder, its HTTP client and the engine, against protobufjs' decode of the same bytes. One encoder for all
// runs, so that what one batch leaves behind would show in the next.
test('every column of every row is what an independent decoder reads in the request', {
  skip: isChdbInstalled() ? false : 'chdb is not installed',
}, async (t) => {
  const { client, url } = await startStore(t);
  const inserts = await openInsertClient(url);
  t.after(() => inserts.close());
  for (const signal of ['traces', 'logs', 'metrics'] as const) {
    await t.test(signal, async () => {
      await createUnsortedTables(client, signal);
      const encoder = ENCODERS[signal]();
      const roundTrip = async (slices: Uint8Array[]) => {
        encoder.reset();
        const encoded = encoder.encode(slices);
        const expected = slices.flatMap((slice) => expectedRows(signal, slice));
        for (const table of TABLES[signal]) {
          const wanted = expected.filter((each) => each.table === table).map(({ row }) => row);
          const block = encoded.find((each) => each.table === table);
          assert.equal(block?.rowCount, wanted.length);
          if (wanted.length === 0) continue;
          await client.command({ query: `TRUNCATE TABLE otel.${table}` });
          await insertBlock(inserts, table, block.columns, block.rowCount);
          assert.deepEqual(await readTable(client, table), wanted);
        }
      };
      await fc.assert(
        fc.asyncProperty(fc.array(encodedRequest(signal), { maxLength: REQUESTS_MAX }), roundTrip),
        {
          numRuns: RUNS,
          examples: signal === 'metrics' ? [[[EMPTY_ATTRIBUTE]]] : [],
        },
      );
    });
  }
});
