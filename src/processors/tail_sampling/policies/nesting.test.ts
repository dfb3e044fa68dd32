/** How policies combine, and what those with a rate let through in virtual time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../../testkit/otlp-arbitraries.ts';
import { decideTrace, policyBed, type SpanModel, withPolicies } from './policies.test-peer.ts';

const always: Message = { type: 'always_sample' };
const text = (value: string, more: Message = {}): Message => ({
  type: 'string_attribute',
  string_attribute: { key: 's', values: [value], ...more },
});
const failed: Message = { type: 'status_code', status_code: { status_codes: ['ERROR'] } };
const not = (policy: Message): Message => ({ type: 'not', not: { not_sub_policy: policy } });
const and = (...all: Message[]): Message => ({ type: 'and', and: { and_sub_policy: all } });
const drop = (...all: Message[]): Message => ({ type: 'drop', drop: { drop_sub_policy: all } });

const a: SpanModel = { attributes: { s: 'a' } };
const b: SpanModel = { attributes: { s: 'b' } };
const error: SpanModel = { status: 2 };

function decided(policies: readonly Message[], spans: readonly SpanModel[], others: Message = {}): string {
  return decideTrace(policyBed(withPolicies(policies, others)).set, spans);
}

test('and needs all of its policies, on whatever spans', () => {
  const policies = [and(text('a'), failed)];
  assert.equal(decided(policies, [a, error]), 'sampled');
  assert.equal(decided(policies, [error, a]), 'sampled');
  assert.equal(decided(policies, [a, b]), 'not sampled');
  assert.equal(decided(policies, [error]), 'not sampled');
  assert.equal(decided([and(text('a'), not(failed))], [a, b]), 'sampled');
  assert.equal(decided([and(text('a'), not(failed))], [a, error]), 'not sampled');
  assert.equal(decided([not(and(text('a'), failed))], [a]), 'sampled');
  assert.equal(decided([not(and(text('a'), failed))], [a, error]), 'not sampled');
});

test('drop overrides everything, wherever it stands in the list', () => {
  for (const others of [{}, { sample_on_first_match: true }, { invert_match_mode: 'veto' }]) {
    assert.equal(decided([always, drop(text('a'))], [a], others), 'dropped');
    assert.equal(decided([drop(text('a')), always], [a], others), 'dropped');
    assert.equal(decided([always, drop(text('a'))], [b], others), 'sampled');
    assert.equal(decided([always, drop(text('a'), failed)], [a], others), 'sampled');
    assert.equal(decided([always, drop(text('a'), failed)], [a, error], others), 'dropped');
  }
  assert.equal(decided([drop(text('a'))], [b]), 'not sampled');
});

test('invert_match turns the answer of its policy around, or has votes of its own in the old mode', () => {
  const inverted = text('a', { invert_match: true });
  const veto = { invert_match_mode: 'veto' };
  // Columns: policies, spans, now, in the old mode.
  const rows: [Message[], SpanModel[], string, string][] = [
    [[inverted, always], [a], 'sampled', 'not sampled'],
    [[always, inverted], [a], 'sampled', 'not sampled'],
    [[inverted], [a], 'not sampled', 'not sampled'],
    [[inverted], [b], 'sampled', 'sampled'],
    [[inverted, failed], [b], 'sampled', 'not sampled'],
    [[inverted, failed], [b, error], 'sampled', 'sampled'],
    [[and(inverted, always)], [b], 'sampled', 'sampled'],
    [[and(inverted, always), always], [a], 'sampled', 'sampled'],
    [[not(inverted)], [a], 'sampled', 'not sampled'],
  ];
  for (const [policies, spans, now, old] of rows) {
    assert.equal(decided(policies, spans), now, JSON.stringify(policies));
    assert.equal(decided(policies, spans, veto), old, `old: ${JSON.stringify(policies)}`);
  }
});

const spansOf = (count: number): SpanModel[] => Array.from({ length: count }, () => ({}));

test('rate_limiting spends what was saved up, at most twice the rate', () => {
  const { set } = policyBed(
    withPolicies([{ type: 'rate_limiting', rate_limiting: { spans_per_second: 10 } }]),
  );
  const at = (nowMs: number, count: number) => decideTrace(set, spansOf(count), nowMs) === 'sampled';
  assert.equal(at(1000, 21), false, 'more than the bucket holds');
  assert.equal(at(1000, 15), true);
  assert.equal(at(1000, 6), false);
  assert.equal(at(1000, 5), true, 'a smaller trace takes the rest');
  assert.equal(at(1099, 1), false);
  assert.equal(at(1100, 1), true);
  assert.equal(at(1600, 5), true);
  assert.equal(at(99_000, 20), true);
  assert.equal(at(99_000, 1), false);
  const one = policyBed(
    withPolicies([{ type: 'rate_limiting', rate_limiting: { spans_per_second: 1 } }]),
  ).set;
  assert.equal(decideTrace(one, spansOf(1)), 'sampled');
});

test('bytes_limiting counts encoded spans, and burst_capacity bounds a trace', () => {
  const limited = (burst_capacity: number) =>
    policyBed(
      withPolicies([{ type: 'bytes_limiting', bytes_limiting: { bytes_per_second: 1000, burst_capacity } }]),
    ).set;
  const long: SpanModel = { attributes: { s: 'x'.repeat(800) } };
  assert.equal(decideTrace(limited(0), [long, long]), 'sampled');
  assert.equal(decideTrace(limited(0), [long, long, long]), 'not sampled');
  assert.equal(decideTrace(limited(900), [long]), 'sampled');
  assert.equal(decideTrace(limited(700), [long]), 'not sampled');
});

test('a policy with a rate is asked only when those before it in an and agree', () => {
  const rate = { type: 'rate_limiting', rate_limiting: { spans_per_second: 1, burst_capacity: 1 } };
  const { set } = policyBed(withPolicies([and(text('a'), rate)]));
  assert.equal(decideTrace(set, [b]), 'not sampled');
  assert.equal(decideTrace(set, [a]), 'sampled', 'b took nothing from the bucket');
  assert.equal(decideTrace(set, [a]), 'not sampled');
});

const composite = (more: Message): Message => ({
  type: 'composite',
  composite: {
    max_total_spans_per_second: 100,
    composite_sub_policy: [
      { name: 'errors', ...failed },
      { name: 'text', ...text('a') },
      { name: 'rest', ...always },
    ],
    ...more,
  },
});

test('composite gives each policy its share of a second, and the first that matches decides', () => {
  const rate_allocation = [
    { policy: 'errors', percent: 50 },
    { policy: 'text', percent: 3 },
  ];
  const { set } = policyBed(withPolicies([composite({ rate_allocation })]));
  const at = (nowMs: number, ...spans: SpanModel[]) => decideTrace(set, spans, nowMs) === 'sampled';
  assert.equal(at(1000, a, a), true);
  assert.equal(at(1000, a, a), false, '4 of 3 spans, and rest is not asked');
  assert.equal(at(1999, a), true, 'a smaller trace still fits');
  assert.equal(at(1999, a), false);
  assert.equal(at(2000, a, a, a), true, 'another second');
  assert.equal(at(2000, a, error), true, 'errors come first and have their own share');
  assert.equal(at(2000, b), false, 'a policy without an allocation among others has none');
});

test('composite follows policy_order, and shares equally where no percentage says otherwise', () => {
  const shares = (more: Message, spans: SpanModel[]) => {
    const { set } = policyBed(withPolicies([composite(more)]));
    let count = 0;
    while (decideTrace(set, spans) === 'sampled') count++;
    return count;
  };
  assert.equal(shares({}, [b]), 33);
  assert.equal(shares({}, [a]), 33);
  assert.equal(shares({ rate_allocation: [{ policy: 'rest', percent: 0 }] }, [b]), 33);
  const policy_order = ['rest', 'errors', 'text'];
  assert.equal(shares({ policy_order, rate_allocation: [{ policy: 'rest', percent: 10 }] }, [error]), 10);
  assert.equal(
    shares({ policy_order: ['text'], rate_allocation: [{ policy: 'text', percent: 7 }] }, [a, error]),
    3,
  );
  assert.equal(shares({ rate_allocation: [{ policy: 'errors', percent: 700 }] }, [error]), 100);
});

test('the newest rules are those of the reference cases', () => {
  const ms = (count: number): SpanModel => ({ start: 5_000_000_000, end: 5_000_000_000 + count * 1e6 });
  assert.equal(decided([{ type: 'latency', latency: { threshold_ms: 100 } }], [ms(100)]), 'not sampled');
  assert.equal(decided([drop(always), always], [a]), 'dropped');
});

test('sets that decide side by side divide the rates, not what a rate saves up', () => {
  const rate = { type: 'rate_limiting', rate_limiting: { spans_per_second: 10 } };
  const bed = (policy: Message) => policyBed(withPolicies([policy]), 'tail_sampling', 2).set;
  const rated = bed(rate);
  assert.equal(decideTrace(rated, spansOf(20), 0), 'sampled');
  assert.equal(decideTrace(rated, spansOf(6), 1000), 'not sampled');
  assert.equal(decideTrace(rated, spansOf(5), 1000), 'sampled');
  const shared = bed(composite({ rate_allocation: [{ policy: 'errors', percent: 10 }] }));
  assert.equal(decideTrace(shared, [error, a, a, a, a, a], 0), 'not sampled');
  assert.equal(decideTrace(shared, [error, a, a, a, a], 0), 'sampled');
});
