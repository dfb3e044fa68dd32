import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileCondition } from './condition.ts';
import { OttlSyntaxError } from './errors.ts';
import type { OttlContext } from './fields.ts';
import { answer, type Place, pairs } from './ottl.test-peer.ts';

const PLACE: Place = {
  resource: { attributes: pairs({ 'service.name': 'shop' }) },
  scope: { name: 'lib', version: '1.2' },
  span: {
    name: 'GET /health',
    kind: 2,
    parent_span_id: new Uint8Array(8).fill(3),
    start_time_unix_nano: '1000000000',
    end_time_unix_nano: '3000000000',
    status: { code: 2, message: 'broken' },
    trace_state: 'a=1, b=2',
    attributes: pairs({ code: 503, path: '/a', ratio: 0.5, ok: true, list: ['x', 2], map: { k: 'v' } }),
  },
};

function issueOf(text: string, context: OttlContext = 'span'): string {
  try {
    compileCondition(text, { context });
  } catch (error) {
    assert.ok(error instanceof OttlSyntaxError, String(error));
    return error.message;
  }
  return 'no error';
}

test('conditions over a span and what is above it', () => {
  const cases: [string, boolean | string][] = [
    ['name == "GET /health"', true],
    ['span.name != "GET /health"', false],
    ['attributes["code"] >= 500 and attributes["code"] < 600', true],
    ['attributes["code"] == 503.0', true],
    ['attributes["missing"] == nil', true],
    ['attributes["ratio"] > 0', true],
    ['attributes["ok"] == true', true],
    ['attributes["list"][1] == 2', true],
    ['attributes["list"][2] == 2', 'error: index 2 is out of bounds'],
    ['attributes["map"]["k"] == "v"', true],
    ['attributes["map"]["none"] == nil', true],
    ['resource.attributes["service.name"] == "shop"', true],
    ['instrumentation_scope.name == "lib" and scope.version == "1.2"', true],
    ['kind == SPAN_KIND_SERVER', true],
    ['kind.string == "Server" and kind.deprecated_string == "SPAN_KIND_SERVER"', true],
    ['status.code == STATUS_CODE_ERROR and status.message == "broken"', true],
    ['end_time_unix_nano - start_time_unix_nano == 2000000000', true],
    ['trace_state["b"] == "2"', true],
    ['trace_id.string == "01010101010101010101010101010101"', true],
    ['IsMatch(name, "^GET ")', true],
    ['IsMatch(attributes["code"], "^5..$")', true],
    ['IsMatch(attributes["none"], ".*")', false],
    ['IsString(attributes["path"]) and not IsString(attributes["code"])', true],
    ['IsRootSpan()', false],
    ['not (name == "x" or kind == 2)', false],
    ['name == "x" or (kind == 2 and (1 + 2) * 2 == 6)', true],
    ['-attributes["code"] < -502', true],
    ['3-5 == -2', true],
    ['attributes["ok"] + 1 == 2', 'error: "+" does not go with bool and int'],
    ['true', true],
    ['name == "x" and false', false],
  ];
  for (const [text, expected] of cases) assert.equal(answer(text, PLACE), expected, text);
});

test('events see their span', () => {
  const place = { ...PLACE, event: { name: 'exception', attributes: pairs({ type: 'io' }) } };
  for (const text of [
    'name == "exception"',
    'spanevent.attributes["type"] == "io" and span.name == "GET /health"',
    'event_index == 0 and resource.attributes["service.name"] == "shop"',
  ]) {
    assert.equal(answer(text, place), true, text);
  }
});

test('mistakes are told with their column and the nearest name', () => {
  const cases: [string, string][] = [
    ['nmae == "x"', 'unknown path "nmae" (did you mean "name"?) (column 1)'],
    [
      'kind == SPAN_KIND_SERVR',
      'unknown name "SPAN_KIND_SERVR" in context span (did you mean "SPAN_KIND_SERVER"?) (column 9)',
    ],
    ['IsMtch(name, "x")', 'unknown converter "IsMtch" (did you mean "IsMatch"?) (column 1)'],
    ['IsMatch(name)', 'IsMatch takes (target, pattern), got 1 arguments (column 1)'],
    ['name', 'expected a comparison (a path or value alone is no condition), got the end (column 5)'],
    ['name == ', 'expected a value, got the end (column 9)'],
    ['name == "x', 'text without a closing quote (column 9)'],
    ["name == 'x'", 'texts stand in double quotes (column 9)'],
    ['name == "\\d"', 'unknown escape "\\d" (a backslash itself is written \\\\) (column 10)'],
    ['(name == "x"', 'expected ")", got the end (column 13)'],
    ['name["x"] == 1', 'path "name" cannot be indexed (column 1)'],
    ['All(attributes, "x")', 'converter "All" is not supported yet (column 1)'],
    ['set(name, "x") == 1', 'editor "set" cannot stand here: only converters yield a value (column 1)'],
  ];
  for (const [text, expected] of cases) assert.equal(issueOf(text), expected, text);
  assert.match(issueOf('nmae == 1 or knd == 2'), /"nmae".*column 1.*; unknown path "knd".*column 14/);
  assert.match(issueOf('IsMatch(name, "(")'), /IsMatch: error parsing regexp/);
  assert.match(
    issueOf('datapoint.flags == 1'),
    /is not there in context span, which reaches span, scope, resource/,
  );
  assert.match(
    issueOf('IsRootSpan()', 'resource'),
    /converter "IsRootSpan" is not there in context resource/,
  );
});
