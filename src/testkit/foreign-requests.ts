/**
 * Generated OTLP requests that Jaeger's and Zipkin's formats, and those of logs, can say in full: odd in values, with the
 * attributes that have a meaning there, and none of what the Collector refuses or loses on the way.
 */
import fc from 'fast-check';
import type { Signal } from '../component/signal.ts';
import type { Message } from './otlp-arbitraries.ts';
import { requestType } from './otlp-root.ts';

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 40 }));
const filled = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const id = (size: number) =>
  fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => {
    bytes[size - 1] = bytes[size - 1]! || 7;
    return bytes;
  });
/** Half of them with a zero upper half, which is written shorter. */
const traceId = fc.tuple(id(16), fc.boolean()).map(([bytes, isShort]) => {
  if (isShort) bytes.fill(0, 0, 8);
  return bytes;
});
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0));
const int64 = fc
  .oneof(fc.bigInt(-(1n << 63n), (1n << 63n) - 1n), fc.constantFrom(0n, 200n, 404n, 8080n))
  .map(String);

const { anyValue } = fc.letrec<{ anyValue: Message; pairs: Message[] }>((tie) => ({
  anyValue: fc.oneof(
    { maxDepth: 2 },
    text.map((string_value): Message => ({ string_value })),
    int64.map((int_value): Message => ({ int_value })),
    fc.boolean().map((bool_value): Message => ({ bool_value })),
    finite.map((double_value): Message => ({ double_value })),
    fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes_value): Message => ({ bytes_value })),
    fc.array(tie('anyValue'), { maxLength: 3 }).map((values): Message => ({ array_value: { values } })),
    (tie('pairs') as fc.Arbitrary<Message[]>).map((values): Message => ({ kvlist_value: { values } })),
  ),
  pairs: uniquePairs(filled, tie('anyValue') as fc.Arbitrary<Message>),
}));

/** Keys are unique, as the specification wants them. */
function uniquePairs(key: fc.Arbitrary<string>, value: fc.Arbitrary<Message>): fc.Arbitrary<Message[]> {
  return fc.uniqueArray(fc.record({ key, value }), {
    maxLength: 5,
    selector: (pair) => pair.key,
  }) as fc.Arbitrary<Message[]>;
}

const SPAN_KEYS = [
  ...['http.status_code', 'http.response.status_code', 'error', 'event', 'span.kind', 'a', 'b'],
  ...['peer.service', 'service.peer.name', 'otel.status_code'],
];
const attributes = uniquePairs(fc.oneof(fc.constantFrom(...SPAN_KEYS), filled), anyValue);
/** Ends as Zipkin has them. */
const network = fc
  .record(
    {
      'network.local.address': fc.constantFrom('10.1.2.3', '2001:DB8:0:0::1'),
      'net.host.port': fc.nat(65_535),
      'network.peer.address': fc.constantFrom('192.168.0.9', 'fe80::1'),
      'service.peer.name': fc.constantFrom('Database'),
    },
    { requiredKeys: [] },
  )
  .map((ends) =>
    Object.entries(ends).map(([key, value]) => ({
      key,
      value: typeof value === 'number' ? { int_value: String(value) } : { string_value: value },
    })),
  );

const START = 1_700_000_000_000_000_000n;
const start = fc.bigInt(0n, 90_000_000_000_000_000n).map((nanos) => START + nanos);
const event = fc.record({
  time_unix_nano: start.map(String),
  // The Collector refuses what it wrote itself of a name with bars.
  name: text.filter((name) => !name.includes('|')),
  attributes,
  dropped_attributes_count: fc.constantFrom(0, 3),
});

function spanOf(trace: Uint8Array): fc.Arbitrary<Message> {
  return id(8).chain((parent) => {
    const link = fc.record({
      trace_id: fc.oneof(fc.constant(trace), traceId),
      span_id: fc.oneof(fc.constant(parent), id(8)),
      trace_state: fc.constantFrom('', 'k=v'),
      attributes: fc.oneof(
        fc
          .constantFrom('child_of', 'follows_from')
          .map((string_value) => [{ key: 'opentracing.ref_type', value: { string_value } }]),
        attributes,
      ),
    });
    return fc
      .record({
        span_id: id(8),
        parent: fc.boolean(),
        trace_state: fc.constantFrom('', 'k=v'),
        name: text,
        kind: fc.nat(5),
        start,
        duration: fc.oneof(fc.bigInt(0n, 3_000n), fc.bigInt(0n, 90_000_000_000_000n)),
        attributes: fc
          .tuple(attributes, network)
          .map(([own, ends]) => [
            ...ends,
            ...own.filter(({ key }) => !ends.some((each) => each.key === key)),
          ]),
        events: fc.array(event, { maxLength: 3 }),
        links: fc.array(link, { maxLength: 3 }),
        code: fc.nat(2),
        message: fc.constantFrom('', 'went wrong'),
        flags: fc.constantFrom(0, 1, 0x101),
      })
      .map(({ parent: hasParent, start: from, duration, code, message, ...rest }) => ({
        ...rest,
        trace_id: trace,
        ...(hasParent ? { parent_span_id: parent } : {}),
        start_time_unix_nano: String(from),
        end_time_unix_nano: String(from + duration),
        status: { code, message },
      }));
  });
}

const RESOURCE_KEYS = ['faas.name', 'k8s.deployment.name', 'cloud.resource_id', 'faas.id', 'host.name', 'a'];
const resource = fc
  .tuple(
    fc.option(fc.constantFrom('Shop', 'back'), { nil: undefined }),
    uniquePairs(fc.oneof(fc.constantFrom(...RESOURCE_KEYS), filled), anyValue),
  )
  .map(([service, pairs]) => ({
    attributes:
      service === undefined ? pairs : [{ key: 'service.name', value: { string_value: service } }, ...pairs],
  }));
/** One a resource: the Collector tells spans of a scope what the one before it said. */
const scope = fc.record({ name: fc.constantFrom('', 'lib'), version: fc.constantFrom('', '1.2') });

const traces = fc.array(
  fc.record({
    resource,
    scope_spans: fc
      .record({
        scope,
        spans: fc.array(traceId.chain(spanOf), { minLength: 1, maxLength: 3 }),
      })
      .map((each) => [each]),
  }),
  { minLength: 1, maxLength: 3 },
);

const log = fc.record({
  time_unix_nano: start.map(String),
  observed_time_unix_nano: start.map(String),
  body: fc.oneof(anyValue, fc.constant({})),
  attributes,
});
const logs = fc.array(
  fc.record({
    resource: resource.map(({ attributes: pairs }) => ({
      attributes: [
        ...['_sourceName', '_sourceHost', '_sourceCategory'].map((key) => ({
          key,
          value: { string_value: `${key} "é"` },
        })),
        ...pairs,
      ],
    })),
    scope_logs: fc
      .record({ scope, log_records: fc.array(log, { minLength: 1, maxLength: 4 }) })
      .map((each) => [each]),
  }),
  { minLength: 1, maxLength: 3 },
);

/** Encoded export requests of traces or logs. */
export function sayableRequest(signal: Exclude<Signal, 'metrics'>): fc.Arbitrary<Uint8Array> {
  const type = requestType(signal);
  const groups: fc.Arbitrary<Message> =
    signal === 'traces'
      ? traces.map((resource_spans) => ({ resource_spans }))
      : logs.map((resource_logs) => ({ resource_logs }));
  return groups.map((request) => type.encode(type.fromObject(request)).finish());
}
