import { scanRequest } from '../src/otlp/scan.ts';
import { RequestIndex } from '../src/pdata/request-index.ts';
import { tailSamplingConfigSchema } from '../src/processors/tail_sampling/config.ts';
import { compilePolicySet } from '../src/processors/tail_sampling/policies/compile-policy-set.ts';
import { assert } from '../src/stdx/assert.ts';
import { systemClock } from '../src/stdx/clock.ts';
import { ThreadMeter } from '../src/telemetry/registry.ts';
import type { Suite } from './harness.ts';
import { protobufType, request, SPANS } from './inputs.ts';

const SPANS_PER_TRACE = 8;
const bytes = request('traces');
const index = new RequestIndex();
scanRequest('traces', bytes, 0, bytes.length, index);
const type = protobufType('traces');
const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };

type Policy = Record<string, unknown>;
const policy = (type: string, block: Policy): Policy => ({ name: type, type, [type]: block });

const ONE = [policy('probabilistic', { sampling_percentage: 10 })];
/** One of each kind of work: an expression, times, a status, a number, a set of texts, nests, a count. */
const EIGHT = [
  policy('string_attribute', {
    key: 'http.route',
    values: ['^/api/v1/(checkout|pay).*', '^/internal/.*'],
    enabled_regex_matching: true,
  }),
  policy('latency', { threshold_ms: 5000 }),
  policy('status_code', { status_codes: ['ERROR'] }),
  policy('numeric_attribute', { key: 'http.response.status_code', min_value: 500, max_value: 599 }),
  policy('composite', {
    max_total_spans_per_second: 1000,
    composite_sub_policy: [
      { ...policy('numeric_attribute', { key: 'app.items.count', min_value: 11 }) },
      { ...policy('string_attribute', { key: 'db.collection.name', values: ['orders', 'carts'] }) },
    ],
  }),
  policy('and', {
    and_sub_policy: [
      policy('string_attribute', { key: 'service.name', values: ['checkout', 'frontend'] }),
      policy('status_code', { status_codes: ['ERROR'] }),
    ],
  }),
  ...ONE,
  policy('span_count', { min_spans: 40 }),
];
const CONDITION = [
  policy('ottl_condition', {
    span: ['attributes["http.response.status_code"] >= 500 and IsMatch(attributes["http.route"], "^/api")'],
  }),
];

/** Facts of all spans of the request, eight spans a trace. */
function observing(policies: readonly Policy[]): () => number {
  const { value } = tailSamplingConfigSchema.parse({ policies });
  assert(value !== undefined, 'the policies of this bench are valid');
  const settings = { id: 'tail_sampling', meter: new ThreadMeter(), logger, clock: systemClock };
  const set = compilePolicySet(value, settings);
  const words = new Uint32Array((SPANS / SPANS_PER_TRACE) * set.stateWords);
  return () => {
    words.fill(0);
    set.begin(bytes, index);
    for (let item = 0; item < SPANS; item++) {
      set.observe(item, words, Math.floor(item / SPANS_PER_TRACE) * set.stateWords);
    }
    return words[0]!;
  };
}

const facts: Suite = {
  name: 'sampling-facts',
  item: 'span',
  itemsPerOp: SPANS,
  bytesPerOp: bytes.byteLength,
  variants: {
    probabilistic: observing(ONE),
    'eight policies': observing(EIGHT),
    ottl_condition: observing(CONDITION),
    protobufjs: () => type.decode(bytes),
  },
  gates: [
    { fast: 'eight policies', slow: 'protobufjs', atLeast: 8 },
    { fast: 'probabilistic', slow: 'eight policies', atLeast: 10 },
  ],
};

export const suites: readonly Suite[] = [facts];
