import assert from 'node:assert/strict';
import test from 'node:test';
import { translateCondition } from './conditions.ts';
import type { ConditionRule } from './rules-schema.ts';

function condition(
  operator: string,
  value: unknown,
  field: string,
  rest: Partial<ConditionRule> = {},
): ConditionRule {
  return { field, fields: [], operator, value, datatype: '', ...rest };
}

function textOf(rule: ConditionRule): string {
  const translation = translateCondition(rule);
  return translation.kind === 'span'
    ? translation.text
    : `${translation.kind} ${JSON.stringify(translation)}`;
}

/** What is asked of a value, once for the span's attribute; the resource is asked where the span has none. */
const OF_VALUES: readonly [
  operator: string,
  value: unknown,
  datatype: ConditionRule['datatype'],
  test: string,
][] = [
  ['=', 'a"b', '', 'X == "a\\"b"'],
  ['=', 5, '', 'X == 5'],
  ['=', true, '', 'X == true'],
  ['!=', 'a', '', '(IsString(X) and X != "a")'],
  ['!=', 1.5, '', '((IsInt(X) or IsDouble(X)) and X != 1.5)'],
  ['!=', false, '', '(IsBool(X) and X != false)'],
  ['>', -3, '', 'X > -3'],
  ['<=', 'm', '', 'X <= "m"'],
  ['starts-with', '/a.b', '', 'IsMatch(X, "^/a\\\\.b")'],
  ['contains', 'a|b', '', 'IsMatch(X, "a\\\\|b")'],
  ['does-not-contain', 'x', '', '(X != nil and not IsMatch(X, "x"))'],
  ['matches', '^a+$', '', 'IsMatch(X, "^a+$")'],
  ['in', ['a', 2], '', '(X == "a" or X == 2)'],
  ['not-in', ['a', 'b'], '', '(X != nil and not (X == "a" or X == "b"))'],
  ['=', 200, 'string', 'String(X) == "200"'],
  ['!=', 'a', 'string', '(X != nil and String(X) != "a")'],
  ['>=', '10', 'int', 'Int(X) >= 10'],
  ['!=', 10, 'int', '(Int(X) != nil and Int(X) != 10)'],
  ['<', '0.5', 'float', 'Double(X) < 0.5'],
];

test('every operator and type of a value has its condition', () => {
  const own = 'span.attributes["k"]';
  const ofResource = 'resource.attributes["k"]';
  for (const [operator, value, datatype, expected] of OF_VALUES) {
    const [first, second] = [own, ofResource].map((source) => expected.replaceAll('X', source));
    const text = textOf(condition(operator, value, 'k', { datatype }));
    assert.equal(
      text,
      `${first} or (${own} == nil and ${second})`,
      `${operator} ${String(value)} ${datatype}`,
    );
  }
});

test('existence, own fields of spans and roots', () => {
  const cases: readonly [ConditionRule, string][] = [
    [condition('exists', undefined, 'k'), 'span.attributes["k"] != nil or resource.attributes["k"] != nil'],
    [
      condition('not-exists', undefined, 'k'),
      'span.attributes["k"] == nil and resource.attributes["k"] == nil',
    ],
    [condition('=', 'GET', 'name'), 'span.name == "GET"'],
    [condition('=', 2, 'status_code'), 'span.status.code == 2'],
    [
      condition('in', ['server', 'consumer'], 'span.kind'),
      'span.kind == SPAN_KIND_SERVER or span.kind == SPAN_KIND_CONSUMER',
    ],
    [condition('!=', 'client', 'span.kind'), 'not (span.kind == SPAN_KIND_CLIENT)'],
    [condition('>', 1.5, 'duration_ms'), '(span.end_time_unix_nano - span.start_time_unix_nano) > 1500000'],
    [condition('not-exists', undefined, 'trace.parent_id'), 'IsRootSpan()'],
    [condition('=', 'x', 'root.name'), 'IsRootSpan() and span.name == "x"'],
    [
      condition('exists', undefined, 'error'),
      'span.status.code == STATUS_CODE_ERROR or span.attributes["error"] != nil or resource.attributes["error"] != nil',
    ],
    [
      condition('exists', undefined, '', { fields: ['a', 'b'] }),
      'span.attributes["a"] != nil or resource.attributes["a"] != nil or span.attributes["b"] != nil or resource.attributes["b"] != nil',
    ],
  ];
  for (const [rule, expected] of cases) assert.equal(textOf(rule), expected);
});

test('what policies say more cheaply is a policy', () => {
  const plain = (rule: ConditionRule) => {
    const translation = translateCondition(rule);
    return translation.kind === 'span' ? translation.plain : translation;
  };
  assert.deepEqual(plain(condition('in', ['a', 'b'], 'k')), {
    type: 'string_attribute',
    string_attribute: { key: 'k', values: ['a', 'b'] },
  });
  assert.deepEqual(plain(condition('=', 2, 'status_code')), {
    type: 'status_code',
    status_code: { status_codes: ['ERROR'] },
  });
  for (const rule of [
    condition('=', '', 'k'),
    condition('=', 'a', 'root.k'),
    condition('in', ['a', 1], 'k'),
  ]) {
    assert.equal(plain(rule), undefined);
  }
});

test('the number of spans is a policy of the trace', () => {
  const count = (operator: string, value: unknown) => {
    const translation = translateCondition(condition(operator, value, '?.NUM_DESCENDANTS'));
    return translation.kind === 'trace' ? translation.policy : translation;
  };
  const between = (min_spans: number, max_spans?: number) => ({
    type: 'span_count',
    span_count: { min_spans, ...(max_spans === undefined ? {} : { max_spans }) },
  });
  assert.deepEqual(count('>', 10), between(11));
  assert.deepEqual(count('>=', 10), between(10));
  assert.deepEqual(count('<', 10), between(0, 9));
  assert.deepEqual(count('<=', 10.5), between(0, 10));
  assert.deepEqual(count('=', 3), between(3, 3));
  assert.deepEqual(count('!=', 3), { type: 'not', not: { not_sub_policy: between(3, 3) } });
  const never = { type: 'not', not: { not_sub_policy: { type: 'always_sample' } } };
  assert.deepEqual(count('<', 1), never);
  assert.deepEqual(count('=', 0), never);
});

test('what has no equivalent says why', () => {
  const reason = (rule: ConditionRule) => {
    const translation = translateCondition(rule);
    return translation.kind === 'none' ? translation.reason : '';
  };
  assert.match(reason(condition('=', 1, 'meta.span_count')), /made by Honeycomb/);
  assert.match(reason(condition('=', 1, '', { fields: ['root.a', 'b'] })), /side by side/);
  assert.match(reason(condition('=', 1, '', { fields: ['a', 'name'] })), /cannot stand among several/);
  assert.match(reason(condition('>', true, 'k')), /cannot be compared by ">" with true/);
  assert.match(reason(condition('in', 'a', 'k')), /needs a list/);
  assert.match(reason(condition('=', 'x', 'duration_ms')), /with a number/);
  assert.match(reason(condition('=', 'x', 'k', { datatype: 'int' })), /"x" is no number/);
  assert.match(reason(condition('=', 1e30, 'k')), /too large/);
  assert.match(reason(condition('starts-with', 's', 'span.kind')), /only be equal or not/);
});
