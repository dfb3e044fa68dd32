/** Single records with their expected items: fixed forms, and the places where this folder keeps what the Collector loses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Signal } from '../component/signal.ts';
import { WireWriter } from '../otlp/wire-writer.ts';
import type { Message } from '../testkit/otlp-arbitraries.ts';
import { type FlatItem, flattenRequest } from '../testkit/otlp-flatten.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { decoderNames, findDecoder } from './decoders.ts';
import { encoderNames, findEncoder } from './encoders.ts';
import type { EncodedRecord, RecordDecoder } from './encoding.ts';
import { zipkinJsonDecoderOf } from './zipkin-decode.ts';
import { zipkinV1JsonDecoder } from './zipkin-v1-decode.ts';

const NOW = 1_790_000_000_000;
const NOW_NANOS = '1790000000000000000';
const UTF8 = new TextEncoder();
const TRACE = '463ac35c9f6413ad48485a3953bb6124';
const SPAN = 'a2fb4a1d1a96d312';

function decode(decoder: RecordDecoder, record: Uint8Array | string | object): FlatItem[] {
  const bytes =
    record instanceof Uint8Array
      ? record
      : UTF8.encode(typeof record === 'string' ? record : JSON.stringify(record));
  const out = new WireWriter();
  decoder.decode(bytes, out, NOW);
  return flattenRequest(decoder.signal, out.toBytes());
}

function attributesOf(message: unknown): Record<string, unknown> {
  const pairs = ((message as Message | undefined)?.attributes as { key: string; value: Message }[]) ?? [];
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]));
}

function encode(signal: Signal, encoding: string, request: Message): [string[], number, EncodedRecord[]] {
  const type = requestType(signal);
  const records: EncodedRecord[] = [];
  const bytes = type.encode(type.fromObject(request)).finish();
  const skipped = findEncoder(signal, encoding)!.encode([bytes], records);
  return [records.map(({ value }) => Buffer.from(value).toString()), skipped, records];
}

const logs = (...bodies: Message[]) => ({
  resource_logs: [{ scope_logs: [{ log_records: bodies.map((body) => ({ body })) }] }],
});

test('names belong to a signal', () => {
  assert.deepEqual(decoderNames('traces'), [
    ...['jaeger_proto', 'jaeger_json', 'zipkin_proto', 'zipkin_json', 'zipkin_thrift'],
  ]);
  assert.deepEqual(decoderNames('logs'), ['raw', 'json', 'azure_resource_logs', 'text']);
  assert.deepEqual(decoderNames('metrics'), []);
  assert.deepEqual(encoderNames('traces'), ['jaeger_proto', 'jaeger_json', 'zipkin_proto', 'zipkin_json']);
  assert.deepEqual(encoderNames('logs'), ['raw', 'body', 'sumo_ic']);
  for (const name of ['otlp_proto', 'text_klingon', 'jaeger_proto'])
    assert.equal(findDecoder('logs', name), undefined);
  assert.equal(findDecoder('traces', 'raw'), undefined);
  assert.equal(findEncoder('metrics', 'raw'), undefined);
});

test('a record can be one log record', () => {
  const [raw] = decode(findDecoder('logs', 'raw')!, Uint8Array.of(0, 255));
  assert.deepEqual(raw!.item, { body: { bytes_value: 'AP8=' } });
  const [text] = decode(findDecoder('logs', 'text_latin1')!, Uint8Array.of(0x80, 0xe9));
  assert.deepEqual(text!.item, { body: { string_value: '\x80é' }, observed_time_unix_nano: NOW_NANOS });
  const [nop] = decode(findDecoder('logs', 'text_utf-8-raw')!, 'é');
  assert.deepEqual(nop!.item.body, { string_value: 'é' });
  const [json] = decode(findDecoder('logs', 'json')!, { a: 1, b: [true, null], c: {} });
  assert.deepEqual(json!.item.body, {
    kvlist_value: {
      values: [
        { key: 'a', value: { double_value: 1 } },
        { key: 'b', value: { array_value: { values: [{ bool_value: true }, {}] } } },
        { key: 'c', value: { kvlist_value: {} } },
      ],
    },
  });
  for (const bad of ['[1]', 'null', '{"a":1} x', '']) {
    assert.throws(() => decode(findDecoder('logs', 'json')!, bad), /^PipelineError: json: /);
  }
});

test('raw, body and sumo_ic of log records', () => {
  const bodies = logs(
    { string_value: 'a<b' },
    { bytes_value: Buffer.from('bytes') },
    {},
    { array_value: { values: [{ int_value: 1 }, { string_value: 'x' }] } },
  );
  assert.deepEqual(encode('logs', 'raw', bodies).slice(0, 2), [['"a\\u003cb"', 'bytes', '[1,"x"]'], 1]);
  const [[lines], skipped, [record]] = encode('logs', 'body', bodies);
  assert.equal(lines, 'a<b\nYnl0ZXM=\n\n[1,"x"]\n');
  assert.deepEqual([skipped, record!.itemCount], [0, 4]);
  const pair = (key: string, text: string) => ({ key, value: { string_value: text } });
  const named = {
    resource_logs: [
      {
        resource: {
          attributes: [
            pair('_sourceName', 'n"1'),
            pair('_sourceHost', 'h'),
            pair('_sourceCategory', 'c'),
            pair('zone', 'z'),
          ],
        },
        scope_logs: [
          {
            log_records: [
              {
                body: { string_value: 'text' },
                observed_time_unix_nano: '1581452773000009875',
                attributes: [pair('b', '1'), { key: 'a', value: { int_value: 2 } }],
              },
            ],
          },
        ],
      },
    ],
  };
  assert.deepEqual(encode('logs', 'sumo_ic', named)[0], [
    '{"date": "2020-02-11 20:26:13.000009875 +0000 UTC","sourceName":"n\\"1","sourceHost":"h",' +
      '"sourceCategory":"c","fields":{"zone":"z"},"message":{"a":2,"b":"1","log":"text"}}\n',
  ]);
  assert.throws(
    () => encode('logs', 'sumo_ic', bodies),
    /sumo_ic: the resource attribute _sourceName is missing/,
  );
  assert.throws(
    () => encode('logs', 'raw', logs({ string_value: 'x' }, { double_value: Number.NaN })),
    /raw: a value of NaN has no form in JSON/,
  );
});

test('Zipkin keeps apart what belongs to two resources, and loses nothing that only looks special', () => {
  const span = (id: string, extra: object) => ({ traceId: TRACE, id, ...extra });
  const items = decode(findDecoder('traces', 'zipkin_json')!, [
    span('1', { localEndpoint: { serviceName: 's' }, tags: { 'host.name': 'a' } }),
    span('2', { localEndpoint: { serviceName: 's' }, tags: { 'host.name': 'b' } }),
    span('3', {
      tags: { 'host.name': 'c', 'otlp.link.0': 'no link' },
      annotations: [
        { timestamp: 5, value: 'GET /a|b' },
        { timestamp: 6, value: 'a|b|{"k":"v|w"}|2' },
      ],
    }),
  ]);
  assert.deepEqual(
    items.map(({ resource }) => attributesOf(resource)),
    [
      { 'service.name': 's', 'host.name': 'a' },
      { 'service.name': 's', 'host.name': 'b' },
      { 'host.name': 'c' },
    ],
  );
  const third = items[2]!.item;
  assert.equal(attributesOf(third)['otlp.link.0'], 'no link');
  assert.deepEqual(third.events, [
    { time_unix_nano: '5000', name: 'GET /a|b' },
    {
      time_unix_nano: '6000',
      name: 'a|b',
      attributes: [{ key: 'k', value: { string_value: 'v|w' } }],
      dropped_attributes_count: 2,
    },
  ]);
});

test('Zipkin tags become numbers when that is asked for', () => {
  const tags = { whole: '42', large: '99999999999999999999', half: '0.5', yes: 'true', text: '1e3' };
  const [item] = decode(zipkinJsonDecoderOf(true), [{ traceId: TRACE, id: SPAN, timestamp: 1, tags }]);
  assert.deepEqual(attributesOf(item!.item), {
    whole: '42',
    large: '9223372036854775807',
    half: 0.5,
    yes: true,
    text: '1e3',
  });
  const values = (item!.item.attributes as { value: Message }[]).map(({ value }) => Object.keys(value)[0]);
  assert.deepEqual(values, ['int_value', 'int_value', 'double_value', 'bool_value', 'string_value']);
});

test('an address or a port that Zipkin cannot take stays a tag', () => {
  const attribute = (key: string, text: string) => ({ key, value: { string_value: text } });
  const ids = { trace_id: Buffer.from(TRACE, 'hex'), span_id: Buffer.from(SPAN, 'hex') };
  const request = (...attributes: Message[]) => ({
    resource_spans: [{ scope_spans: [{ spans: [{ ...ids, attributes }] }] }],
  });
  const [[json]] = encode(
    'traces',
    'zipkin_json',
    request(attribute('network.peer.address', 'db.local'), attribute('net.peer.port', '99999')),
  );
  const [span] = JSON.parse(json!) as { tags: unknown; remoteEndpoint: unknown }[];
  assert.deepEqual(span!.tags, { 'net.peer.port': '99999', 'network.peer.address': 'db.local' });
  assert.equal(span!.remoteEndpoint, undefined);
});

test('a span that ends before it starts has no form in Zipkin, and leaves no half of a list', () => {
  const ids = { trace_id: Buffer.from(TRACE, 'hex'), span_id: Buffer.from(SPAN, 'hex') };
  const spans = [{ ...ids, start_time_unix_nano: '1700000000000000000', end_time_unix_nano: '5' }];
  const records: EncodedRecord[] = [{ key: undefined, value: new Uint8Array(1), itemCount: 1 }];
  const type = requestType('traces');
  const bytes = type.encode(type.fromObject({ resource_spans: [{ scope_spans: [{ spans }] }] })).finish();
  assert.throws(
    () => findEncoder('traces', 'zipkin_proto')!.encode([bytes], records),
    /zipkin_proto: a span ends before it starts/,
  );
  assert.equal(records.length, 1);
});

test('Zipkin v1 in JSON: kind and service from annotations, a time for spans without one', () => {
  const endpoint = { serviceName: 'front', ipv4: '127.0.0.1', port: 8080 };
  const [told, untold] = decode(zipkinV1JsonDecoder, [
    {
      traceId: TRACE,
      id: SPAN,
      name: 'get',
      annotations: [
        { timestamp: 20, value: 'sr', endpoint },
        { timestamp: 30, value: 'cache miss', endpoint },
        { timestamp: 50, value: 'ss', endpoint },
      ],
      binaryAnnotations: [
        { key: 'http.status_code', value: '503' },
        { key: 'lc', value: 'part' },
      ],
    },
    { traceId: TRACE, id: SPAN, binaryAnnotations: [{ key: 'lc', value: 'part' }] },
  ]);
  assert.deepEqual(attributesOf(told!.resource), {
    'service.name': 'front',
    ipv4: '127.0.0.1',
    port: '8080',
  });
  const { kind, status, start_time_unix_nano: start, end_time_unix_nano: end, events } = told!.item;
  assert.deepEqual([kind, status, start, end], [2, { code: 2 }, '20000', '50000']);
  assert.deepEqual(events, [{ time_unix_nano: '30000', name: 'cache miss' }]);
  assert.deepEqual(attributesOf(told!.item), { 'http.status_code': '503', component: 'part' });
  assert.deepEqual(attributesOf(untold!.resource), { 'service.name': 'part' });
  assert.equal(untold!.item.start_time_unix_nano, NOW_NANOS);
  assert.equal(attributesOf(untold!.item)['otel.zipkin.absentField.startTime'], true);
});

test('a log record of Azure without a time that can be read stays, with the text', () => {
  const [log] = decode(findDecoder('logs', 'azure_resource_logs')!, {
    records: [{ time: 'soon', resourceId: '/r', level: 'Warning', durationMs: '1.5', category: 'c' }],
  });
  assert.deepEqual(attributesOf(log!.resource), { 'azure.resource.id': '/r' });
  assert.equal(log!.item.severity_number, 13);
  assert.deepEqual(attributesOf(log!.item), {
    'azure.category': 'c',
    'azure.operation.name': '',
    'cloud.provider': 'azure',
    'azure.duration': 1.5,
    'azure.time': 'soon',
  });
});

test('errors name the encoding and the place', () => {
  const jaeger = findDecoder('traces', 'jaeger_proto')!;
  assert.throws(
    () => decode(jaeger, Uint8Array.of(0x0a, 3, 1, 2, 3)),
    /jaeger_proto: an id of 3 bytes at byte 2/,
  );
  assert.throws(() => decode(jaeger, Uint8Array.of(0x0a, 9)), /jaeger_proto: length past the end at byte 1/);
  const json = findDecoder('traces', 'jaeger_json')!;
  assert.throws(() => decode(json, '{"tacos":1}'), /jaeger_json: Span has no field "tacos", at byte 1/);
  const zipkin = findDecoder('traces', 'zipkin_json')!;
  assert.throws(() => decode(zipkin, '{}'), /zipkin_json: the record is not a list/);
  assert.throws(
    () => decode(zipkin, [{ traceId: 'zz', id: '1' }]),
    /zipkin_json: "zz" is no id of up to 16 bytes/,
  );
});
