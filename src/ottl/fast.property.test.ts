/** What works on bytes answers as the general way does, whatever the condition and the item. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SIGNALS, type Signal } from '../component/signal.ts';
import { scanRequest } from '../otlp/scan.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import { conditionRequests } from '../testkit/services/condition-requests.ts';
import { type Condition, compileCondition } from './condition.ts';
import { OttlCursor } from './cursor.ts';
import { EvaluationError } from './errors.ts';
import type { OttlContext } from './fields.ts';

const CONTEXT: Record<Signal, OttlContext> = { traces: 'span', logs: 'log', metrics: 'datapoint' };

const ATTRIBUTES = [
  'attributes["x"]',
  'attributes["y"]',
  'attributes["code"]',
  'attributes["text"]',
  'resource.attributes["zone"]',
];
const PATHS: Record<Signal, readonly string[]> = {
  traces: [
    ...[
      'name',
      'status.message',
      'scope.name',
      'kind',
      'status.code',
      'flags',
      'trace_id',
      'parent_span_id',
      'trace_state',
    ],
    ...['start_time_unix_nano', 'end_time_unix_nano', 'start_time', 'end_time', 'dropped_events_count'],
    ...[
      'end_time_unix_nano - start_time_unix_nano',
      'end_time - start_time',
      'start_time_unix_nano + kind',
      'start_time - Unix(4000000000)',
    ],
  ],
  logs: [
    'severity_number',
    'severity_text',
    'body',
    'event_name',
    'time',
    'observed_time_unix_nano',
    'trace_id',
    'flags',
    'time_unix_nano - observed_time_unix_nano',
  ],
  metrics: [
    ...[
      'metric.name',
      'count',
      'sum',
      'value_int',
      'value_double',
      'flags',
      'zero_count',
      'time',
      'start_time_unix_nano',
    ],
    ...['metric.aggregation_temporality', 'metric.is_monotonic', 'count - zero_count', 'metric.type'],
  ],
};
const LITERALS = [
  ...[
    '0',
    '1',
    '503',
    '-1',
    '2',
    '9007199254740993',
    '-9223372036854775808',
    '1700000000000000000',
    '1000000000',
  ],
  ...[
    '0.0',
    '0.5',
    '503.0',
    '-1.25',
    '9007199254740992.0',
    '""',
    '"a"',
    '"503"',
    '"failed"',
    '"GET"',
    '"zz"',
    '"lib"',
  ],
  ...[
    'true',
    'false',
    'nil',
    '0x01',
    'Unix(1701000000)',
    'Duration("1s")',
    'Duration("-1h")',
    'TraceID(0x00000000000000000000000000000000)',
  ],
  ...['SpanID(0x0000000000000000)', 'SpanID(0x0102030405060708)', '[1]', '{"k": 1}'],
];
const OPERATORS = ['==', '!=', '<', '<=', '>', '>='];
const PATTERNS = ['^[a-z]', '[05]+', '^$', '(?i)get', '\\\\d{3}', 'zz.zz'];
const TYPES = ['IsString', 'IsInt', 'IsDouble', 'IsBool', 'IsMap', 'IsList', 'IsEmpty'];

function atom(signal: Signal): fc.Arbitrary<string> {
  const path = fc.constantFrom(...ATTRIBUTES, ...PATHS[signal]);
  const side = fc.oneof(path, fc.constantFrom(...LITERALS));
  const operator = fc.constantFrom(...OPERATORS);
  const tests = signal === 'traces' ? [...TYPES, 'IsRootSpan'] : TYPES;
  return fc.oneof(
    { weight: 5, arbitrary: fc.tuple(path, operator, side).map((parts) => parts.join(' ')) },
    { weight: 2, arbitrary: fc.tuple(side, operator, path).map((parts) => parts.join(' ')) },
    fc
      .tuple(path, fc.constantFrom(...PATTERNS))
      .map(([target, pattern]) => `IsMatch(${target}, "${pattern}")`),
    fc
      .tuple(fc.constantFrom(...tests), path)
      .map(([name, target]) => (name === 'IsRootSpan' ? `${name}()` : `${name}(${target})`)),
  );
}

function condition(signal: Signal): fc.Arbitrary<string> {
  const { tree } = fc.letrec<{ tree: string; node: string }>((tie) => ({
    tree: fc.oneof({ maxDepth: 2, depthSize: 'small' }, atom(signal), tie('node')),
    node: fc.oneof(
      fc
        .tuple(tie('tree'), fc.constantFrom('and', 'or'), tie('tree'))
        .map(([a, word, b]) => `(${a} ${word} ${b})`),
      tie('tree').map((inner) => `not (${inner})`),
    ),
  }));
  return tree;
}

function outcome({ evaluate }: Condition, cursor: OttlCursor): string {
  try {
    return String(evaluate(cursor));
  } catch (error) {
    assert.ok(error instanceof EvaluationError, String(error));
    return 'error';
  }
}

for (const signal of SIGNALS) {
  test(`${signal}: conditions on bytes equal conditions on values`, () => {
    const requests = conditionRequests(signal, 150, 7);
    const answers = new Set<string>();
    const property = fc.property(condition(signal), (text) => {
      const context = CONTEXT[signal];
      const fast = compileCondition(text, { context });
      const generic = compileCondition(text, { context, isGeneric: true });
      for (const bytes of requests) {
        const index = new RequestIndex();
        scanRequest(signal, bytes, 0, bytes.length, index);
        const [one, other] = [new OttlCursor(), new OttlCursor()];
        one.begin(signal, bytes, index);
        other.begin(signal, bytes, index);
        let metric = 0;
        for (let item = 0; item < index.itemCount; item++) {
          while (signal === 'metrics' && item >= index.metricItemEnd(metric)) metric++;
          for (const cursor of [one, other]) {
            if (signal === 'metrics') cursor.moveToPoint(item, metric);
            else cursor.moveToItem(item);
          }
          const answer = outcome(fast, one);
          answers.add(answer);
          assert.equal(answer, outcome(generic, other), `${text} at item ${item}`);
        }
      }
    });
    fc.assert(property, { numRuns: 250 });
    assert.ok(answers.has('true') && answers.has('false'));
  });
}
