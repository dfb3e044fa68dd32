/** Facts are those of the decoded span, however its fields are arranged; protobufjs decodes for the expectation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Message } from '../../../testkit/otlp-arbitraries.ts';
import { otlpType, requestType } from '../../../testkit/otlp-root.ts';
import { policyBed, TRACE_ID, TraceMap, withPolicies } from './policies.test-peer.ts';

const LONG_KEY = 'k'.repeat(200);
const spanType = otlpType('opentelemetry.proto.trace.v1.Span');
const keyValueType = otlpType('opentelemetry.proto.common.v1.KeyValue');

const SHAPE = { longs: String, bytes: Array, defaults: true, arrays: true } as const;

/** Every wire type, a group within a group, and a tag of five bytes. */
const unknownField = fc.constantFrom<number[]>(
  [0x98, 0x06, 0x05],
  [0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
  [0xaa, 0x06, 0x03, 0x4a, 0x01, 0x00],
  [0xb5, 0x06, 1, 2, 3, 4],
  [0xbb, 0x06, 0x0b, 0x79, 9, 9, 9, 9, 9, 9, 9, 9, 0x0c, 0xbc, 0x06],
  [0xf8, 0xff, 0xff, 0xff, 0x0f, 0x01],
);

const value = fc.constantFrom<Message>(
  { string_value: 'a' },
  { string_value: '' },
  { string_value: 'a'.repeat(300) },
  { int_value: '7' },
  { int_value: '-7' },
  { bool_value: true },
  { bool_value: false },
  { double_value: 7 },
  {},
);

/** A KeyValue whose parts come in any order, sometimes twice, sometimes among unknown fields. */
const keyValue = fc
  .record({
    key: fc.constantFrom('s', 'n', 'b', 'other', LONG_KEY),
    value,
    form: fc.constantFrom('plain', 'reversed', 'twice', 'unknown', 'keyless', 'valueless'),
    unknown: unknownField,
  })
  .map(({ key, value, form, unknown }): number[] => {
    const keyPart = [...keyValueType.encode({ key }).finish()];
    const valuePart = [...keyValueType.encode(keyValueType.fromObject({ value })).finish()];
    switch (form) {
      case 'reversed':
        return [...valuePart, ...keyPart];
      case 'twice':
        return [...keyValueType.encode({ key: 'other' }).finish(), ...keyPart, ...valuePart];
      case 'unknown':
        return [...keyPart, ...unknown, ...valuePart];
      case 'keyless':
        return valuePart;
      case 'valueless':
        return keyPart;
      default:
        return [...keyPart, ...valuePart];
    }
  });

function lengthPrefixed(tag: number, content: readonly number[]): number[] {
  const size = content.length;
  return size < 128 ? [tag, size, ...content] : [tag, (size & 0x7f) | 0x80, size >> 7, ...content];
}

const field = (name: string, values: fc.Arbitrary<unknown>) =>
  values.map((each) => [...spanType.encode(spanType.fromObject({ [name]: each })).finish()]);
const nanos = fc.bigInt(0n, 2n ** 64n - 1n).map(String);

/** Fields of a span in any order; of the scalar ones any number. */
const spanFields = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: keyValue.map((content) => lengthPrefixed(0x4a, content)) },
    unknownField,
    field('start_time_unix_nano', nanos),
    field('end_time_unix_nano', nanos),
    field('flags', fc.nat(0xffff_ffff)),
    field('name', fc.string({ maxLength: 200 })),
    field('kind', fc.nat(5)),
    field('parent_span_id', fc.constantFrom(new Uint8Array(8), Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1))),
    field('trace_state', fc.constantFrom('k=v', 'k=w')),
    field('events', fc.constantFrom([{ name: 'exception' }])),
  ),
  { maxLength: 20 },
);
/** Once at most: protobufjs replaces the first message by the second, where others merge them. */
const statusField = fc.option(field('status', fc.constantFrom({}, { code: 1 }, { code: 2, message: 'm' })), {
  nil: [],
});

function request(fields: readonly number[][]): Uint8Array {
  const ids = spanType
    .encode({ trace_id: TRACE_ID, span_id: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) })
    .finish();
  const span = [...ids, ...fields.flat()];
  const scope = lengthPrefixed(0x12, lengthPrefixed(0x12, span));
  assert.ok(scope.length < 2 ** 14, 'sizes have two bytes at most here');
  return Uint8Array.from(lengthPrefixed(0x0a, scope));
}

interface Decoded {
  start_time_unix_nano: string;
  end_time_unix_nano: string;
  trace_state: string;
  flags: number;
  parent_span_id: number[];
  status?: { code: number } | null;
  attributes: Message[];
}

/** What policies with this configuration should say, from the decoded span. */
const EXPECTED: [
  policy: Message,
  isSampled: (span: Decoded, first: (key: string) => Message | undefined) => boolean,
][] = [
  [
    { type: 'string_attribute', string_attribute: { key: 's', values: ['a'] } },
    (_span, first) => first('s')?.string_value === 'a',
  ],
  [
    {
      type: 'string_attribute',
      string_attribute: { key: LONG_KEY, values: ['^a+$'], enabled_regex_matching: true },
    },
    (_span, first) => /^a+$/.test(String(first(LONG_KEY)?.string_value ?? '')),
  ],
  [
    { type: 'numeric_attribute', numeric_attribute: { key: 'n', min_value: 5 } },
    (_span, first) => Number(first('n')?.int_value ?? 0) >= 5,
  ],
  [
    { type: 'boolean_attribute', boolean_attribute: { key: 'b', value: false } },
    (_span, first) => first('b') !== undefined && first('b')?.bool_value !== true,
  ],
  [{ type: 'status_code', status_code: { status_codes: ['ERROR'] } }, (span) => span.status?.code === 2],
  [
    { type: 'status_code', status_code: { status_codes: ['UNSET'] } },
    (span) => (span.status?.code ?? 0) === 0,
  ],
  [{ type: 'trace_flags' }, (span) => (span.flags & 1) === 1],
  [{ type: 'trace_state', trace_state: { key: 'k', values: ['v'] } }, (span) => span.trace_state === 'k=v'],
  [
    { type: 'latency', latency: { threshold_ms: 1_000_000 } },
    (span) => {
      const taken =
        BigInt.asIntN(64, BigInt(span.end_time_unix_nano)) -
        BigInt.asIntN(64, BigInt(span.start_time_unix_nano));
      return taken / 1_000_000n > 1_000_000n;
    },
  ],
];

test('facts are those of the decoded span, whatever the arrangement of its fields', () => {
  const beds = EXPECTED.map(([policy]) => policyBed(withPolicies([policy])).set);
  const whole = policyBed(
    withPolicies(
      EXPECTED.map(([policy]) => policy),
      { decision_wait_after_root_received: '1s' },
    ),
  ).set;
  fc.assert(
    fc.property(spanFields, statusField, (fields, status) => {
      const bytes = request([...fields.slice(0, 3), status, ...fields.slice(3)]);
      const type = requestType('traces');
      const decoded = type.toObject(type.decode(bytes), SHAPE) as {
        resource_spans: { scope_spans: { spans: Decoded[] }[] }[];
      };
      const span = decoded.resource_spans[0]!.scope_spans[0]!.spans[0]!;
      const first = (key: string) => {
        const found = span.attributes.find((each) => each.key === key);
        return found === undefined ? undefined : ((found.value ?? {}) as Message);
      };
      for (const [at, [policy, isSampled]] of EXPECTED.entries()) {
        const map = new TraceMap(beds[at]!);
        map.observe(bytes);
        const [id] = map.words.keys();
        assert.equal(map.decide(id!) === 1, isSampled(span, first), JSON.stringify(policy));
      }
      const isRoot = span.parent_span_id.every((byte) => byte === 0);
      assert.deepEqual(new TraceMap(whole).observe(bytes), [isRoot ? 1 : 0]);
    }),
    { numRuns: 1000 },
  );
});
