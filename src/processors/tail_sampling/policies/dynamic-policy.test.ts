import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { Prng } from '../../../stdx/prng.ts';
import type { Message } from '../../../testkit/otlp-arbitraries.ts';
import { tailSamplingConfigSchema } from '../config.ts';
import {
  encodeSpans,
  policyBed,
  type SpanModel,
  TraceMap,
  VERDICT_NAMES,
  withPolicies,
} from './policies.test-peer.ts';

const INTERVAL_MS = 15_000;
const RESOURCE = { 'service.name': 'shop' };

function dynamic(keys: Message): Message {
  return withPolicies([{ type: 'dynamic', dynamic: keys }]);
}

/** Words of one trace with these spans, each request observed by the worker of its number. */
function factsOf(fields: readonly string[], requests: readonly (readonly SpanModel[])[]): number[] {
  const { set } = policyBed(dynamic({ field_list: fields }));
  const merged = new Uint32Array(set.stateWords);
  for (const spans of requests) {
    const map = new TraceMap(set);
    map.observe(encodeSpans(spans));
    const [words] = map.words.values();
    if (words !== undefined) set.merge(merged, 0, words, 0);
  }
  return [...merged];
}

function idOf(number: number): string {
  return createHash('sha256').update(String(number)).digest('hex').slice(0, 32);
}

const FIELDS = ['http.route', 'error', 'service.name', 'root.tenant', 'name', 'span.kind', 'status_code'];
const value = fc.constantFrom<string | number | boolean>('a', 'b', 'c', 1, 2.5, true, '1');
const span: fc.Arbitrary<SpanModel> = fc.record({
  attributes: fc.dictionary(fc.constantFrom('http.route', 'error', 'tenant', 'other'), value, { maxKeys: 4 }),
  status: fc.constantFrom(0, 1, 2),
  parent: fc.boolean(),
  resource: fc.constantFrom(RESOURCE, { 'service.name': 'cart', error: 'b' }),
});

test('neither order, nor repetition of values, nor the number of workers changes what is gathered', () => {
  const spans = fc.array(span, { minLength: 1, maxLength: 8 });
  const property = fc.property(spans, fc.nat(), (list, seed) => {
    const prng = new Prng(seed);
    const whole = factsOf(FIELDS, [list]);
    const shuffled = list.toSorted(() => (prng.nextFloat() < 0.5 ? -1 : 1));
    const cut = prng.nextInt(list.length + 1);
    const halves = [shuffled.slice(0, cut), shuffled.slice(cut)].filter(({ length }) => length > 0);
    assert.deepEqual(factsOf(FIELDS, halves), whole);
    // Without the number of spans, which is the last word: the same values once more.
    assert.deepEqual(factsOf(FIELDS, [list, list]).slice(0, -1), whole.slice(0, -1));
  });
  fc.assert(property, { numRuns: 200 });
});

test('a key is the set of values of each field', () => {
  const keyOf = (fields: string[], spans: SpanModel[]) => factsOf(fields, [spans]).slice(0, -1).join();
  const attributes = (...all: SpanModel['attributes'][]) => all.map((each) => ({ attributes: each! }));
  const one = keyOf(['a'], attributes({ a: 1 }));
  // The text of a value counts, not its type.
  for (const same of ['1', { double_value: 1 }]) assert.equal(keyOf(['a'], attributes({ a: same })), one);
  const others = [{ a: 2 }, { a: 'one' }, { a: true }, { b: 1 }, {}].map((each) =>
    keyOf(['a'], attributes(each)),
  );
  const pair = keyOf(['a'], attributes({ a: 1 }, { a: 2 }));
  assert.equal(
    new Set([one, pair, ...others]).size,
    2 + others.length - 1,
    'all but the two without a value differ',
  );
  assert.equal(others[3], others[4]);
  // The attribute of a span wins over that of its resource.
  const resource = { a: 'resource' };
  const own = keyOf(['a'], [{ attributes: { a: 1 }, resource }]);
  assert.equal(own, one);
  assert.notEqual(keyOf(['a'], [{ resource }]), keyOf(['a'], [{}]));
  // Only the root counts for `root.`.
  const child = { attributes: { a: 2 }, parent: true };
  assert.equal(
    keyOf(['root.a'], [{ attributes: { a: 1 } }, child]),
    keyOf(['root.a'], [{ attributes: { a: 1 } }]),
  );
  assert.notEqual(keyOf(['status_code'], [{ status: 2 }]), keyOf(['status_code'], [{ status: 1 }]));
});

test('over all keys the goal is met, and rare keys are kept whole', () => {
  const { set } = policyBed(dynamic({ field_list: ['k'], goal_sample_rate: 10 }));
  const traffic: Record<string, number> = { rare: 2, usual: 60, frequent: 2000 };
  const arrivals = Object.entries(traffic)
    .flatMap(([k, count]) => Array.from({ length: count }, (_, at) => ({ k, share: at / count })))
    .sort((a, b) => a.share - b.share);
  let number = 0;
  const kept = new Map<string, number>();
  for (let interval = 0; interval < 8; interval++) {
    kept.clear();
    for (const { k, share } of arrivals) {
      const id = idOf(number++);
      const map = new TraceMap(set);
      map.observe(encodeSpans([{ traceId: Buffer.from(id, 'hex'), attributes: { k } }]));
      const nowMs = Math.floor((interval + share) * INTERVAL_MS);
      if (VERDICT_NAMES[map.decide(id, nowMs)] === 'sampled') kept.set(k, (kept.get(k) ?? 0) + 1);
    }
  }
  const total = [...kept.values()].reduce((sum, each) => sum + each, 0);
  assert.equal(kept.get('rare'), 2);
  assert.ok(total > 150 && total < 260, `${total} of 2062`);
  assert.ok(kept.get('usual')! / 60 > kept.get('frequent')! / 2000);
});

test('the rates of the interval before decide, by the trace id alone', () => {
  const { set, logger, meter } = policyBed(
    dynamic({ field_list: ['k'], goal_sample_rate: 10 }),
    'tail_sampling/x',
  );
  const map = new TraceMap(set);
  const decide = (id: string, name: string, nowMs: number): boolean => {
    map.words.delete(id);
    map.observe(encodeSpans([{ traceId: Buffer.from(id, 'hex'), attributes: { k: name } }]));
    return VERDICT_NAMES[map.decide(id, nowMs)] === 'sampled';
  };
  const ids = Array.from({ length: 3000 }, (_, number) => idOf(number));
  const first = ids.filter((id) => decide(id, 'frequent', 0));
  for (const id of ids.slice(0, 3)) decide(id, 'rare', 1);
  const second = ids.filter((id) => decide(id, 'frequent', INTERVAL_MS));
  assert.ok(
    ids.slice(0, 50).every((id) => decide(id, 'rare', INTERVAL_MS + 1)),
    'a rare key is kept whole',
  );
  assert.ok(
    ids.slice(0, 50).every((id) => decide(id, 'new', INTERVAL_MS + 1)),
    'a new key is kept whole',
  );
  assert.ok(first.length > 240 && first.length < 360, `1 of 10 at first: ${first.length}`);
  assert.ok(second.length > 200 && second.length < 400, `${second.length}`);
  // A trace that is kept at a higher rate is kept at every lower one.
  const [fewer, more] = first.length < second.length ? [first, new Set(second)] : [second, new Set(first)];
  assert.ok(fewer.every((id) => more.has(id)));
  const report = logger.lines.find(({ message }) => message === 'sample rates by key');
  assert.match(String((report!.fields as { rates: string[] }).rates[0]), /^frequent: 1\/\d+$/);
  const keys = meter.takeSnapshot().gauges.find(({ name }) => name === 'millrace_dynamic_sampler_keys');
  assert.deepEqual([keys!.value, keys!.labels], [2, { processor: 'tail_sampling/x' }]);
});

test('the order of field_list is of no account, and use_trace_length makes more keys', () => {
  const spans: SpanModel[] = [{ attributes: { a: 1, b: 2 } }, { attributes: { a: 3 } }];
  assert.deepEqual(factsOf(['b', 'a', 'root.c'], [spans]), factsOf(['root.c', 'a', 'b', 'a'], [spans]));
  const { set, meter } = policyBed(
    dynamic({ field_list: ['a'], use_trace_length: true, burst_multiple: -1 }),
  );
  const map = new TraceMap(set);
  for (let number = 1; number <= 4; number++) {
    const traceId = Buffer.from(idOf(number), 'hex');
    map.observe(encodeSpans(Array.from({ length: number * 2 }, () => ({ traceId, attributes: { a: 1 } }))));
    map.decide(idOf(number), 0);
  }
  map.decide(idOf(1), INTERVAL_MS);
  assert.equal(meter.takeSnapshot().gauges[0]!.value, 4);
});

test('what cannot be a dynamic policy is refused with its key', () => {
  const issue = (keys: Message): string => {
    const { issues } = tailSamplingConfigSchema.parse(dynamic(keys));
    const [first] = issues;
    return first === undefined ? '' : `${[...first.path, first.key ?? ''].join('.')} ${first.message}`;
  };
  assert.match(issue({}), /field_list/);
  assert.match(issue({ field_list: [] }), /must not be empty/);
  assert.match(issue({ field_list: ['root.'] }), /must name a field/);
  assert.match(issue({ field_list: Array.from({ length: 17 }, (_, at) => `f${at}`) }), /at most 16/);
  assert.match(issue({ field_list: ['a'], weight: 1.1 }), /weight.*at most 1/);
  assert.match(issue({ field_list: ['a'], goal_sample_rate: 0 }), /goal_sample_rate.*at least 1/);
  assert.match(issue({ field_list: ['a'], max_keys: 100_000 }), /max_keys.*at most 20000/);
  assert.equal(issue({ field_list: ['a'] }), '');
});
