/** Whatever converters are given, they yield a value, have no answer, or are refused at start; nothing else ever leaves them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scanRequest } from '../otlp/scan.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import { conditionRequests } from '../testkit/services/condition-requests.ts';
import { type Condition, compileCondition } from './condition.ts';
import { CONVERTERS } from './converters/catalogue.ts';
import type { Parameter } from './converters/converter.ts';
import { OttlCursor } from './cursor.ts';
import { EvaluationError, OttlSyntaxError } from './errors.ts';

const ANY = [
  'attributes["x"]',
  'attributes["y"]',
  'attributes["code"]',
  'attributes["none"]',
  'attributes',
  'events',
  'trace_id',
  'nil',
];
const BY_KIND: Record<string, readonly string[]> = {
  string: [
    ...[
      'attributes["text"]',
      'name',
      '"%v %*.*f %q %c"',
      '"[a-z]+(?P<n>.)"',
      '"%Y-%m-%d %H:%M:%S.%L"',
      '"base64"',
      '"desc"',
      '"a,b"',
    ],
    ...['","', '""', '"2006-01-02 15:04 MST"', '"Europe/Berlin"', '"snake"', 'trace_state', '"10.0.0.0/8"'],
  ],
  int: ['attributes["int"]', '0', '-1', '3', '16', '64', '9223372036854775807', '-9223372036854775808'],
  float: ['0.0', '1.5', '-1.0e300'],
  bool: ['true', 'false'],
  time: ['start_time', 'end_time', 'Unix(-99999999999)', 'Unix(9223372036)'],
  duration: ['Duration("1h")', 'end_time - start_time', 'Duration("-1ns")'],
  map: ['resource.attributes', '{}', '{"a": [{"equals": ["x"]}]}', '{"k": {"k": attributes["x"]}}'],
  list: [
    'attributes["list"]',
    '[]',
    '[1, "a", nil, 2.5, [true]]',
    '["a", "b"]',
    '["10.0.0.0/8", "::/0"]',
    '[attributes["text"]]',
  ],
};

function argument({ kind }: Parameter): fc.Arbitrary<string> {
  const [plain = 'any'] = kind.endsWith('list') ? ['list'] : kind.split('-');
  const fitting = BY_KIND[plain] ?? Object.values(BY_KIND).flat();
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...fitting) },
    fc.constantFrom(...ANY, ...Object.values(BY_KIND).flat()),
  );
}

const call = fc.constantFrom(...Object.keys(CONVERTERS)).chain((name) => {
  const { params } = CONVERTERS[name]!;
  const required = params.filter(({ isOptional }) => isOptional !== true).length;
  return fc
    .tuple(fc.integer({ min: required, max: params.length }), ...params.map(argument))
    .map(([count, ...args]) => `${name}(${args.slice(0, count).join(', ')}) != "text"`);
});

function compiled(text: string): Condition | undefined {
  try {
    return compileCondition(text, { context: 'span' });
  } catch (error) {
    assert.ok(error instanceof OttlSyntaxError, `${text}: ${(error as Error).stack}`);
    return undefined;
  }
}

test('no argument makes a converter throw anything but its own errors', () => {
  const [bytes] = conditionRequests('traces', 40, 3) as [Uint8Array];
  const index = new RequestIndex();
  scanRequest('traces', bytes, 0, bytes.length, index);
  const cursor = new OttlCursor();
  let answers = 0;
  let failures = 0;
  const property = fc.property(call, (text) => {
    const condition = compiled(text);
    if (condition === undefined) return;
    cursor.begin('traces', bytes, index);
    for (let item = 0; item < index.itemCount; item++) {
      cursor.moveToItem(item);
      try {
        assert.equal(typeof condition.evaluate(cursor), 'boolean');
        answers++;
      } catch (error) {
        assert.ok(error instanceof EvaluationError, `${text}: ${(error as Error).stack}`);
        failures++;
      }
    }
  });
  fc.assert(property, { numRuns: 8000 });
  assert.ok(answers > 10_000 && failures > 1000, `${answers} answers and ${failures} failures`);
});
