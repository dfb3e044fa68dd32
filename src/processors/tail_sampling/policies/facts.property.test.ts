/** Facts of a trace are the same in whatever order its spans come, and over however many workers they are spread. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Message } from '../../../testkit/otlp-arbitraries.ts';
import { encodeSpans, policyBed, type SpanModel, TraceMap, withPolicies } from './policies.test-peer.ts';

const policy = (type: string, block: Message): Message => ({ type, [type]: block });

const EVERYTHING = withPolicies(
  [
    policy('string_attribute', { key: 's', values: ['a', 'b'] }),
    policy('string_attribute', { key: 's', values: ['^a'], enabled_regex_matching: true }),
    policy('numeric_attribute', { key: 'n', min_value: 1, max_value: 3 }),
    policy('boolean_attribute', { key: 'b', value: true }),
    policy('status_code', { status_codes: ['ERROR', 'OK'] }),
    policy('trace_state', { key: 'k', values: ['v'] }),
    { type: 'trace_flags' },
    policy('latency', { threshold_ms: 3 }),
    policy('span_count', { min_spans: 2, max_spans: 4 }),
    policy('bytes_limiting', { bytes_per_second: 600 }),
    policy('drop', { drop_sub_policy: [policy('string_attribute', { key: 's', values: ['c'] })] }),
  ],
  { decision_wait_after_root_received: '1s' },
);

const nanos = fc.oneof(
  fc.constantFrom(0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n - 1n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 10_000_000n }),
);
const attributes = fc.dictionary(
  fc.constantFrom('s', 'n', 'b', 'x'),
  fc.constantFrom<SpanModelValue>('a', 'b', 'c', 'ab', '', 1, 5, true, false, null),
);
type SpanModelValue = string | number | boolean | null;

const span: fc.Arbitrary<SpanModel> = fc.record({
  attributes,
  resource: attributes,
  status: fc.nat(3),
  start: nanos,
  end: nanos,
  parent: fc.boolean(),
  flags: fc.nat(3),
  traceState: fc.constantFrom('', 'k=v', 'k=w', 'k=v,k=v'),
});

/** A spread: each span with the worker that gets it and a weight that says when. */
const spread = fc.array(fc.record({ span, worker: fc.nat(2), weight: fc.nat(1000) }), {
  minLength: 1,
  maxLength: 8,
});

test('neither order nor spread changes the facts', () => {
  const { set } = policyBed(EVERYTHING);
  fc.assert(
    fc.property(spread, fc.boolean(), (spans, isWholeRequest) => {
      const straight = new TraceMap(set);
      straight.observe(encodeSpans(spans.map((each) => each.span)));
      const [id] = straight.words.keys();
      const workers = [0, 1, 2].map(() => new TraceMap(set));
      const shuffled = spans.toSorted((a, b) => a.weight - b.weight);
      if (isWholeRequest) {
        const bytes = encodeSpans(shuffled.map((each) => each.span));
        for (const [at, worker] of workers.entries()) {
          worker.observe(bytes, (item) => shuffled[item]!.worker === at);
        }
      } else {
        for (const each of shuffled) workers[each.worker]!.observe(encodeSpans([each.span]));
      }
      const parts = workers.flatMap((worker) => [...worker.words.values()]);
      // The owner's own record may be the last one to come as well as the first.
      for (const order of [parts, parts.toReversed()]) {
        const merged = new Uint32Array(set.stateWords);
        for (const part of order) set.merge(merged, 0, part, 0);
        assert.deepEqual(merged, straight.words.get(id!));
      }
    }),
    { numRuns: 500 },
  );
});

test('records of other traces beside that of a trace stay as they are', () => {
  const { set } = policyBed(EVERYTHING);
  fc.assert(
    fc.property(spread, (spans) => {
      const words = new Uint32Array(set.stateWords * 3).fill(0xa5a5_a5a5);
      const at = set.stateWords;
      words.fill(0, at, 2 * at);
      const alone = new TraceMap(set);
      alone.observe(encodeSpans(spans.map((each) => each.span)));
      const [facts] = alone.words.values();
      set.merge(words, at, facts!, 0);
      assert.deepEqual(words.slice(at, 2 * at), facts);
      assert.ok([...words.slice(0, at), ...words.slice(2 * at)].every((word) => word === 0xa5a5_a5a5));
    }),
    { numRuns: 50 },
  );
});
