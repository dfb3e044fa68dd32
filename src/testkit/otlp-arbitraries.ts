/** Generated OTLP requests of all three signals for property tests, as objects that protobufjs encodes. */
import fc from 'fast-check';
import type { Signal } from '../component/signal.ts';
import { requestType } from './otlp-root.ts';

export type Message = Record<string, unknown>;

function long(unsigned: boolean): fc.Arbitrary<unknown> {
  const bits = fc.oneof(
    fc.bigInt(0n, (1n << 64n) - 1n),
    fc.constantFrom(0n, 1n, (1n << 53n) + 1n, 1n << 63n, (1n << 64n) - 1n),
  );
  return bits.map((value) => ({
    low: Number(BigInt.asIntN(32, value)),
    high: Number(BigInt.asIntN(32, value >> 32n)),
    unsigned,
  }));
}

const uint64 = long(true);
const int64 = long(false);
const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 200 }));
const double = fc.double();
const uint32 = fc.nat(0xffff_ffff);

/** Leaves each field out at random, as encoders do with defaults. */
function message(
  fields: Record<string, fc.Arbitrary<unknown>>,
  requiredKeys: string[] = [],
): fc.Arbitrary<Message> {
  return fc.record(fields, { requiredKeys }) as fc.Arbitrary<Message>;
}

function bytes(sizes: readonly number[]): fc.Arbitrary<Uint8Array> {
  return fc.constantFrom(...sizes).chain((size) => fc.uint8Array({ minLength: size, maxLength: size }));
}

const good = <T>(arbitrary: fc.Arbitrary<T>, bad: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 20, arbitrary }, { weight: 1, arbitrary: bad });
const id = (size: number) =>
  good(bytes([size]), fc.oneof(bytes([0, 1, size - 1, size + 1]), fc.constant(new Uint8Array(size))));
const optionalId = (size: number) => good(bytes([0, size]), bytes([size - 1, size + 1, size * 2]));

const { anyValue, keyValue } = fc.letrec<{ anyValue: Message; keyValue: Message }>((tie) => ({
  anyValue: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    text.map((value): Message => ({ string_value: value })),
    int64.map((value): Message => ({ int_value: value })),
    fc.boolean().map((value): Message => ({ bool_value: value })),
    double.map((value): Message => ({ double_value: value })),
    fc.uint8Array({ maxLength: 40 }).map((value): Message => ({ bytes_value: value })),
    fc.constant<Message>({}),
    fc.array(tie('anyValue'), { maxLength: 3 }).map((values): Message => ({ array_value: { values } })),
    fc.array(tie('keyValue'), { maxLength: 3 }).map((values): Message => ({ kvlist_value: { values } })),
  ),
  keyValue: message({ key: text, value: tie('anyValue') }),
}));

const attributes = fc.array(keyValue, { maxLength: 5 });
const resource = message({
  attributes,
  dropped_attributes_count: uint32,
  entity_refs: fc.array(message({ type: text, id_keys: fc.array(text, { maxLength: 2 }) }), { maxLength: 2 }),
});
const scope = message({ name: text, version: text, attributes, dropped_attributes_count: uint32 });

const event = message({ time_unix_nano: uint64, name: text, attributes, dropped_attributes_count: uint32 });
const link = message({
  trace_id: optionalId(16),
  span_id: optionalId(8),
  trace_state: text,
  attributes,
  flags: uint32,
});
const span = fc.record({ trace_id: id(16), span_id: id(8) }).chain((ids) =>
  message({
    parent_span_id: optionalId(8),
    trace_state: text,
    name: text,
    kind: fc.nat(5),
    start_time_unix_nano: uint64,
    end_time_unix_nano: uint64,
    attributes,
    dropped_attributes_count: uint32,
    events: fc.array(event, { maxLength: 2 }),
    links: fc.array(link, { maxLength: 2 }),
    status: message({ message: text, code: fc.nat(2) }),
    flags: uint32,
  }).map((rest) => ({ ...ids, ...rest })),
);

const logRecord = message({
  time_unix_nano: uint64,
  observed_time_unix_nano: uint64,
  severity_number: fc.nat(24),
  severity_text: text,
  body: anyValue,
  attributes,
  flags: uint32,
  trace_id: optionalId(16),
  span_id: optionalId(8),
  event_name: text,
});

const times = { start_time_unix_nano: uint64, time_unix_nano: uint64, flags: uint32 };
const exemplar = message({
  time_unix_nano: uint64,
  as_int: int64,
  span_id: optionalId(8),
  trace_id: optionalId(16),
  filtered_attributes: attributes,
});
const exemplars = fc.array(exemplar, { maxLength: 2 });
const numberPoint = fc.oneof(
  message({ ...times, attributes, exemplars, as_double: double }),
  message({ ...times, attributes, exemplars, as_int: int64 }),
);
const smallCount = fc.nat(1000);
const shape = fc.oneof(
  fc.nat(6).map((bounds): [number, number] => [bounds + 1, bounds]),
  fc.constant<[number, number]>([0, 0]),
  fc.tuple(fc.nat(4), fc.nat(4)),
);
const histogramPoint = shape.chain(([counts, bounds]) =>
  message({ ...times, attributes, exemplars, count: uint64, sum: double, min: double, max: double }).chain(
    (rest) =>
      fc
        .record({
          bucket_counts: fc.array(smallCount, { minLength: counts, maxLength: counts }),
          explicit_bounds: fc.array(double, { minLength: bounds, maxLength: bounds }),
        })
        .map((buckets): Message => ({ ...rest, ...buckets })),
  ),
);
const buckets = message({ offset: fc.integer(), bucket_counts: fc.array(smallCount, { maxLength: 5 }) });
const expPoint = message({
  ...times,
  attributes,
  exemplars,
  count: uint64,
  sum: double,
  scale: fc.integer({ min: -10, max: 20 }),
  zero_count: uint64,
  positive: buckets,
  negative: buckets,
  zero_threshold: double,
});
const quantile = message({ quantile: double, value: double });
const summaryPoint = message({
  ...times,
  attributes,
  count: uint64,
  sum: double,
  quantile_values: fc.array(quantile, { maxLength: 3 }),
});
const points = (point: fc.Arbitrary<Message>) => fc.array(point, { maxLength: 4 });
const temporality = fc.nat(2);
const metricHead = message({ name: text, description: text, unit: text, metadata: attributes });
const metric = fc.oneof(
  metricHead,
  withData('gauge', message({ data_points: points(numberPoint) })),
  withData(
    'sum',
    message({
      data_points: points(numberPoint),
      aggregation_temporality: temporality,
      is_monotonic: fc.boolean(),
    }),
  ),
  withData(
    'histogram',
    message({ data_points: points(histogramPoint), aggregation_temporality: temporality }),
  ),
  withData(
    'exponential_histogram',
    message({ data_points: points(expPoint), aggregation_temporality: temporality }),
  ),
  withData('summary', message({ data_points: points(summaryPoint) })),
);

function withData(name: string, data: fc.Arbitrary<Message>): fc.Arbitrary<Message> {
  return fc.tuple(metricHead, data).map(([head, body]) => ({ ...head, [name]: body }));
}

function envelope(
  resources: string,
  scopes: string,
  items: string,
  item: fc.Arbitrary<Message>,
): fc.Arbitrary<Message> {
  const scoped = message({ scope, schema_url: text, [items]: fc.array(item, { maxLength: 5 }) }, [items]);
  const grouped = message({ resource, schema_url: text, [scopes]: fc.array(scoped, { maxLength: 3 }) }, [
    scopes,
  ]);
  return message({ [resources]: fc.array(grouped, { maxLength: 3 }) }, [resources]);
}

const REQUESTS: Record<Signal, fc.Arbitrary<Message>> = {
  traces: envelope('resource_spans', 'scope_spans', 'spans', span),
  logs: envelope('resource_logs', 'scope_logs', 'log_records', logRecord),
  metrics: envelope('resource_metrics', 'scope_metrics', 'metrics', metric),
};

/** Encoded requests; about one item in ten is wrong by itself (ids, histogram shape). */
export function encodedRequest(signal: Signal): fc.Arbitrary<Uint8Array> {
  const type = requestType(signal);
  // A plain copy: protobufjs returns Node buffers.
  return REQUESTS[signal].map((request) => new Uint8Array(type.encode(type.fromObject(request)).finish()));
}
