/** Generated items for conditions: few keys, and under each of them values of every kind, so that each operator and converter meets them. */
import type { Signal } from '../../component/signal.ts';
import { Prng } from '../../stdx/prng.ts';
import type { Message } from '../otlp-arbitraries.ts';
import { requestType } from '../otlp-root.ts';

const START_NANOS = 1_700_000_000_000_000_000n;

const TEXTS = [
  ...['', 'a', 'GET', '/api/v1/cart', '/api/v12/pay?x=1', 'Grüße €', '503', '-12', '12x', '1.5', 'true', 'T'],
  ...[
    'snake_case_text',
    'CamelCaseText',
    'HTTPServerID42',
    ' blanks around ',
    'a=1 b=2',
    'k="v w" x=y',
    'no pairs',
  ],
  ...['{"a":1,"b":[true,null,"x"]}', '[1,2.5,"z"]', 'null', '{"a":', 'x,"y,z",w', '10.1.2.3', '192.168.0.7'],
  ...[
    '2001:db8::1',
    '::ffff:10.0.0.9',
    'https://u:p@example.org:8443/a/b.tar.gz?q=1&r=2#frag',
    '/relative?x',
    '?q=1',
  ],
  ...[
    '4539 1488 0343 6467',
    '79927398713',
    '1h30m',
    '1.5ms',
    'aGVsbG8=',
    'aGVsbG8',
    '0x1F',
    '077',
    'naïve <tag> & co',
  ],
  ...['2024-02-29T12:34:56Z', '2023-07-04 08:09:10.123', '0102030405060708', 'zz\u{1F600}zz', 'x'.repeat(70)],
];

class Items {
  readonly #prng: Prng;
  #next = 0;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
  }

  below(bound: number): number {
    return this.#prng.nextInt(bound);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** The number of the item that is being made, from 1. */
  nextId(): number {
    return ++this.#next;
  }

  text(): string {
    return this.pick(TEXTS);
  }

  any(depth = 0): Message {
    switch (this.below(depth > 1 ? 7 : 9)) {
      case 0:
      case 1:
        return { string_value: this.text() };
      case 2:
        return {
          int_value: this.pick([0, 1, -1, 5, 200, 404, 503, 599, '9007199254740993', '-9223372036854775808']),
        };
      case 3:
        return { double_value: this.pick([0, 0.5, -1.25, 5, 503, 1e21, 1e-7, 123456.789, 9007199254740992]) };
      case 4:
        return { bool_value: this.below(2) === 0 };
      case 5:
        return { bytes_value: Uint8Array.from({ length: this.below(9) }, () => this.below(256)) };
      case 6:
        return {};
      case 7:
        return { array_value: { values: this.list(() => this.any(depth + 1)) } };
      default:
        return { kvlist_value: { values: this.attributes(['k', 'n', 'a b'], depth + 1) } };
    }
  }

  list<T>(make: () => T): T[] {
    return Array.from({ length: this.below(4) }, make);
  }

  attributes(keys: readonly string[], depth = 0): Message[] {
    return keys.filter(() => this.below(4) > 0).map((key) => ({ key, value: this.any(depth) }));
  }

  /** Attributes with the item's number, by which both sides name it. */
  named(id: number): Message[] {
    const typed = [
      { key: 'text', value: { string_value: this.text() } },
      { key: 'int', value: { int_value: this.below(1000) - 500 } },
      { key: 'list', value: { array_value: { values: this.list(() => ({ int_value: this.below(9) })) } } },
    ].filter(() => this.below(5) > 0);
    const id_ = { key: 'id', value: { string_value: String(id) } };
    return [...this.attributes(['x', 'y', 'code']), ...typed, id_];
  }

  nanos(): string {
    return (START_NANOS + BigInt(this.below(2 ** 31)) * 1_234_567n).toString();
  }

  id(sizeBytes: number): Uint8Array {
    return Uint8Array.from({ length: sizeBytes }, () => this.below(255) + 1);
  }

  head(): Message {
    const attributes = [
      ...this.attributes(['zone', 'x']),
      { key: 'service.name', value: { string_value: this.pick(['shop', 'cart']) } },
    ];
    return {
      resource: { attributes, dropped_attributes_count: this.below(3) },
      schema_url: this.pick(['', 'https://x/1']),
    };
  }

  scope(): Message {
    const scope = {
      name: this.pick(['', 'lib', 'net']),
      version: this.pick(['', '1.2.0']),
      attributes: this.attributes(['x']),
    };
    return { scope, schema_url: this.pick(['', 'https://s/2']) };
  }

  span(): Message {
    const id = this.nextId();
    const start = BigInt(this.nanos());
    const time = {
      start_time_unix_nano: start.toString(),
      end_time_unix_nano: (start + BigInt(this.below(2 ** 31))).toString(),
    };
    return {
      ...{ trace_id: this.id(16), span_id: this.id(8), ...time },
      parent_span_id: this.below(2) === 0 ? this.id(8) : new Uint8Array(0),
      trace_state: this.pick(['', 'a=1', 'a=1,b=2', 'vendor@x=ok , a=9', 'broken']),
      name: this.text(),
      kind: this.below(6),
      attributes: this.named(id),
      events: this.list(() => this.event()),
      links: this.list(() => ({ trace_id: this.id(16), span_id: this.id(8) })),
      dropped_events_count: this.below(3),
      status: { code: this.below(3), message: this.pick(['', 'failed', 'a']) },
      flags: this.pick([0, 1, 0x301]),
    };
  }

  event(): Message {
    return {
      time_unix_nano: this.nanos(),
      name: this.pick(['exception', 'log', '']),
      attributes: this.attributes(['x', 'y']),
    };
  }

  record(): Message {
    return {
      ...{ time_unix_nano: this.nanos(), observed_time_unix_nano: this.pick(['0', this.nanos()]) },
      severity_number: this.below(25),
      severity_text: this.pick(['', 'INFO', 'warn']),
      body: this.any(),
      attributes: this.named(this.nextId()),
      flags: this.below(2),
      ...(this.below(2) === 0 ? { trace_id: this.id(16), span_id: this.id(8) } : {}),
      event_name: this.pick(['', 'login']),
    };
  }

  metric(): Message {
    const head = {
      name: this.pick(['a', 'b.c', 'latency']),
      description: this.pick(['', 'd']),
      unit: this.pick(['', 'ms']),
    };
    const points = <T>(make: (point: Message) => T) =>
      Array.from({ length: 1 + this.below(3) }, () =>
        make({
          attributes: this.named(this.nextId()),
          time_unix_nano: this.nanos(),
          start_time_unix_nano: this.nanos(),
          flags: this.below(2),
        }),
      );
    const aggregation_temporality = this.below(3);
    switch (this.below(5)) {
      case 0:
        return { ...head, gauge: { data_points: points((point) => this.number(point)) } };
      case 1:
        return {
          ...head,
          sum: {
            data_points: points((point) => this.number(point)),
            aggregation_temporality,
            is_monotonic: this.below(2) === 0,
          },
        };
      case 2:
        return {
          ...head,
          histogram: { data_points: points((point) => this.histogram(point)), aggregation_temporality },
        };
      case 3:
        return {
          ...head,
          exponential_histogram: {
            data_points: points((point) => this.exponential(point)),
            aggregation_temporality,
          },
        };
      default:
        return { ...head, summary: { data_points: points((point) => this.summary(point)) } };
    }
  }

  number(point: Message): Message {
    const exemplars = this.list(() => ({ as_int: 1, time_unix_nano: this.nanos() }));
    const value =
      this.below(2) === 0 ? { as_int: this.below(100) - 50 } : { as_double: (this.below(100) - 50) / 4 };
    return { ...point, ...value, exemplars };
  }

  histogram(point: Message): Message {
    const buckets = this.list(() => this.below(9));
    const shape =
      buckets.length < 2
        ? {}
        : { bucket_counts: buckets, explicit_bounds: buckets.slice(1).map((_, at) => at + 0.5) };
    return { ...point, count: this.below(99), sum: this.below(99) / 4, ...shape };
  }

  exponential(point: Message): Message {
    const side = () => ({ offset: this.below(9) - 4, bucket_counts: this.list(() => this.below(300)) });
    return {
      ...point,
      count: this.below(99),
      sum: this.below(99),
      scale: this.below(9) - 4,
      zero_count: this.below(5),
      positive: side(),
      negative: side(),
    };
  }

  summary(point: Message): Message {
    return {
      ...point,
      count: this.below(99),
      sum: this.below(99),
      quantile_values: this.list(() => ({ quantile: 0.5, value: 2 })),
    };
  }
}

/** @returns encoded export requests with `count` items or a few more; each has a number of its own in attribute `id`. */
export function conditionRequests(signal: Signal, count: number, seed: number): Uint8Array[] {
  const items = new Items(seed);
  const type = requestType(signal);
  const requests: Uint8Array[] = [];
  let made = 0;
  const scoped = (): Message => {
    const batch = 1 + items.below(12);
    made += batch;
    const make = (one: () => Message) => Array.from({ length: batch }, one);
    if (signal === 'traces') return { ...items.scope(), spans: make(() => items.span()) };
    if (signal === 'logs') return { ...items.scope(), log_records: make(() => items.record()) };
    return { ...items.scope(), metrics: make(() => items.metric()) };
  };
  const plural = { traces: 'spans', logs: 'logs', metrics: 'metrics' }[signal];
  while (made < count) {
    const groups = Array.from({ length: 1 + items.below(3) }, () => ({
      ...items.head(),
      [`scope_${plural}`]: [scoped(), ...(items.below(2) === 0 ? [scoped()] : [])],
    }));
    requests.push(type.encode(type.fromObject({ [`resource_${plural}`]: groups })).finish());
  }
  return requests;
}
