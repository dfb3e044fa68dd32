import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClickHouseClient } from '@clickhouse/client';
import { isChdbInstalled, startStore } from '../../extensions/embedded_clickhouse/store.test-peer.ts';
import type { Message } from '../../testkit/otlp-arbitraries.ts';
import { requestType } from '../../testkit/otlp-root.ts';
import { LogsEncoder } from './encode/logs-encoder.ts';
import { LowCardinalityColumn } from './encode/low-cardinality.ts';
import { MapColumn } from './encode/map-column.ts';
import { TracesEncoder } from './encode/traces-encoder.ts';
import type { InsertClient } from './insert-client.ts';
import {
  createUnsortedTables,
  exactRows,
  insertBlock,
  openInsertClient,
  readTable,
} from './test-tables.test-peer.ts';

const TRACE_ID = Buffer.alloc(16, 1).toString('base64');
const SPAN_ID = Buffer.alloc(8, 2).toString('base64');

function spansRequest(spans: readonly Message[]): Uint8Array {
  const type = requestType('traces');
  const withIds = spans.map((span) => ({ trace_id: TRACE_ID, span_id: SPAN_ID, ...span }));
  return type.encode(type.fromObject({ resource_spans: [{ scope_spans: [{ spans: withIds }] }] })).finish();
}

/** Replaces ASCII markers by bytes that no encoder of strings would write. */
function withRawBytes(request: Uint8Array, marker: string, bytes: readonly number[]): Uint8Array {
  assert.equal(marker.length, bytes.length);
  const copy = Buffer.from(request);
  for (let at = copy.indexOf(marker); at >= 0; at = copy.indexOf(marker, at + 1)) copy.set(bytes, at);
  return copy;
}

interface Fixture {
  client: ClickHouseClient;
  inserts: InsertClient;
}

async function storeSpans(fixture: Fixture, ...requests: Uint8Array[]): Promise<Record<string, unknown>[]> {
  await fixture.client.command({ query: 'TRUNCATE TABLE otel.traces' });
  const [block] = new TracesEncoder().encode(requests);
  assert(block !== undefined);
  await insertBlock(fixture.inserts, 'traces', block.columns, block.rowCount);
  return readTable(fixture.client, 'traces');
}

const HARD_VALUES: Record<string, (fixture: Fixture) => Promise<void>> = {
  'a dictionary of more than 256 and of more than 65536 texts widens its indexes': async ({
    client,
    inserts,
  }) => {
    for (const distinct of [256, 257, 65_536, 65_537]) {
      const table = `otel.wide_${distinct}`;
      await client.command({
        query: `CREATE TABLE ${table} (l LowCardinality(String), m Map(LowCardinality(String), String)) ENGINE = MergeTree ORDER BY tuple()`,
      });
      const column = new LowCardinalityColumn('l');
      const map = new MapColumn('m');
      for (let i = 0; i < distinct; i++) {
        const text = Buffer.from(`v${i}`);
        column.append(text, 0, text.length);
        const pair = Buffer.from([
          0x0a,
          text.length,
          ...text,
          0x12,
          text.length + 2,
          0x0a,
          text.length,
          ...text,
        ]);
        map.appendKeyValue(pair, 0, pair.length);
        map.endRow();
      }
      await insertBlock(inserts, table.slice('otel.'.length), [column, map], distinct);
      const wanted = `concat('v', toString(rowNumberInAllBlocks()))`;
      const rows = await exactRows(
        client,
        `SELECT count() AS c, countIf(l = w AND m[w] = w AND length(m) = 1) AS ok FROM (SELECT l, m, ${wanted} AS w FROM ${table} SETTINGS max_threads = 1)`,
      );
      assert.deepEqual(rows, [{ c: String(distinct), ok: String(distinct) }]);
    }
  },

  'bytes that are no UTF-8 become replacement characters wherever they stand; NUL stays': async (fixture) => {
    const marked = spansRequest([
      {
        name: 'name-@@@@',
        trace_state: 'state-@@@@',
        attributes: [
          { key: 'key-@@@@', value: { string_value: 'value-@@@@' } },
          { key: 'list', value: { array_value: { values: [{ string_value: 'item-@@@@' }] } } },
          { key: 'nul', value: { string_value: 'a\u0000b' } },
        ],
        status: { message: 'message-@@@@' },
      },
    ]);
    // A lone surrogate, as JSON senders produce it, and a byte that starts nothing.
    const [row] = await storeSpans(fixture, withRawBytes(marked, '@@@@', [0xed, 0xa0, 0x80, 0xff]));
    const replaced = '\ufffd'.repeat(4);
    assert.equal(row?.SpanName, `name-${replaced}`);
    assert.equal(row?.TraceState, `state-${replaced}`);
    assert.equal(row?.StatusMessage, `message-${replaced}`);
    assert.deepEqual(row?.SpanAttributes, [
      [`key-${replaced}`, `value-${replaced}`],
      ['list', `["item-${replaced}"]`],
      ['nul', 'a\u0000b'],
    ]);
  },

  'extreme numbers and times keep every digit, and an end before the start is no duration': async (
    fixture,
  ) => {
    const rows = await storeSpans(
      fixture,
      spansRequest([
        {
          start_time_unix_nano: '18446744073709551615',
          end_time_unix_nano: '0',
          attributes: [
            { key: 'max', value: { int_value: '9223372036854775807' } },
            { key: 'min', value: { int_value: '-9223372036854775808' } },
            { key: 'nan', value: { double_value: Number.NaN } },
            { key: 'inf', value: { double_value: Number.NEGATIVE_INFINITY } },
            { key: 'tiny', value: { double_value: 5e-324 } },
            { key: 'none', value: {} },
          ],
        },
        { start_time_unix_nano: '0', end_time_unix_nano: '18446744073709551615' },
        { start_time_unix_nano: '4294967295', end_time_unix_nano: '4294967296' },
      ]),
    );
    assert.deepEqual(
      rows.map(({ Timestamp, Duration }) => [Timestamp, Duration]),
      [
        ['-1', '0'],
        ['0', '18446744073709551615'],
        ['4294967295', '1'],
      ],
    );
    assert.deepEqual(rows[0]?.SpanAttributes, [
      ['max', '9223372036854775807'],
      ['min', '-9223372036854775808'],
      ['nan', 'NaN'],
      ['inf', '-Inf'],
      ['tiny', '5e-324'],
      ['none', ''],
    ]);
  },

  'giant texts and rows without anything pass': async (fixture) => {
    const giant = 'é'.repeat(1_500_000);
    const rows = await storeSpans(
      fixture,
      spansRequest([{ name: giant, attributes: [{ key: 'big', value: { string_value: giant } }] }, {}]),
    );
    assert.equal(rows[0]?.SpanName, giant);
    assert.deepEqual(rows[0]?.SpanAttributes, [['big', giant]]);
    assert.equal(rows[1]?.SpanKind, 'Unspecified');
    const type = requestType('logs');
    const empty = type
      .encode(type.fromObject({ resource_logs: [{ scope_logs: [{ log_records: [{}, {}] }] }] }))
      .finish();
    const [block] = new LogsEncoder().encode([empty]);
    assert(block !== undefined);
    await insertBlock(fixture.inserts, 'logs', block.columns, block.rowCount);
    assert.equal((await readTable(fixture.client, 'logs')).length, 2);
  },
};

const skip = isChdbInstalled() ? false : 'chdb is not installed';

test('values at the edges reach the table unharmed', { skip }, async (t) => {
  const { client, url } = await startStore(t);
  const inserts = await openInsertClient(url);
  t.after(() => inserts.close());
  await createUnsortedTables(client, 'traces');
  await createUnsortedTables(client, 'logs');
  for (const [name, body] of Object.entries(HARD_VALUES)) await t.test(name, () => body({ client, inserts }));
});

test('a request that ends early is refused at every offset or leaves whole rows only', () => {
  const request = spansRequest([
    {
      name: 'n',
      attributes: [
        { key: 'k', value: { kvlist_value: { values: [{ key: 'a', value: { int_value: 1 } }] } } },
      ],
    },
  ]);
  const encoder = new TracesEncoder();
  for (let size = 1; size < request.length; size++) {
    encoder.reset();
    assert.throws(() => encoder.encode([request.subarray(0, size)]), {
      code: 'OTLP_MALFORMED',
      permanent: true,
    });
  }
});
