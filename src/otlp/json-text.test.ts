/** What the converter takes as JSON and what it refuses; the values themselves are in json-to-proto.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../component/errors.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { jsonToProto } from './json-to-proto.ts';

const HEAD = '{"resourceSpans":[{"scopeSpans":[{"spans":[{';
const TAIL = '}]}]}]}';
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const convert = (json: string): Uint8Array => jsonToProto('traces', utf8(json));
const convertSpan = (members: string): string => Buffer.from(convert(HEAD + members + TAIL)).toString('hex');

// protobufjs gives nested values without a type; the tests name the paths they look at.
// biome-ignore lint/suspicious/noExplicitAny: see above.
type Decoded = any;

function span(members: string): Decoded {
  const type = requestType('traces');
  const request: Decoded = type.toObject(type.decode(convert(HEAD + members + TAIL)), { longs: String });
  return request.resource_spans[0].scope_spans[0].spans[0];
}

/** Content of the `name` of a span, as bytes: protobufjs refuses invalid UTF-8. */
function nameBytes(content: Uint8Array): number[] {
  const bytes = jsonToProto('traces', Buffer.concat([utf8(`${HEAD}"name":"`), content, utf8(`"${TAIL}`)]));
  return [...bytes.subarray(6)];
}

function refuses(run: () => unknown, text: RegExp, code = 'OTLP_MALFORMED'): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof PipelineError, String(error));
    assert.equal(error.code, code);
    assert.equal(error.permanent, true);
    assert.match(error.message, text);
    return true;
  });
}

test('strings: escapes, NUL, surrogate pairs; a lone surrogate becomes U+FFFD', () => {
  const cases = {
    '\\"\\\\\\/\\b\\f\\n\\r\\t': '"\\/\b\f\n\r\t',
    '\\u0000a\\u00e9\\u20AC\\uFFFF': '\u0000aé€\uffff',
    '\\ud83d\\ude00 \\uDBFF\\uDFFF': '😀 \u{10ffff}',
    'a\\ud800b': 'a\ufffdb',
    '\\ud800': '\ufffd',
    '\\ude00\\ud83d': '\ufffd\ufffd',
    '\\ud83d\\u0041': '\ufffdA',
    '\\ud83d\\uffee': '\ufffd\uffee',
    '\\ud83d\\ud83d': '\ufffd\ufffd',
    '\\ud800\\ud83d\\ude00': '\ufffd😀',
    '😀é': '😀é',
  };
  for (const [text, value] of Object.entries(cases)) assert.equal(span(`"name":"${text}"`).name, value, text);
  for (const bad of ['\\x', '\\u12', '\\u12g4', '\\', '\\uD83D\\u', 'a\nb', '\t', '\u0000']) {
    refuses(() => span(`"name":"${bad}"`), /escape|control character|unterminated/);
    refuses(() => span(`"unknown":"${bad}"`), /escape|control character|unterminated/);
  }
});

test('strings: invalid UTF-8 is stored as it came, like on the protobuf path', () => {
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf8, 0x88]]) {
    assert.deepEqual(nameBytes(Uint8Array.from(bytes)), [0x2a, bytes.length, ...bytes]);
  }
});

test('strings of every length around a longer length prefix', () => {
  for (const sizeBytes of [0, 1, 127, 128, 129, 16_383, 16_384, 128, 1, 2_097_152, 3]) {
    const text = 'n'.repeat(sizeBytes);
    assert.equal(span(`"name":"${text}"`).name, sizeBytes === 0 ? undefined : text);
    assert.equal(span(`"name":"${'\\u006e'.repeat(sizeBytes)}"`).name, sizeBytes === 0 ? undefined : text);
  }
});

test('a name that occurs twice: the last value wins, messages merge, lists append', () => {
  assert.equal(span('"name":"a","name":"b"').name, 'b');
  assert.equal(span('"name":"a","name":""').name, undefined);
  assert.equal(span('"kind":2,"kind":0').kind, undefined);
  assert.equal(span('"start_time_unix_nano":2,"startTimeUnixNano":"3"').start_time_unix_nano, '3');
  assert.deepEqual(span('"status":{"code":2,"message":"m"},"status":{"code":0}').status, { message: 'm' });
  assert.equal(span('"events":[{"name":"a"}],"events":[{"name":"b"}]').events.length, 2);
  const value = span('"attributes":[{"key":"k","value":{"stringValue":"a","intValue":"1"}}]').attributes[0]
    .value;
  assert.deepEqual(value, { int_value: '1' });
});

test('a byte order mark is stepped over, elsewhere it is malformed', () => {
  assert.equal(convert('\ufeff{}').length, 0);
  assert.equal(convert('\ufeff {"resourceSpans":[{}]}').length, 2);
  refuses(() => convert(' \ufeff{}'), /at byte 1$/);
  refuses(() => jsonToProto('traces', Uint8Array.of(0xef, 0xbb, 0x7b, 0x7d)), /at byte 0$/);
});

test('comments, trailing commas and other things that are not JSON are refused', () => {
  const bad = [
    '',
    ' ',
    'null',
    '[]',
    '"x"',
    '1',
    '{',
    '}',
    '{}}',
    '{} {}',
    '{},',
    '{,}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{"a":1 "b":2}',
    '{"a":[1,]}',
    '{"a":[,1]}',
    '{"a":{"b":1,}}',
    '{"a":{,}}',
    '{a:1}',
    "{'a':1}",
    '{"a":1}//',
    '/**/{}',
    '{/*c*/}',
    '{"a":undefined}',
    '{"a":tru}',
    '{"a":True}',
    '{"a":nul}',
    '{"a":[}]}',
    '{"a":{]}',
    '{"a":[1}',
    '{"a":{"b":1]}',
    '{"a":01}',
    '{"a":1.}',
    '{"a":-}',
    '{"a":.5}',
    '{"a":1e}',
    '{"resourceSpans":{}}',
    '{"resourceSpans":[1]}',
    '{"resourceSpans":["a"]}',
    '{"resourceSpans":[{},]}',
    '{"resourceSpans":[{}{}]}',
    '{"resourceSpans":[{}',
    '{"resourceSpans":[null,]}',
    '{"resourceSpans":[[]]}',
    '{"resourceSpans":"x"}',
    '{"a":1}\u0000',
    '{\u00a0}',
  ];
  for (const json of bad) refuses(() => convert(json), /at byte \d+$/);
  refuses(() => span('"status":[]'), /expected an object at byte/);
  refuses(() => span('"name":{}'), /expected '"'/);
  refuses(() => span('"name":"a" "kind":1'), /expected ','/);
});

test('errors carry the offset of the byte they are about', () => {
  refuses(() => convert('{"resourceSpans":[{"resource":7}]}'), /^expected an object at byte 30$/);
  refuses(() => convert('{"resourceSpans":[]} x'), /^text behind the request at byte 21$/);
});

test('unknown fields are skipped at any place, whatever they hold', () => {
  const unknown = '{"a":[],"b":{},"c":[[{"d":[1,-2.5e-3,true,false,null,"\\u0041\\""]}],{}], "e" : "" }';
  const plain = convertSpan('"name":"n","status":{"code":1}');
  assert.equal(
    convertSpan(`"x":${unknown},"name":"n","y": ${unknown} ,"status":{"z":${unknown},"code":1},"w":null`),
    plain,
  );
  assert.equal(
    convertSpan('"Name":"other","NAME":1,"nam":2,"names":3,"":4,"name":"n","status":{"code":1}'),
    plain,
  );
  assert.equal(convertSpan('"\\u006eame":"n","status":{"co\\u0064e":1}'), plain);
  // A field of another message is unknown here.
  assert.equal(convertSpan('"spans":[],"logRecords":{},"name":"n","status":{"code":1}'), plain);
});

test('__proto__ and constructor are names like others', () => {
  const json =
    '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1,"name":"n"';
  assert.equal(convertSpan(json), convertSpan('"name":"n"'));
  const attributes = span('"attributes":[{"key":"__proto__","value":{"stringValue":"v"}}]').attributes;
  assert.equal(attributes[0].key, '__proto__');
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test('white space may stand between any two tokens', () => {
  const compact =
    '"name":"n","attributes":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":1},{}]}}}]';
  const spread = compact.replaceAll(/([[\]{}:,])/g, ' \n\t\r$1 \n\t\r');
  assert.equal(convertSpan(spread), convertSpan(compact));
  refuses(() => convertSpan('\u000b"name":"n"'), /field name/);
});

test('nesting: 100 levels of messages are taken, one more is refused, and so are ten thousand of anything', () => {
  const nested = (levels: number): string =>
    `${'{"arrayValue":{"values":['.repeat(levels)}{}${']}}'.repeat(levels)}`;
  const value = (levels: number): string => `"attributes":[{"key":"k","value":${nested(levels)}}]`;
  // Request, resource spans, scope spans, span, attribute and its value are levels 0 to 5; each array adds two.
  assert.ok(convertSpan(value(47)).length > 0);
  refuses(() => convertSpan(value(48)), /nesting over 100 levels at byte/, 'OTLP_LIMIT_EXCEEDED');
  refuses(() => convertSpan(value(10_000)), /nesting over 100 levels/, 'OTLP_LIMIT_EXCEEDED');
  for (const open of ['[', '{"a":']) {
    const close = open === '[' ? ']' : '}';
    const unknown = (levels: number): string => `"unknown":${open.repeat(levels)}1${close.repeat(levels)}`;
    assert.ok(convertSpan(unknown(96)).length > 0);
    refuses(() => convertSpan(unknown(98)), /nesting over 100 levels/, 'OTLP_LIMIT_EXCEEDED');
    refuses(() => convertSpan(unknown(1_000_000)), /nesting over 100 levels/, 'OTLP_LIMIT_EXCEEDED');
  }
});

test('large inputs take time and memory in proportion to their size', () => {
  const sizeBytes = 8 * 1024 * 1024;
  const start = performance.now();
  const zeros = '0,'.repeat(sizeBytes / 2 - 1);
  const histogram = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":[${zeros}0]}]}}]}]}]}`;
  assert.ok(jsonToProto('metrics', utf8(histogram)).length < 4.1 * histogram.length);
  const deep = 46;
  const long = `${'{"arrayValue":{"values":['.repeat(deep)}{"stringValue":"${'s'.repeat(sizeBytes)}"}${']}}'.repeat(deep)}`;
  assert.ok(convert(`${HEAD}"attributes":[{"value":${long}}]${TAIL}`).length < sizeBytes + 1000);
  assert.equal(
    convert(`{"resourceSpans":[${'{},'.repeat(sizeBytes / 3)}{}]}`).length,
    2 * Math.floor(sizeBytes / 3) + 2,
  );
  assert.equal(convert(`{"x":[${'[],'.repeat(sizeBytes / 3)}1]}`).length, 0);
  assert.equal(convert(`{"resourceSpans":[]${' '.repeat(sizeBytes)}}`).length, 0);
  assert.equal(
    span(`"startTimeUnixNano":1${'0'.repeat(10)}.${'0'.repeat(sizeBytes)}`).start_time_unix_nano,
    '10000000000',
  );
  assert.ok(performance.now() - start < 20_000);
});

test('a view of shared memory is read in place, and the result does not depend on it afterwards', () => {
  const json = utf8(
    `${HEAD}"name":"a\\nb","kind":"SPAN_KIND_SERVER","attributes":[{"value":{"doubleValue":0.12345678901234567}}]${TAIL}`,
  );
  const shared = new Uint8Array(new SharedArrayBuffer(json.length + 20), 10, json.length);
  shared.set(json);
  const bytes = jsonToProto('traces', shared);
  shared.fill(0x20);
  assert.deepEqual(bytes, jsonToProto('traces', json));
  assert.ok(bytes.buffer instanceof ArrayBuffer);
});

test('a failure leaves nothing behind for the next request', () => {
  const before = convertSpan('"name":"n"');
  refuses(() => convertSpan('"name":"n","status":{"code":'), /./);
  assert.equal(convertSpan('"name":"n"'), before);
});
