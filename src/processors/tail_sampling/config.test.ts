import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadEffectiveConfig } from '../../config/effective-config.ts';
import { BUILTIN } from '../../registry/builtin.ts';
import type { Message } from '../../testkit/otlp-arbitraries.ts';
import { tailSamplingConfigSchema } from './config.ts';

const always = { name: 'all', type: 'always_sample' };

function issuesOf(raw: unknown): string[] {
  const { issues } = tailSamplingConfigSchema.parse(raw);
  return issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`));
}

/** What is wrong with one policy. */
function policyIssues(policy: Message, others: Message = {}): string[] {
  return issuesOf({ policies: [{ name: 'p', ...policy }], ...others });
}

test('defaults are those of the Collector', () => {
  const { value } = tailSamplingConfigSchema.parse({ policies: [always] });
  assert.deepEqual(value, {
    decisionWaitMs: 30_000,
    decisionWaitAfterRootMs: 0,
    numTraces: 50_000,
    expectedNewTracesPerSec: 0,
    sampledCacheSize: 0,
    nonSampledCacheSize: 0,
    samplesOnFirstMatch: false,
    dropsPendingOnShutdown: false,
    blocksOnOverflow: false,
    maximumTraceSizeBytes: 0,
    samplingStrategy: 'trace-complete',
    usesOldInversion: false,
    countsBytes: false,
    policies: [{ ...always, block: undefined }],
  });
});

test('every key is read', () => {
  const { value, issues, warnings } = tailSamplingConfigSchema.parse({
    decision_wait: '5s',
    decision_wait_after_root_received: '500ms',
    num_traces: 100,
    expected_new_traces_per_sec: 10,
    decision_cache: { sampled_cache_size: 1000, non_sampled_cache_size: 2000 },
    sample_on_first_match: true,
    drop_pending_traces_on_shutdown: true,
    block_on_overflow: true,
    maximum_trace_size_bytes: 1_000_000,
    sampling_strategy: 'trace-complete',
    invert_match_mode: 'veto',
    count_bytes_sampled: true,
    tail_storage: 'file_storage',
    num_shards: 4,
    policies: [always],
  });
  assert.deepEqual(issues, []);
  const { policies: _, ...others } = value!;
  assert.deepEqual(others, {
    decisionWaitMs: 5000,
    decisionWaitAfterRootMs: 500,
    numTraces: 100,
    expectedNewTracesPerSec: 10,
    sampledCacheSize: 1000,
    nonSampledCacheSize: 2000,
    samplesOnFirstMatch: true,
    dropsPendingOnShutdown: true,
    blocksOnOverflow: true,
    maximumTraceSizeBytes: 1_000_000,
    samplingStrategy: 'trace-complete',
    usesOldInversion: true,
    countsBytes: true,
  });
  assert.deepEqual(
    (warnings ?? []).map(({ message }) => message.split(':')[0]),
    ['"tail_storage" has no effect', '"num_shards" has no effect'],
  );
});

test('a policy is told apart by its type and has its block', () => {
  const { value } = tailSamplingConfigSchema.parse({
    policies: [
      { name: 'slow', type: 'latency', latency: { threshold_ms: 5000 } },
      {
        name: 'both',
        type: 'and',
        and: {
          and_sub_policy: [
            { type: 'probabilistic', probabilistic: { sampling_percentage: 1.5 } },
            { name: 'n', type: 'not', not: { not_sub_policy: { type: 'always_sample' } } },
          ],
        },
      },
    ],
  });
  const [slow, both] = value!.policies;
  assert.ok(slow?.type === 'latency');
  assert.equal(slow.block.thresholdMs, 5000);
  assert.ok(both?.type === 'and');
  assert.deepEqual(both.block.subPolicies, [
    {
      name: '',
      type: 'probabilistic',
      block: { samplingPercentage: 1.5, hashSalt: 'default-hash-seed' },
    },
    {
      name: 'n',
      type: 'not',
      block: { subPolicy: { name: '', type: 'always_sample', block: undefined } },
    },
  ]);
});

test('types, names and blocks of policies are checked', () => {
  assert.deepEqual(issuesOf({}), ['policies: needs at least one policy']);
  assert.deepEqual(issuesOf({ policies: [always, { name: '', type: 'always_sample' }, always] }), [
    'policies.1.name: must not be empty',
    'policies.2.name: "all" is the name of an earlier policy',
  ]);
  assert.deepEqual(issuesOf({ policies: [{ type: 'always_sample' }] }), ['policies.0.name: is required']);
  assert.deepEqual(policyIssues({ type: 'latncy', latency: {} }), [
    'policies.0.type: unknown policy type "latncy" (did you mean "latency"?)',
  ]);
  assert.deepEqual(policyIssues({ type: 'latency' }), ['policies.0: type "latency" needs the key "latency"']);
  const foreign = { type: 'latency', latency: {}, status_code: { status_codes: ['OK'] } };
  assert.deepEqual(policyIssues(foreign), ['policies.0.status_code: must not be given for type "latency"']);
  assert.deepEqual(policyIssues({ type: 'latency', latency: { treshold_ms: 1 } }), [
    'unknown key "treshold_ms" (did you mean "threshold_ms"?)'.replace(/^/, 'policies.0.latency: '),
  ]);
  assert.deepEqual(issuesOf({ decsion_wait: '1s', policies: [always] }), [
    'unknown key "decsion_wait" (did you mean "decision_wait"?)',
  ]);
});

test('values in blocks are checked', () => {
  const rows: [type: string, block: Message, ...issues: string[]][] = [
    [
      'latency',
      { threshold_ms: 9, upper_threshold_ms: 9 },
      'upper_threshold_ms: must be 0 or more than threshold_ms',
    ],
    ['numeric_attribute', { key: 'a', min_value: 0 }, 'needs "min_value", "max_value" or both, other than 0'],
    [
      'numeric_attribute',
      { key: '', min_value: 1.5 },
      'key: must not be empty',
      'min_value: must be an integer',
    ],
    [
      'numeric_attribute',
      { key: 'a', max_value: 2 ** 60 },
      'max_value: must be within 2^53, or at least 2^63 for no bound',
    ],
    ['numeric_attribute', { key: 'a', min_value: 1, max_value: 2 ** 63 }],
    ['probabilistic', { sampling_percentage: -1 }, 'sampling_percentage: must be non-negative, got -1'],
    ['status_code', { status_codes: [] }, 'status_codes: must not be empty'],
    ['status_code', { status_codes: ['OK', 'Error'] }, 'status_codes.1: expected one of OK, ERROR, UNSET'],
    ['string_attribute', { key: 'a', values: [] }, 'values: must not be empty'],
    [
      'string_attribute',
      { key: 'a', values: ['ok', '('], enabled_regex_matching: true },
      'values.1: error parsing regexp: missing closing ): `(`',
    ],
    ['string_attribute', { key: 'a', values: ['('] }],
    ['boolean_attribute', { value: true }, 'key: is required'],
    ['trace_state', { key: 'a', values: [] }, 'values: must not be empty'],
    ['span_count', { min_spans: 5, max_spans: 4 }, 'max_spans: must be 0 or at least min_spans'],
    ['rate_limiting', {}, 'spans_per_second: is required'],
    ['and', { and_sub_policy: [] }, 'and_sub_policy: expected one or more policies, got a list'],
    ['not', {}, 'not_sub_policy: is required'],
  ];
  for (const [type, block, ...wanted] of rows) {
    const found = policyIssues({ type, [type]: block }).map((issue) =>
      issue.replace(/^policies\.0\.\w+(\.|: )/, ''),
    );
    assert.deepEqual(found, wanted, `${type} ${JSON.stringify(block)}`);
  }
});

test('what is wrong inside nests is found in its place', () => {
  const bad = {
    type: 'string_attribute',
    string_attribute: { key: 'a', values: ['('], enabled_regex_matching: true },
  };
  const nest = {
    type: 'and',
    and: { and_sub_policy: [always, { type: 'not', not: { not_sub_policy: bad } }] },
  };
  assert.deepEqual(policyIssues(nest), [
    'policies.0.and.and_sub_policy.1.not.not_sub_policy.string_attribute.values.0: error parsing regexp: missing closing ): `(`',
  ]);
  const inside = { type: 'drop', drop: { drop_sub_policy: [{ type: 'composite', composite: {} }] } };
  assert.deepEqual(policyIssues(inside).slice(-1), [
    'policies.0.drop.drop_sub_policy.0.type: "composite" cannot stand inside another policy',
  ]);
});

test('composite names only its own policies, each once', () => {
  const composite = {
    max_total_spans_per_second: 10,
    policy_order: ['a', 'c', 'a'],
    composite_sub_policy: [
      { name: 'a', type: 'always_sample' },
      { name: 'a', type: 'trace_flags' },
    ],
    rate_allocation: [{ policy: 'b', percent: 10 }],
  };
  assert.deepEqual(policyIssues({ type: 'composite', composite }), [
    'policies.0.composite.composite_sub_policy.1.name: "a" is the name of an earlier policy',
    'policies.0.composite.policy_order.1: names "c", which composite_sub_policy does not have',
    'policies.0.composite.policy_order.2: names "a" again',
    'policies.0.composite.rate_allocation.0.policy: names "b", which composite_sub_policy does not have',
  ]);
});

test('span-ingest refuses what needs whole traces, however deep it stands', () => {
  const message = 'policies.0: needs whole traces, which sampling_strategy "span-ingest" does not wait for';
  const rate = { type: 'rate_limiting', rate_limiting: { spans_per_second: 1 } };
  const upper = { type: 'latency', latency: { threshold_ms: 1, upper_threshold_ms: 2 } };
  const ingest = { sampling_strategy: 'span-ingest' };
  const whole = [
    rate,
    upper,
    { type: 'bytes_limiting', bytes_limiting: { bytes_per_second: 1 } },
    { type: 'span_count', span_count: { min_spans: 1, max_spans: 2 } },
    { type: 'and', and: { and_sub_policy: [always, { type: 'not', not: { not_sub_policy: rate } }] } },
    { type: 'drop', drop: { drop_sub_policy: [upper] } },
  ];
  for (const policy of whole) {
    assert.deepEqual(policyIssues(policy, ingest), [message], policy.type);
    assert.deepEqual(policyIssues(policy), []);
  }
  assert.deepEqual(policyIssues({ type: 'latency', latency: { threshold_ms: 1 } }, ingest), []);
  assert.deepEqual(policyIssues(always, { ...ingest, invert_match_mode: 'veto' }), [
    'invert_match_mode: "veto" needs whole traces, which sampling_strategy "span-ingest" does not wait for',
  ]);
});

test('policies inside others are printed as they were written', () => {
  const nest = { name: 'b', type: 'and', and: { and_sub_policy: [{ name: 'c', type: 'trace_flags' }] } };
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: '127.0.0.1:4318' } } } },
    processors: { tail_sampling: { policies: [nest] } },
    exporters: { nop: {} },
    service: {
      pipelines: { traces: { receivers: ['otlp'], processors: ['tail_sampling'], exporters: ['nop'] } },
    },
  };
  const sources = { configs: [`yaml:${JSON.stringify(config)}`], sets: [] };
  const printed = loadEffectiveConfig(sources, BUILTIN.values(), { isRedacted: true }, {});
  const processors = printed.config?.processors as Record<string, { policies: unknown }>;
  assert.deepEqual(processors.tail_sampling?.policies, [nest]);
});
