import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { Signal } from '../../component/signal.ts';
import { encodedRequest } from '../../testkit/otlp-arbitraries.ts';
import { ChdbEngine, hasChdb } from './chdb-engine.test-peer.ts';
import { schemaStatements } from './ddl.ts';
import { BlockWriter, type Column } from './encode/block-writer.ts';
import type { SignalEncoder, TableKey } from './encode/encoder.ts';
import { LogsEncoder } from './encode/logs-encoder.ts';
import { MetricsEncoder } from './encode/metrics-encoder.ts';
import { TracesEncoder } from './encode/traces-encoder.ts';
import { expectedRows } from './expected-rows.test-peer.ts';

const RUNS = 40;
const TABLES: Record<Signal, readonly TableKey[]> = {
  traces: ['traces'],
  logs: ['logs'],
  metrics: ['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary'],
};
const ENCODERS: Record<Signal, SignalEncoder> = {
  traces: new TracesEncoder(),
  logs: new LogsEncoder(),
  metrics: new MetricsEncoder(),
};
const schema = {
  database: 'rt',
  tables: {
    traces: 'traces',
    logs: 'logs',
    gauge: 'gauge',
    sum: 'sum',
    histogram: 'histogram',
    exponential_histogram: 'exponential_histogram',
    summary: 'summary',
  },
  clusterName: undefined,
  engine: { name: 'MergeTree', params: '' },
  ttlSeconds: 0,
  rollupTtlSeconds: 0,
  hasRollups: false,
};

const engine = hasChdb() ? await ChdbEngine.open() : undefined;
after(() => engine?.close());

/** The exporter's own tables, but unsorted and in one part, so that rows come back in the order they were sent. */
async function createTables(chdb: ChdbEngine, signal: Signal): Promise<void> {
  for (const statement of schemaStatements(schema, signal)) {
    if (statement.startsWith('CREATE MATERIALIZED VIEW') || statement.includes('AggregatingMergeTree'))
      continue;
    await chdb.query(
      statement.replace(/^PARTITION BY .*$/m, '').replace(/^ORDER BY .*$/m, 'ORDER BY tuple()'),
    );
  }
}

/** 64-bit times as exact integers, maps as lists of pairs: JSON alone would lose duplicates and digits. */
async function readTable(chdb: ChdbEngine, table: TableKey): Promise<Record<string, unknown>[]> {
  const described = await chdb.rows(
    `SELECT name, type FROM system.columns WHERE database = 'rt' AND table = '${table}'`,
  );
  const columns = described.map(({ name, type }) => {
    if (type === 'DateTime64(9)') return `toUnixTimestamp64Nano(\`${name}\`) AS \`${name}\``;
    if (type === 'Array(DateTime64(9))')
      return `arrayMap(t -> toUnixTimestamp64Nano(t), \`${name}\`) AS \`${name}\``;
    return `\`${name}\``;
  });
  return chdb.rows(`SELECT ${columns.join(', ')} FROM rt.${table}`);
}

for (const signal of ['traces', 'logs', 'metrics'] as const) {
  test(`${signal}: every column of every row is what an independent decoder reads in the request`, {
    skip: engine === undefined,
  }, async () => {
    assert(engine !== undefined);
    await createTables(engine, signal);
    const encoder = ENCODERS[signal];
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(encodedRequest(signal), { maxLength: 3 }), async (slices) => {
        encoder.reset();
        const encoded = encoder.encode(slices);
        const expected = slices.flatMap((slice) => expectedRows(signal, slice));
        for (const table of TABLES[signal]) {
          const wanted = expected.filter((each) => each.table === table).map(({ row }) => row);
          const block = encoded.find((each) => each.table === table);
          assert.equal(block?.rowCount, wanted.length);
          if (wanted.length === 0) continue;
          const writer = new BlockWriter();
          writer.appendBlock(block.columns, block.rowCount);
          const path = await engine.file(`${table}-${run++}.native`, writer.chunks);
          await engine.query(`TRUNCATE TABLE rt.${table}`);
          await engine.query(`INSERT INTO rt.${table} ${selectAll(block.columns, path)}`);
          assert.deepEqual(await readTable(engine, table), wanted);
        }
      }),
      { numRuns: RUNS },
    );
  });
}

/** Names the columns on both sides, because a block leaves out those that hold only defaults. */
function selectAll(columns: readonly Column[], path: string): string {
  const names = columns.filter((column) => !column.isDefault()).map((column) => `\`${column.name}\``);
  return `(${names.join(', ')}) SELECT ${names.join(', ')} FROM file('${path}', 'Native')`;
}
