import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../component/errors.ts';
import type { Signal } from '../component/signal.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { jsonToProto } from './json-to-proto.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const convert = (signal: Signal, json: string | Uint8Array): Uint8Array =>
  jsonToProto(signal, typeof json === 'string' ? utf8(json) : json);

// protobufjs gives nested values without a type; the tests name the paths they look at.
// biome-ignore lint/suspicious/noExplicitAny: see above.
type Decoded = any;

function decode(signal: Signal, bytes: Uint8Array): Decoded {
  return requestType(signal).toObject(requestType(signal).decode(bytes), { longs: String, arrays: false });
}

/** The span that the members of one JSON object make. */
function span(members: string | Uint8Array): Decoded {
  const head = utf8('{"resourceSpans":[{"scopeSpans":[{"spans":[{');
  const body = typeof members === 'string' ? utf8(members) : members;
  const json = Buffer.concat([head, body, utf8('}]}]}]}')]);
  return decode('traces', jsonToProto('traces', json)).resource_spans[0].scope_spans[0].spans[0];
}

function attribute(value: string): Decoded {
  return span(`"attributes":[{"key":"k","value":${value}}]`).attributes[0].value;
}

function point(kind: string, members: string): Decoded {
  const json = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"${kind}":{"dataPoints":[{${members}}]}}]}]}]}`;
  const metric = decode('metrics', convert('metrics', json)).resource_metrics[0].scope_metrics[0].metrics[0];
  return (metric[kind] ?? metric.exponential_histogram).data_points[0];
}

function refuses(run: () => unknown, text: RegExp, code = 'OTLP_MALFORMED'): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof PipelineError);
    assert.equal(error.code, code);
    assert.equal(error.permanent, true);
    assert.match(error.message, text);
    assert.match(error.message, /at byte \d+$/);
    return true;
  });
}

test('ids are hexadecimal in any case; an empty text is unset; any other length is passed on', () => {
  const id = Buffer.from('5b8efff798038103d269b633813fc60c', 'hex');
  assert.deepEqual(Buffer.from(span('"traceId":"5B8EFFF798038103D269B633813FC60C"').trace_id), id);
  assert.deepEqual(Buffer.from(span('"trace_id":"5b8efff798038103d269b633813fc60c"').trace_id), id);
  assert.deepEqual(Buffer.from(span('"traceId":"\\u0035b8eff"').trace_id), id.subarray(0, 3));
  assert.equal(span('"traceId":"","name":"n"').trace_id, undefined);
  assert.equal(span('"spanId":"0102030405060708090a"').span_id.length, 10);
  assert.equal(span(`"spanId":"${'ab'.repeat(300)}"`).span_id.length, 300);
  refuses(() => span('"traceId":"5b8"'), /id is not hexadecimal/);
  refuses(() => span('"traceId":"W47/95gDgQPSabYzgT/GDA=="'), /id is not hexadecimal/);
  refuses(() => span('"traceId":12'), /expected '"'/);
});

test('bytes are base64 in both alphabets, padded or not', () => {
  const value = [...Buffer.from('fbff00', 'hex')];
  for (const text of ['+/8A', '-_8A', '\\u002b/8A'])
    assert.deepEqual([...attribute(`{"bytesValue":"${text}"}`).bytes_value], value);
  for (const text of ['+w==', '-w', '+w'])
    assert.deepEqual([...attribute(`{"bytesValue":"${text}"}`).bytes_value], [0xfb]);
  assert.deepEqual([...attribute('{"bytesValue":"-_8="}').bytes_value], [0xfb, 0xff]);
  assert.deepEqual([...attribute('{"bytesValue":""}').bytes_value], []);
  for (const text of ['A', 'AA=', 'AAAA=', 'A=AA', 'AA AA', 'A===', '=']) {
    refuses(() => attribute(`{"bytesValue":"${text}"}`), /not base64/);
  }
});

test('enums are numbers or names', () => {
  assert.equal(span('"kind":3').kind, 3);
  assert.equal(span('"kind":"3"').kind, 3);
  assert.equal(span('"kind":"SPAN_KIND_CLIENT"').kind, 3);
  assert.equal(span('"status":{"code":"STATUS_CODE_ERROR"}').status.code, 2);
  assert.equal(span('"kind":77').kind, 77);
  assert.equal(span('"kind":-1').kind, -1);
  for (const bad of ['"CLIENT"', '"constructor"', '"length"', '1.5', '2147483648', 'true', '{}']) {
    refuses(() => span(`"kind":${bad}`), /./);
  }
});

test('64-bit integers are exact over the whole range, quoted or not, in any notation', () => {
  for (const text of [
    '18446744073709551615',
    '9007199254740993',
    '1544712660000000123',
    '1',
    '10000000000',
  ]) {
    assert.equal(span(`"startTimeUnixNano":"${text}"`).start_time_unix_nano, text);
    assert.equal(span(`"startTimeUnixNano":${text}`).start_time_unix_nano, text);
  }
  for (const text of [
    '-9223372036854775808',
    '9223372036854775807',
    '-1',
    '-4294967296',
    '4294967295',
    '0',
  ]) {
    assert.equal(attribute(`{"intValue":"${text}"}`).int_value, text);
    assert.equal(attribute(`{"intValue":${text}}`).int_value, text);
    assert.equal(point('gauge', `"asInt":"${text}"`).as_int, text);
  }
  const spellings = {
    '1e3': '1000',
    '1.5e1': '15',
    '100e-2': '1',
    '0e99999999': '0',
    '-0': '0',
    '12.000': '12',
  };
  for (const [text, value] of Object.entries(spellings)) {
    assert.equal(attribute(`{"intValue":${text}}`).int_value, value);
    assert.equal(attribute(`{"intValue":"${text}"}`).int_value, value);
  }
  assert.equal(
    span('"startTimeUnixNano":1.8446744073709551615e19').start_time_unix_nano,
    '18446744073709551615',
  );
  assert.equal(attribute('{"intValue":"+0007"}').int_value, '7');
  assert.equal(attribute('{"intValue":"\\u0037"}').int_value, '7');
});

test('integers that are none, or out of range, are refused', () => {
  const wrong = [
    '1.5',
    '1e-1',
    '9223372036854775808',
    '-9223372036854775809',
    '1e19',
    '1e99999999999',
    '123456789012345678901',
  ];
  for (const text of wrong) {
    refuses(() => attribute(`{"intValue":${text}}`), /integer/);
    refuses(() => attribute(`{"intValue":"${text}"}`), /integer/);
  }
  for (const text of ['', ' 1', '1 ', '0x10', '1_0', '1e', '1e+', '.5', '5.', '-', '--1', '1.2.3', 'NaN']) {
    refuses(() => attribute(`{"intValue":"${text}"}`), /integer|exponent/);
  }
  for (const text of ['01', '-01', '+1', '.5', '5.', '1e', '-', 'NaN', 'true', '[]', '1.e1']) {
    refuses(() => attribute(`{"intValue":${text}}`), /./);
  }
  refuses(() => span('"startTimeUnixNano":18446744073709551616'), /over 64 bits/);
  refuses(() => span('"startTimeUnixNano":-1'), /negative/);
  refuses(() => span('"flags":4294967296'), /over 32 bits/);
  refuses(() => point('exponentialHistogram', '"scale":2147483648'), /over 32 bits/);
});

test('32-bit integers are numbers or texts', () => {
  assert.equal(span('"flags":4294967295').flags, 4294967295);
  assert.equal(span('"droppedEventsCount":"300"').dropped_events_count, 300);
  assert.equal(point('exponentialHistogram', '"scale":-2147483648').scale, -2147483648);
  assert.equal(point('exponentialHistogram', '"scale":"20"').scale, 20);
});

test('doubles are numbers, numeric texts and the three names', () => {
  const values = {
    '0.1': 0.1,
    '-0': -0,
    '5e-324': 5e-324,
    '1.7976931348623157e308': Number.MAX_VALUE,
    '12': 12,
    '0.30000000000000004': 0.1 + 0.2,
    '9007199254740993': 2 ** 53,
    '123456789.123456': 123456789.123456,
    '1E+2': 100,
  };
  for (const [text, value] of Object.entries(values)) {
    assert.ok(Object.is(attribute(`{"doubleValue":${text}}`).double_value, value), text);
    assert.ok(Object.is(attribute(`{"doubleValue":"${text}"}`).double_value, value), text);
  }
  const names = { NaN: Number.NaN, Infinity, '-Infinity': -Infinity, '+Inf': Infinity, '-Inf': -Infinity };
  for (const [text, value] of Object.entries(names)) {
    assert.ok(Object.is(attribute(`{"doubleValue":"${text}"}`).double_value, value), text);
    refuses(() => attribute(`{"doubleValue":${text}}`), /not a JSON value/);
  }
  for (const text of ['1e999', '-1e999'])
    refuses(() => attribute(`{"doubleValue":${text}}`), /range of a double/);
  for (const text of ['', 'inf', '0x1p3', '1.', '.5', ' 1'])
    refuses(() => attribute(`{"doubleValue":"${text}"}`), /not a number/);
  for (const text of ['01.5', '1.', '.5', '1.5.2', '1e', '-'])
    refuses(() => attribute(`{"doubleValue":${text}}`), /./);
});

test('null is unset for every kind of field, and an empty element in a list of messages', () => {
  const nulls =
    '"name":null,"kind":null,"status":null,"attributes":null,"traceId":null,"startTimeUnixNano":null';
  assert.deepEqual(span(nulls), {});
  assert.deepEqual(attribute('{"stringValue":"a","intValue":null}'), { string_value: 'a' });
  assert.deepEqual(attribute('{"arrayValue":{"values":[null,{"boolValue":true},null]}}').array_value.values, [
    {},
    { bool_value: true },
    {},
  ]);
  refuses(() => point('histogram', '"bucketCounts":[null]'), /not a JSON value|integer/);
});

test('attribute values: zero values count, an empty object is an empty value', () => {
  assert.deepEqual(attribute('{}'), {});
  assert.deepEqual(attribute('{"stringValue":""}'), { string_value: '' });
  assert.deepEqual(attribute('{"boolValue":false}'), { bool_value: false });
  assert.deepEqual(attribute('{"intValue":0}'), { int_value: '0' });
  assert.deepEqual(attribute('{"arrayValue":{}}'), { array_value: {} });
  assert.deepEqual(attribute('{"kvlistValue":{"values":[]}}'), { kvlist_value: {} });
  for (const text of ['"true"', '1', '"false"'])
    refuses(() => attribute(`{"boolValue":${text}}`), /not a JSON value/);
});

test('optional fields keep their zero, others leave it out', () => {
  assert.deepEqual(point('histogram', '"min":0,"max":0,"sum":0,"count":0,"flags":0'), {
    min: 0,
    max: 0,
    sum: 0,
  });
  assert.equal(
    convert('traces', '{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":0,"name":"","flags":0}]}]}]}')
      .length,
    6,
  );
});

test('lists of numbers are written packed', () => {
  const bytes = convert(
    'metrics',
    '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":["1",2]}]}}]}]}]}',
  );
  assert.ok(Buffer.from(bytes).toString('hex').endsWith(`3210${'0100000000000000'}${'0200000000000000'}`));
  assert.deepEqual(point('histogram', '"explicitBounds":[0,1.5,"NaN"]').explicit_bounds, [
    0,
    1.5,
    Number.NaN,
  ]);
  assert.deepEqual(
    point('exponentialHistogram', '"positive":{"offset":-2,"bucketCounts":[1,"18446744073709551615"]}')
      .positive,
    {
      offset: -2,
      bucket_counts: ['1', '18446744073709551615'],
    },
  );
  const many = Array.from({ length: 300 }, (_, i) => String(i));
  assert.deepEqual(point('histogram', `"bucketCounts":[${many.join()}]`).bucket_counts, many);
});

test('an empty request is an empty message', () => {
  for (const json of [
    '{}',
    ' {\n}\t',
    '{"resourceSpans":[]}',
    '{"resourceSpans":null}',
    '{"resource_spans" : [ ] }',
  ]) {
    assert.equal(convert('traces', json).length, 0);
  }
});
