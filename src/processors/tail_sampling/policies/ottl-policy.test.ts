import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../../testkit/otlp-arbitraries.ts';
import { tailSamplingConfigSchema } from '../config.ts';
import { decideTrace, policyBed, type SpanModel, withPolicies } from './policies.test-peer.ts';

const ottl = (block: Message): Message => ({ type: 'ottl_condition', ottl_condition: block });

function decided(policies: Message[], ...spans: SpanModel[]): string {
  return decideTrace(policyBed(withPolicies(policies)).set, spans);
}

test('one true condition on any span samples the trace', () => {
  const policy = ottl({ span: ['attributes["n"] > 5', 'resource.attributes["tier"] == "gold"'] });
  assert.equal(decided([policy], { attributes: { n: 6 } }), 'sampled');
  assert.equal(decided([policy], { attributes: { n: 5 } }, { resource: { tier: 'gold' } }), 'sampled');
  assert.equal(decided([policy], { attributes: { n: 5 } }, { resource: { tier: 'tin' } }), 'not sampled');
  const not: Message = { type: 'not', not: { not_sub_policy: policy } };
  assert.equal(decided([not], { attributes: { n: 5 } }), 'sampled');
});

test('conditions on events look at each event, with the span and resource above it', () => {
  const event = (name: string): Message => ({ name, time_unix_nano: '5' });
  const policy = ottl({ spanevent: ['name == "exception" and span.attributes["n"] == 1'] });
  assert.equal(
    decided([policy], { attributes: { n: 1 }, events: [event('a'), event('exception')] }),
    'sampled',
  );
  assert.equal(decided([policy], { attributes: { n: 2 }, events: [event('exception')] }), 'not sampled');
  assert.equal(
    decided([policy], { attributes: { n: 1 }, events: [event('a')] }, { events: [event('exception')] }),
    'not sampled',
  );
  assert.equal(decided([policy], { attributes: { n: 1 } }), 'not sampled');
});

test('error_mode says what a condition without an answer does', () => {
  const conditions = ['attributes["s"] + 1 == 2', 'name == "other"'];
  const fails: SpanModel = { attributes: { s: 'text' } };
  const passes: SpanModel = { attributes: { s: 1 } };
  for (const error_mode of ['ignore', 'silent', 'propagate']) {
    const bed = policyBed(withPolicies([ottl({ error_mode, span: conditions })]));
    assert.equal(decideTrace(bed.set, [fails]), 'not sampled');
    assert.equal(decideTrace(bed.set, [fails, passes]), 'sampled');
    assert.equal(decideTrace(bed.set, [passes, fails]), 'sampled');
    bed.set.report();
    const errors = bed.meter
      .takeSnapshot()
      .counters.find(({ name }) => name.endsWith('sampling_policy_evaluation_error'));
    assert.equal(errors?.value, error_mode === 'propagate' ? 1 : 0, error_mode);
    assert.equal(bed.logger.lines.length > 0, error_mode === 'ignore', error_mode);
  }
});

test('a policy that fails has no vote, and ends the policy it stands in', () => {
  const failing = ottl({ error_mode: 'propagate', span: ['attributes["s"] + 1 == 2'] });
  const span: SpanModel = { attributes: { s: 'text' } };
  const always: Message = { type: 'always_sample' };
  const not: Message = { type: 'not', not: { not_sub_policy: failing } };
  const drop: Message = { type: 'drop', drop: { drop_sub_policy: [failing] } };
  const composite: Message = {
    type: 'composite',
    composite: {
      max_total_spans_per_second: 10,
      composite_sub_policy: [
        { name: 'f', ...failing },
        { name: 'a', ...always },
      ],
    },
  };
  assert.equal(decided([not], span), 'not sampled');
  assert.equal(decided([composite], span), 'not sampled');
  assert.equal(decided([drop, failing, always], span), 'sampled');
});

test('conditions that are not valid are named with their column', () => {
  const issuesOf = (block: Message) =>
    tailSamplingConfigSchema
      .parse(withPolicies([ottl(block)]))
      .issues.map(({ path, message }) => `${path.slice(3).join('.')}: ${message}`);
  assert.deepEqual(issuesOf({}), [': needs "span", "spanevent" or both']);
  const [first, ...others] = issuesOf({ span: ['name == "a"', 'name = "a"'], spanevent: ['nothing == 1'] });
  assert.match(first!, /^span\.1: .*column 6/);
  assert.deepEqual(others, ['spanevent.0: unknown path "nothing" (column 1)']);
});
