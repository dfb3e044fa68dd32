/** Everything around the votes: early decisions, sizes, roots, counters, failures, shared facts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scanRequest } from '../../../otlp/scan.ts';
import { RequestIndex } from '../../../pdata/request-index.ts';
import type { Message } from '../../../testkit/otlp-arbitraries.ts';
import { OBSERVED_ROOT, OBSERVED_TOO_LARGE } from '../policy-set.ts';
import {
  decideTrace,
  encodeSpans,
  type PolicyBed,
  policyBed,
  type SpanModel,
  TraceMap,
  VERDICT_NAMES,
  withPolicies,
} from './policies.test-peer.ts';

const text = (value: string): Message => ({
  type: 'string_attribute',
  string_attribute: { key: 's', values: [value] },
});
const a: SpanModel = { attributes: { s: 'a' } };
const b: SpanModel = { attributes: { s: 'b' } };
const PREFIX = 'otelcol_processor_tail_sampling_';

function counted(bed: PolicyBed, name: string, labels: Message): number {
  bed.set.report();
  const all = bed.meter.takeSnapshot().counters.filter((series) => series.name === `${PREFIX}${name}`);
  const wanted = Object.entries(labels);
  const found = all.filter((series) => wanted.every(([key, value]) => series.labels[key] === value));
  return found.reduce((sum, series) => sum + series.value, 0);
}

test('span-ingest decides as soon as the spans suffice, and samples nothing that may be dropped yet', () => {
  const ingest = { sampling_strategy: 'span-ingest' };
  const { set } = policyBed(withPolicies([text('a')], ingest));
  const map = new TraceMap(set);
  map.observe(encodeSpans([b]));
  const [id] = map.words.keys();
  assert.equal(VERDICT_NAMES[map.decideEarly(id!)], 'none');
  map.observe(encodeSpans([a]));
  assert.equal(VERDICT_NAMES[map.decideEarly(id!)], 'sampled');

  const drop = { type: 'drop', drop: { drop_sub_policy: [text('b')] } };
  const held = policyBed(withPolicies([text('a'), drop], ingest)).set;
  const heldMap = new TraceMap(held);
  heldMap.observe(encodeSpans([a]));
  assert.equal(VERDICT_NAMES[heldMap.decideEarly(id!)], 'none');
  assert.equal(VERDICT_NAMES[heldMap.decide(id!)], 'not sampled');
  heldMap.observe(encodeSpans([b]));
  assert.equal(VERDICT_NAMES[heldMap.decideEarly(id!)], 'dropped');
});

test('a trace over maximum_trace_size_bytes is told and dropped, also when only its parts together are', () => {
  const { set } = policyBed(withPolicies([{ type: 'always_sample' }], { maximum_trace_size_bytes: 500 }));
  const long: SpanModel = { attributes: { s: 'x'.repeat(200) } };
  const map = new TraceMap(set);
  assert.deepEqual(map.observe(encodeSpans([long])), [0]);
  assert.deepEqual(map.observe(encodeSpans([long])), [OBSERVED_TOO_LARGE]);
  const [id] = map.words.keys();
  assert.equal(VERDICT_NAMES[map.decide(id!)], 'dropped');
  const [one, other] = [new TraceMap(set), new TraceMap(set)];
  one.observe(encodeSpans([long]));
  other.observe(encodeSpans([long]));
  set.merge(one.words.get(id!)!, 0, other.words.get(id!)!, 0);
  assert.equal(VERDICT_NAMES[one.decide(id!)], 'dropped');
});

test('a span without a parent is told as the root where the configuration waits for one', () => {
  const spans = [{}, { parent: true }];
  const waiting = policyBed(
    withPolicies([{ type: 'always_sample' }], { decision_wait_after_root_received: '2s' }),
  ).set;
  assert.deepEqual(new TraceMap(waiting).observe(encodeSpans(spans)), [OBSERVED_ROOT, 0]);
  const other = policyBed(withPolicies([{ type: 'always_sample' }])).set;
  assert.deepEqual(new TraceMap(other).observe(encodeSpans(spans)), [0, 0]);
});

test('words exist only for what the policies need, and equal tests share a place', () => {
  const words = (...policies: Message[]) => policyBed(withPolicies(policies)).set.stateWords;
  const number = (min_value: number): Message => ({
    type: 'numeric_attribute',
    numeric_attribute: { key: 'n', min_value },
  });
  assert.equal(words({ type: 'probabilistic', probabilistic: { sampling_percentage: 10 } }), 1);
  assert.equal(words(text('a')), 2);
  assert.equal(words({ type: 'latency', latency: { threshold_ms: 5 } }), 5);
  assert.equal(words(...Array.from({ length: 40 }, () => text('a'))), 2);
  assert.equal(words(...Array.from({ length: 32 }, (_, at) => number(at + 1))), 2);
  assert.equal(words(...Array.from({ length: 33 }, (_, at) => number(at + 1))), 3);
});

test('more than 32 tests are told apart', () => {
  const policies = Array.from({ length: 70 }, (_, at): Message => text(`v${at}`));
  const dropped = [1, 31, 32, 69].map((at) => ({ type: 'drop', drop: { drop_sub_policy: [policies[at]!] } }));
  const { set } = policyBed(withPolicies([...policies, ...dropped]));
  for (let at = 0; at < 71; at++) {
    const wanted = at === 70 ? 'not sampled' : [1, 31, 32, 69].includes(at) ? 'dropped' : 'sampled';
    assert.equal(decideTrace(set, [{ attributes: { s: `v${at}` } }]), wanted, `v${at}`);
  }
});

test('votes and verdicts are counted by policy, with the name of the instance', () => {
  const drop = { name: 'd', type: 'drop', drop: { drop_sub_policy: [text('c')] } };
  const bed = policyBed(withPolicies([{ name: 'a', ...text('a') }, drop]), 'tail_sampling/eu');
  for (const value of ['a', 'a', 'b', 'c']) decideTrace(bed.set, [{ attributes: { s: value } }, {}]);
  const labels = (decision: string) => ({
    decision,
    sampled: String(decision === 'sampled'),
    processor: 'tail_sampling/eu',
  });
  const of = (name: string, policy: string, decision: string) =>
    counted(bed, name, { policy, ...labels(decision) });
  assert.equal(of('count_traces_sampled', 'eu.a', 'sampled'), 2);
  assert.equal(of('count_traces_sampled', 'eu.a', 'not_sampled'), 1, 'not asked once a drop matched');
  assert.equal(of('count_traces_sampled', 'eu.d', 'dropped'), 1);
  assert.equal(of('count_traces_sampled', 'eu.d', 'not_sampled'), 3);
  assert.equal(of('count_spans_sampled', 'eu.a', 'sampled'), 4);
  assert.equal(counted(bed, 'sampling_policy_execution_count', { policy: 'eu.a' }), 3);
  assert.equal(counted(bed, 'global_count_traces_sampled', labels('sampled')), 2);
  assert.equal(counted(bed, 'global_count_traces_sampled', labels('not_sampled')), 1);
  assert.equal(counted(bed, 'global_count_traces_sampled', labels('dropped')), 1);
  assert.equal(counted(bed, 'sampling_policy_evaluation_error', {}), 0);
});

test('bytes of the spans of traces are counted where that is asked for', () => {
  const labels = { policy: 'p0', decision: 'sampled', sampled: 'true' };
  const sizeOf = (config: Message) => {
    const bed = policyBed(withPolicies([text('a')], config));
    for (const spans of [[a], [a, {}], [{}]]) decideTrace(bed.set, spans);
    return counted(bed, 'count_bytes_sampled', labels);
  };
  assert.equal(sizeOf({}), 0);
  const spanBytes = (spans: Parameters<typeof decideTrace>[1]) => {
    const index = new RequestIndex();
    const bytes = encodeSpans(spans);
    scanRequest('traces', bytes, 0, bytes.length, index);
    return index.itemEnd
      .slice(0, index.itemCount)
      .reduce((sum, end, at) => sum + end - index.itemStart[at]!, 0);
  };
  assert.equal(sizeOf({ count_bytes_sampled: true }), spanBytes([a]) + spanBytes([a, {}]));
});

test('with sample_on_first_match later policies are not asked', () => {
  const bed = policyBed(
    withPolicies([text('a'), { name: 'last', type: 'always_sample' }], { sample_on_first_match: true }),
  );
  assert.equal(decideTrace(bed.set, [a]), 'sampled');
  assert.equal(decideTrace(bed.set, [b]), 'sampled');
  assert.equal(counted(bed, 'sampling_policy_execution_count', { policy: 'last' }), 1);
});
