import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Signal } from '../../component/signal.ts';
import { RequestGenerator } from '../../testkit/generators.ts';
import { requestType } from '../../testkit/otlp-root.ts';
import { ParquetBed } from './parquet-query.test-peer.ts';

/** Rows of a query over the file of these requests; `FILE` in the query stands for it. */
type Query = (sql: string) => Promise<unknown[][]>;

async function fileOf(
  t: TestContext,
  signal: 'traces' | 'logs',
  requests: readonly Uint8Array[],
): Promise<Query> {
  const file = await (await ParquetBed.open(t)).write(signal, requests);
  return (sql) => file!.lists(sql);
}

function encode(signal: Signal, request: Record<string, unknown>): Uint8Array {
  const type = requestType(signal);
  return type.encode(type.fromObject(request)).finish();
}

const text = (key: string, value: string) => ({ key, value: { string_value: value } });
const RESOURCE = { attributes: [text('service.name', 'checkout'), text('städte', 'Köln 🚀')] };
/** DuckDB's times with a zone end at microseconds; what the file holds beyond them is compared in ClickHouse. */
const MICROS = '1795280865123456000';
const SPAN = {
  trace_id: Buffer.from('0102030405060708090a0b0c0d0e0f10', 'hex'),
  span_id: Buffer.from('0102030405060708', 'hex'),
  name: 'charge "card"',
  kind: 3,
  start_time_unix_nano: '1795280865123456789',
  end_time_unix_nano: '1795280865123456999',
  attributes: [
    { key: 'count', value: { int_value: '9007199254740993' } },
    { key: 'ratio', value: { double_value: 0.25 } },
    { key: 'tags', value: { array_value: { values: [{ string_value: 'a' }, { bool_value: true }] } } },
    text('count', 'a second one of the name'),
  ],
  status: { code: 2, message: 'declined' },
  events: [
    { time_unix_nano: '1795280865123456790', name: 'retry', attributes: [text('n', '1')] },
    { name: 'x' },
  ],
  links: [{ trace_id: Buffer.alloc(16, 7), span_id: Buffer.alloc(8, 8), trace_state: 'a=b' }],
};

test('a span has the values of the ClickHouse table', async (t) => {
  const scope_spans = [{ scope: { name: 'http', version: '1.2' }, spans: [SPAN, {}] }];
  const query = await fileOf(t, 'traces', [
    encode('traces', { resource_spans: [{ resource: RESOURCE, scope_spans }] }),
  ]);
  assert.deepEqual(
    await query(
      `select epoch_ns("Timestamp"), TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ScopeName, ScopeVersion,
        Duration, StatusCode, StatusMessage from FILE`,
    ),
    [
      [
        ...[MICROS, '0102030405060708090a0b0c0d0e0f10', '0102030405060708', '', 'charge "card"'],
        ...['Client', 'checkout', 'http', '1.2', '210', 'Error', 'declined'],
      ],
      ['0', '', '', '', '', 'Unspecified', 'checkout', 'http', '1.2', '0', 'Unset', ''],
    ],
  );
  assert.deepEqual(
    await query(`select ResourceAttributes['städte'], SpanAttributes['count'], SpanAttributes['ratio'],
      SpanAttributes['tags'], cardinality(SpanAttributes), len(Events), len(Links) from FILE`),
    [
      ['Köln 🚀', '9007199254740993', '0.25', '["a",true]', '3', '2', '1'],
      ['Köln 🚀', null, null, null, '0', '0', '0'],
    ],
  );
  assert.deepEqual(
    await query(`select epoch_ns(Events[1]."Timestamp"), Events[1].Name, Events[1].Attributes['n'], Events[2].Name,
      Links[1].TraceId, Links[1].TraceState from FILE limit 1`),
    [[MICROS, 'retry', '1', 'x', '07'.repeat(16), 'a=b']],
  );
});

test('a log record has the values of the ClickHouse table', async (t) => {
  const records = [
    {
      time_unix_nano: '1795280865123456789',
      severity_text: 'WARN',
      severity_number: 13,
      body: { string_value: 'low' },
    },
    {
      observed_time_unix_nano: '5',
      flags: 1,
      event_name: 'e',
      body: { kvlist_value: { values: [text('b', '2')] } },
    },
  ];
  const scope_logs = [{ scope: { name: 's', attributes: [text('k', 'v')] }, log_records: records }];
  const query = await fileOf(t, 'logs', [
    encode('logs', { resource_logs: [{ resource: RESOURCE, scope_logs }] }),
  ]);
  assert.deepEqual(
    await query(`select epoch_ns("Timestamp"), SeverityText, SeverityNumber, Body, TraceFlags, EventName, ServiceName,
      ScopeAttributes['k'] from FILE`),
    [
      [MICROS, 'WARN', 13, 'low', 0, '', 'checkout', 'v'],
      ['0', '', 0, '{"b":"2"}', 1, 'e', 'checkout', 'v'],
    ],
  );
});

test('every item of a batch is a row', async (t) => {
  for (const signal of ['traces', 'logs'] as const) {
    const generator = new RequestGenerator({ signal, itemsPerRequest: 300, seed: 7 });
    const requests = [0, 1, 2].map((sequence) => generator.next(sequence, 1_795_280_865_123).slice());
    const query = await fileOf(t, signal, requests);
    assert.deepEqual(await query('select count(*), count(distinct TraceId) > 1 from FILE'), [['900', true]]);
  }
});
