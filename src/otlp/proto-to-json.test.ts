import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../component/errors.ts';
import type { Signal } from '../component/signal.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { protoToJson } from './proto-to-json.ts';

function encode(signal: Signal, message: object): Uint8Array {
  const type = requestType(signal);
  return type.encode(type.fromObject(message)).finish();
}

const write = (signal: Signal, message: object): string => protoToJson(signal, encode(signal, message));
const id = (text: string): Uint8Array => Buffer.from(text, 'hex');

test('traces: order and spelling of the Collector, absent resource, scope and status as empty objects', () => {
  const span = {
    trace_id: id('5B8EFFF798038103D269B633813FC60C'),
    span_id: id('EEE19B7EC3C1B174'),
    parent_span_id: id('0000000000000000'),
    name: 'n',
    kind: 2,
    flags: 257,
    start_time_unix_nano: '1544712660000000123',
    end_time_unix_nano: '18446744073709551615',
    events: [{ time_unix_nano: '1', name: 'e', dropped_attributes_count: 4294967295 }],
    links: [{ trace_id: id('5B8EFFF798038103D269B633813FC60C'), flags: 1 }],
    status: { code: 2, message: 'bad' },
  };
  assert.equal(
    write('traces', { resource_spans: [{ scope_spans: [{ spans: [span, {}], schema_url: 's' }] }] }),
    '{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[' +
      '{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","flags":257,"name":"n","kind":2,' +
      '"startTimeUnixNano":"1544712660000000123","endTimeUnixNano":"18446744073709551615",' +
      '"events":[{"timeUnixNano":"1","name":"e","droppedAttributesCount":4294967295}],' +
      '"links":[{"traceId":"5b8efff798038103d269b633813fc60c","flags":1}],"status":{"message":"bad","code":2}},' +
      '{"status":{}}],"schemaUrl":"s"}]}]}',
  );
});

test('logs: every kind of value; body and the value of an attribute are always there', () => {
  const values = [
    { string_value: '' },
    { string_value: '0' },
    { bool_value: false },
    { int_value: '-9223372036854775808' },
    { double_value: 0 },
    { double_value: Number.NaN },
    { double_value: -Infinity },
    { double_value: -0 },
    { double_value: 1e21 },
    { bytes_value: new Uint8Array(0) },
    { bytes_value: Uint8Array.of(0xfb, 0xff) },
    {},
    { array_value: {} },
    { kvlist_value: { values: [{ key: 'k' }] } },
  ];
  const record = {
    severity_number: 9,
    attributes: [{ key: 'a', value: { array_value: { values } } }],
    dropped_attributes_count: 0,
  };
  assert.equal(
    write('logs', {
      resource_logs: [{ resource: { dropped_attributes_count: 1 }, scope_logs: [{ log_records: [record] }] }],
    }),
    '{"resourceLogs":[{"resource":{"droppedAttributesCount":1},"scopeLogs":[{"scope":{},"logRecords":[{"severityNumber":9,' +
      '"body":{},"attributes":[{"key":"a","value":{"arrayValue":{"values":[{"stringValue":""},{"stringValue":"0"},' +
      '{"boolValue":false},{"intValue":"-9223372036854775808"},{"doubleValue":0},{"doubleValue":"NaN"},' +
      '{"doubleValue":"-Infinity"},{"doubleValue":-0},{"doubleValue":1e+21},{"bytesValue":""},{"bytesValue":"+/8="},{},' +
      '{"arrayValue":{}},{"kvlistValue":{"values":[{"key":"k","value":{}}]}}]}}}]}]}]}]}',
  );
});

test('metrics: lists of numbers, optional zeros, bucket lists of an exponential histogram', () => {
  const histogram = {
    data_points: [
      { count: '3', sum: 0, bucket_counts: ['1', '18446744073709551615'], explicit_bounds: [0.5], max: 0 },
    ],
    aggregation_temporality: 2,
  };
  const exponential = { data_points: [{ scale: -3, positive: { offset: -1, bucket_counts: ['0', '7'] } }] };
  const sum = { data_points: [{ as_int: '0', exemplars: [{ as_double: 1.5 }] }], is_monotonic: true };
  const metrics = [{ name: 'h', histogram }, { exponential_histogram: exponential }, { unit: '1', sum }];
  assert.equal(
    write('metrics', { resource_metrics: [{ scope_metrics: [{ metrics }] }] }),
    '{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"scope":{},"metrics":[{"name":"h","histogram":{"dataPoints":[' +
      '{"count":"3","sum":0,"bucketCounts":["1","18446744073709551615"],"explicitBounds":[0.5],"max":0}],"aggregationTemporality":2}},' +
      '{"exponentialHistogram":{"dataPoints":[{"scale":-3,"positive":{"offset":-1,"bucketCounts":["0","7"]},"negative":{}}]}},' +
      '{"unit":"1","sum":{"dataPoints":[{"asInt":"0","exemplars":[{"asDouble":1.5}]}],"isMonotonic":true}}]}]}]}',
  );
});

/** Bytes inside of length-delimited fields, the last tag innermost. */
function wrap(tags: readonly number[], content: readonly number[]): number[] {
  let bytes = [...content];
  for (const tag of [...tags].reverse()) {
    const size = bytes.length;
    bytes = [tag, ...(size < 0x80 ? [size] : [(size & 0x7f) | 0x80, size >>> 7])].concat(bytes);
  }
  return bytes;
}

/** A request with one log record of these bytes. */
const logRecord = (...bytes: number[]): Uint8Array => Uint8Array.from(wrap([0x0a, 0x12, 0x12], bytes));

test('wire forms that encoders may choose: unpacked lists, split messages, repeated values, unknown fields', () => {
  const record = (json: string): string =>
    `{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{},"logRecords":[${json}]}]}]}`;
  // body twice: a string value, then an int value; the later member of the oneof wins.
  assert.equal(
    protoToJson('logs', logRecord(0x2a, 3, 0x0a, 1, 0x61, 0x2a, 2, 0x18, 5)),
    record('{"body":{"intValue":"5"}}'),
  );
  // body twice, an array each time: arrays are joined.
  const arrays = logRecord(0x2a, 4, 0x2a, 2, 0x0a, 0, 0x2a, 4, 0x2a, 2, 0x0a, 0);
  assert.equal(protoToJson('logs', arrays), record('{"body":{"arrayValue":{"values":[{},{}]}}}'));
  // severity_number 5, then 0: the last value wins. Field 15 and a severity_text of the wrong wire type are unknown.
  assert.equal(protoToJson('logs', logRecord(0x10, 5, 0x10, 0, 0x78, 1, 0x18, 1)), record('{"body":{}}'));
  // histogram { data_points { bucket_counts: 1 unpacked, then 2 packed } }
  const point = [0x31, 1, 0, 0, 0, 0, 0, 0, 0, 0x32, 8, 2, 0, 0, 0, 0, 0, 0, 0];
  const request = wrap([0x0a, 0x12, 0x12, 0x4a, 0x0a], point);
  assert.match(
    protoToJson('metrics', Uint8Array.from(request)),
    /"dataPoints":\[\{"bucketCounts":\["1","2"\]\}\]/,
  );
});

test('invalid UTF-8 is replaced, control characters are escaped: the text is always JSON', () => {
  const json = protoToJson('logs', logRecord(0x1a, 5, 0x61, 0xff, 0x00, 0x22, 0x0a));
  assert.equal(JSON.parse(json).resourceLogs[0].scopeLogs[0].logRecords[0].severityText, 'a\ufffd\u0000"\n');
});

test('cut or too deeply nested bytes give a typed error', () => {
  const bytes = encode('traces', {
    resource_spans: [{ scope_spans: [{ spans: [{ name: 'name', attributes: [{ key: 'k' }] }] }] }],
  });
  for (let end = 1; end < bytes.length; end++) {
    assert.throws(
      () => protoToJson('traces', bytes.subarray(0, end)),
      (error) => error instanceof PipelineError && error.code === 'OTLP_MALFORMED' && error.permanent,
    );
  }
  const arrays = (levels: number): Uint8Array =>
    logRecord(...wrap([0x2a, ...new Array<number[]>(levels).fill([0x2a, 0x0a]).flat()], []));
  // Request, resource logs, scope logs, record and body are levels 0 to 4; each array adds two.
  assert.ok(protoToJson('logs', arrays(48)).includes('{"values":[{}]}'));
  const deep = arrays(49);
  assert.throws(
    () => protoToJson('logs', deep),
    (error) => error instanceof PipelineError && error.code === 'OTLP_LIMIT_EXCEEDED',
  );
});
