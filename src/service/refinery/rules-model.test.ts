/** Random rules and traces: what the converted policies decide is what Refinery's rules say. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  encodeSpans,
  policyBed,
  type SpanModel,
  TraceMap,
} from '../../processors/tail_sampling/policies/policies.test-peer.ts';
import { VERDICT_DROPPED, VERDICT_SAMPLED } from '../../processors/tail_sampling/policy-set.ts';
import { translateCondition } from './conditions.ts';
import { convertSampler } from './policies.ts';
import type { ConditionRule, SamplerChoice, SamplingRule } from './rules-schema.ts';

type Scalar = string | number | boolean;
type Event = Map<string, Scalar>;

const NO_SAMPLER: SamplerChoice = {
  DeterministicSampler: undefined,
  DynamicSampler: undefined,
  EMADynamicSampler: undefined,
  EMAThroughputSampler: undefined,
  WindowedThroughputSampler: undefined,
  TotalThroughputSampler: undefined,
};
const TEXTS = ['x', 'xy', 'y.z', '1', '1.5', 'true'];
const value = fc.constantFrom<Scalar>(...TEXTS, 1, 2, 1.5, -3, true, false);
const attributes = fc.dictionary(fc.constantFrom('a', 'b'), value, { maxKeys: 2 });
const span: fc.Arbitrary<SpanModel> = fc.record({
  attributes,
  status: fc.constantFrom(0, 1, 2),
  parent: fc.boolean(),
  // Resources have names of their own: where both have one, string_attribute sees both.
  resource: fc.dictionary(fc.constantFrom('service.name', 'c'), value, { maxKeys: 2 }),
  start: fc.constant(0),
  end: fc.constantFrom(1_000_000, 5_000_000),
});

/** The flat event that Honeycomb makes of a span. */
function eventOf({ attributes: own, resource, status, end }: SpanModel): Event {
  return new Map<string, Scalar>([
    ...(Object.entries(resource ?? {}) as [string, Scalar][]),
    ...(Object.entries(own ?? {}) as [string, Scalar][]),
    ['name', 'operation'],
    ['span.kind', 'server'],
    ['status_code', status!],
    ['duration_ms', Number(end) / 1e6],
    ...(status === 2 ? ([['error', true]] as [string, Scalar][]) : []),
  ]);
}

const COMPARISONS = ['=', '!=', '>', '>=', '<', '<='];
const field = fc.constantFrom('a', 'b', 'c', 'service.name', 'name', 'status_code', 'root.a', 'root.c');
const datatype = fc.constantFrom<ConditionRule['datatype']>('', 'string', 'int', 'float');
const base = { field: '', fields: [], value: undefined, datatype: '' as const };
const condition = fc.oneof(
  fc
    .record({ field, operator: fc.constantFrom(...COMPARISONS), value, datatype })
    .map((each) => ({ ...base, ...each })),
  fc
    .record({ field, operator: fc.constantFrom('starts-with', 'contains', 'does-not-contain'), value })
    .map((each) => ({ ...base, ...each })),
  fc
    .record({ field, operator: fc.constantFrom('exists', 'not-exists') })
    .map((each) => ({ ...base, ...each })),
  fc
    .record({
      field,
      operator: fc.constantFrom('in', 'not-in'),
      value: fc.array(value, { minLength: 1, maxLength: 3 }),
    })
    .map((each) => ({ ...base, ...each })),
  fc
    .record({
      fields: fc.constantFrom<string[]>(['a', 'b'], ['b', 'c'], ['root.b', 'root.a']),
      operator: fc.constantFrom('=', '!=', 'exists'),
      value,
    })
    .map((each) => ({ ...base, ...each })),
  fc
    .record({ operator: fc.constantFrom(...COMPARISONS), value: fc.integer({ min: 0, max: 5 }) })
    .map((each) => ({ ...base, field: '?.NUM_DESCENDANTS', ...each })),
  fc.record({ value: fc.boolean() }).map((each) => ({ ...base, operator: 'has-root-span', ...each })),
  fc.constantFrom(
    { ...base, field: 'error', operator: 'exists' },
    { ...base, field: 'duration_ms', operator: '>', value: 2.5 },
  ),
  fc.constantFrom({ ...base, field: 'span.kind', operator: '=', value: 'server' }),
);
const rule: fc.Arbitrary<SamplingRule> = fc.record({
  name: fc.constantFrom('', 'same'),
  conditions: fc
    .array(condition, { maxLength: 3 })
    .map((list): ConditionRule[] | undefined => (list.length === 0 ? undefined : list)),
  scope: fc.constantFrom<'trace' | 'span'>('trace', 'span'),
  sampler: fc.constantFrom<SamplerChoice | undefined>(undefined, undefined, {
    ...NO_SAMPLER,
    DeterministicSampler: { sampleRate: 2 },
  }),
  drops: fc.boolean(),
  sampleRate: fc.constantFrom(undefined, 0, 1, 2, 3),
});

/** undefined: they cannot be compared. */
function order(left: Scalar, right: unknown): number | undefined {
  if (typeof left !== typeof right) return undefined;
  const [a, b] = [left as number, right as number];
  return a === b ? 0 : a < b ? -1 : 1;
}

function converted(from: unknown, type: ConditionRule['datatype']): Scalar | undefined {
  if (type === 'string' || type === '') return type === '' ? (from as Scalar) : String(from);
  if (typeof from === 'boolean') return Number(from);
  const number =
    typeof from === 'string' ? (/^-?\d+(\.\d+)?$/.test(from) ? Number(from) : Number.NaN) : (from as number);
  if (Number.isNaN(number) || (type === 'int' && typeof from === 'string' && !Number.isInteger(number)))
    return undefined;
  return type === 'int' ? Math.trunc(number) : number;
}

/** A field that is missing meets nothing but not-exists. */
function meets(
  found: Scalar | undefined,
  { operator, value: wanted, datatype: type }: ConditionRule,
): boolean {
  if (operator === 'exists') return found !== undefined;
  if (operator === 'not-exists' || found === undefined)
    return found === undefined && operator === 'not-exists';
  switch (operator) {
    case 'starts-with':
      return String(found).startsWith(String(wanted));
    case 'contains':
      return String(found).includes(String(wanted));
    case 'does-not-contain':
      return !String(found).includes(String(wanted));
    case 'in':
      return (wanted as Scalar[]).includes(found);
    case 'not-in':
      return !(wanted as Scalar[]).includes(found);
  }
  const left = converted(found, type);
  const compared = left === undefined ? undefined : order(left, converted(wanted, type));
  if (compared === undefined) return false;
  switch (operator) {
    case '=':
      return compared === 0;
    case '!=':
      return compared !== 0;
    case '>':
      return compared > 0;
    case '>=':
      return compared >= 0;
    case '<':
      return compared < 0;
    default:
      return compared <= 0;
  }
}

function matchesRule({ conditions = [], scope }: SamplingRule, spans: readonly SpanModel[]): boolean {
  const isRoot = (each: SpanModel) => each.parent !== true;
  const holds = (each: ConditionRule, candidates: readonly SpanModel[]): boolean => {
    if (each.operator === 'has-root-span') return spans.some(isRoot) === each.value;
    const fields = each.field === '' ? each.fields : [each.field];
    if (fields[0] === '?.NUM_DESCENDANTS') return meets(spans.length, each);
    const ofRoot = fields[0]!.startsWith('root.');
    const names = fields.map((name) => name.replace('root.', ''));
    if (ofRoot && !spans.some(isRoot)) return meets(undefined, each);
    return (ofRoot ? spans.filter(isRoot) : candidates).some((candidate) => {
      const event = eventOf(candidate);
      return meets(event.get(names.find((name) => event.has(name)) ?? names[0]!), each);
    });
  };
  if (scope === 'trace' || conditions.length === 0) return conditions.every((each) => holds(each, spans));
  return spans.some((one) => conditions.every((each) => holds(each, [one])));
}

/** Which of the rates keeps the one trace of this test: the choice is that of another policy, tested with it. */
const KEPT_AT = new Map(
  [2, 3].map((rate) => {
    const policy = { name: 'p', type: 'probabilistic', probabilistic: { sampling_percentage: 100 / rate } };
    const { set } = policyBed({ policies: [policy] });
    const map = new TraceMap(set);
    map.observe(encodeSpans([{}]));
    const [id] = map.words.keys();
    return [rate, map.decide(id!) === VERDICT_SAMPLED] as const;
  }),
);

function expectedOf(rules: readonly SamplingRule[], spans: readonly SpanModel[]): boolean {
  const first = rules.find((each) => matchesRule(each, spans));
  if (first === undefined) return true;
  const { sampler, drops, sampleRate = 1 } = first;
  if (sampler !== undefined) return KEPT_AT.get(2)!;
  if (drops || sampleRate <= 0) return false;
  return sampleRate === 1 || KEPT_AT.get(sampleRate)!;
}

test('policies made of rules decide as the rules do', () => {
  let kept = 0;
  let decided = 0;
  const trace = fc
    .array(span, { minLength: 1, maxLength: 4 })
    // One root at most.
    .map((spans) => spans.map((each, at) => (at === 0 ? each : { ...each, parent: true })));
  const traces = fc.array(trace, { minLength: 1, maxLength: 6 });
  const property = fc.property(fc.array(rule, { maxLength: 5 }), traces, (rules, all) => {
    const isWhole = ({ conditions = [] }: SamplingRule) =>
      conditions.every((each) => translateCondition(each).kind !== 'none');
    const sampler = { ...NO_SAMPLER, RulesBasedSampler: { rules, checksNestedFields: false } };
    const policies = convertSampler(sampler).policies.map(({ policy }) => policy);
    const { set } = policyBed({ policies, sample_on_first_match: true });
    for (const spans of all) {
      const map = new TraceMap(set);
      map.observe(encodeSpans(spans));
      const [id] = map.words.keys();
      const verdict = map.decide(id!);
      const isKept = expectedOf(rules.filter(isWhole), spans);
      assert.equal(
        verdict === VERDICT_SAMPLED,
        isKept,
        JSON.stringify({ policies, spans, verdict }, null, 1),
      );
      if (verdict === VERDICT_DROPPED) assert.equal(isKept, false);
      kept += Number(isKept);
      decided++;
    }
  });
  fc.assert(property, { numRuns: 400 });
  assert.ok(kept > decided * 0.2 && kept < decided * 0.9, `${kept} of ${decided} kept`);
});
