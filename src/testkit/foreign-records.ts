/** Generated records of Jaeger and Zipkin, as those systems' own clients could write them: odd in values, faulty in none. */
import fc from 'fast-check';
import { foreignType } from './foreign-protos.ts';
import type { Message } from './otlp-arbitraries.ts';

const NOW_MICROS = 1_790_000_000_000_000;
const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 40 }));
const filled = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
/** Never all zeros. */
const id = (size: number) =>
  fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => {
    bytes[size - 1] = bytes[size - 1]! || 7;
    return bytes;
  });
const int64 = fc.oneof(
  fc.bigInt(-(1n << 63n), (1n << 63n) - 1n),
  fc.constantFrom(0n, 1n, (1n << 53n) + 1n, -(1n << 63n), 200n, 404n, 503n),
);
const micros = fc.integer({ min: NOW_MICROS - 1e15, max: NOW_MICROS });

const JAEGER_KEYS = [
  ...['span.kind', 'error', 'otel.status_code', 'otel.status_description', 'http.status_code'],
  ...['http.response.status_code', 'http.status_message', 'w3c.tracestate', 'otel.scope.name'],
  ...['otel.scope.version', 'event', 'hostname', 'host.name', 'jaeger.version', 'service.name', 'a', 'b', ''],
];
const WORDS = [
  'client',
  'server',
  'producer',
  'consumer',
  'internal',
  'Ok',
  'ERROR',
  'error',
  'true',
  '200',
  '404',
];

const jaegerTag: fc.Arbitrary<Message> = fc
  .tuple(
    fc.oneof(fc.constantFrom(...JAEGER_KEYS), filled),
    fc.oneof(
      fc.oneof(fc.constantFrom(...WORDS), text).map((v_str): Message => ({ v_str })),
      fc.boolean().map((v_bool): Message => ({ v_type: 1, v_bool })),
      int64.map((value): Message => ({ v_type: 2, v_int64: value.toString() })),
      // JSON has no minus zero.
      fc.double().map((value): Message => ({ v_type: 3, v_float64: value + 0 })),
      fc.uint8Array({ maxLength: 20 }).map((v_binary): Message => ({ v_type: 4, v_binary })),
    ),
  )
  .map(([key, value]) => ({ key, ...value }));
const jaegerTags = fc.array(jaegerTag, { maxLength: 6 });

const stamp = fc
  .tuple(fc.integer({ min: 0, max: 4_000_000_000 }), fc.nat(999_999_999))
  .map(([seconds, nanos]) => ({ seconds, nanos }));
const duration = fc
  .tuple(fc.nat(5_000_000_000), fc.nat(999_999_999))
  .map(([seconds, nanos]) => ({ seconds, nanos }));

/** A Jaeger span for protobufjs; parents and links within its trace and outside it. */
export const jaegerSpan: fc.Arbitrary<Message> = fc
  .tuple(id(16), id(8), id(8))
  .chain(([trace, span, parent]) => {
    const reference = fc.record({
      trace_id: fc.oneof(fc.constant(trace), id(16), id(8)),
      span_id: fc.oneof(fc.constant(parent), id(8)),
      ref_type: fc.constantFrom(0, 1),
    });
    return fc.record(
      {
        trace_id: fc.constant(trace),
        span_id: fc.constant(span),
        operation_name: text,
        references: fc.array(reference, { maxLength: 4 }),
        flags: fc.nat(15),
        start_time: stamp,
        duration,
        tags: jaegerTags,
        logs: fc.array(fc.record({ timestamp: stamp, fields: jaegerTags }), { maxLength: 3 }),
        process: fc.record({ service_name: filled, tags: jaegerTags }),
      },
      { requiredKeys: ['trace_id', 'span_id', 'start_time', 'process'] },
    ) as fc.Arbitrary<Message>;
  });

export function encodeJaeger(span: Message): Uint8Array {
  const type = foreignType('jaeger.Span');
  return type.encode(type.fromObject(span)).finish();
}

const ADDRESSES4 = ['192.168.0.1', '10.0.0.255', '0.0.0.0'];
const ADDRESSES6 = ['2001:db8::c001', '::1', 'fe80:0:0:1::', '1:2:3:4:5:6:7:8'];
const ZIPKIN_KEYS = [
  ...[
    'error',
    'otel.status_code',
    'otel.status_description',
    'span.kind',
    'w3c.tracestate',
    'http.status_code',
  ],
  ...['network.peer.address', 'service.peer.name', 'net.host.port', 'a', 'b', ''],
];
const CODES = [
  'STATUS_CODE_OK',
  'STATUS_CODE_ERROR',
  'STATUS_CODE_UNSET',
  'Ok',
  'Error',
  'x',
  'true',
  'false',
];

const zipkinTags = fc.dictionary(
  fc.oneof(
    fc.constantFrom(...ZIPKIN_KEYS),
    filled.filter((key) => key !== '__proto__'),
  ),
  fc.oneof(fc.constantFrom(...CODES, 'internal', 'client', '200'), text),
  { maxKeys: 6 },
);
const endpoint = fc.record(
  {
    serviceName: fc.constantFrom('front', 'back', 'Database'),
    ipv4: fc.constantFrom(...ADDRESSES4),
    ipv6: fc.constantFrom(...ADDRESSES6),
    port: fc.nat(65_535),
  },
  { requiredKeys: ['serviceName'] },
);
const attributesText = fc
  .dictionary(
    filled.filter((key) => key !== '__proto__'),
    fc.oneof(fc.boolean(), fc.integer(), fc.double({ noNaN: true, min: -1e15, max: 1e15 }), text),
    { maxKeys: 3 },
  )
  .map((attributes) => JSON.stringify(attributes));
const noBars = text.filter((value) => !value.includes('|'));
const annotation = fc.record({
  timestamp: micros,
  value: fc.oneof(
    noBars,
    fc.tuple(noBars, attributesText, fc.nat(9)).map((fields) => fields.join('|')),
  ),
});
const hex = (size: number) => id(size).map((bytes) => Buffer.from(bytes).toString('hex'));
const linkText = fc
  .tuple(hex(16), hex(8), fc.constantFrom('', 'k=v'), attributesText, fc.nat(9))
  .map((fields) => fields.join('|'));

/** Spans of one service share the tags about its resource: where they do not, the Collector mixes them up. */
const SERVICE_TAGS: Readonly<Record<string, Record<string, string>>> = {
  front: { 'host.name': 'web-1', 'process.pid': '17' },
  back: { 'otlp.service.name.source': 'faas.name', 'cloud.region': 'eu' },
  Database: {},
};

/** A Zipkin v2 span as JSON has it. */
export const zipkinSpan: fc.Arbitrary<Message> = fc
  .record(
    {
      traceId: fc.oneof(hex(16), hex(8)),
      id: hex(8),
      parentId: hex(8),
      name: text,
      kind: fc.constantFrom('CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER'),
      timestamp: micros,
      duration: fc.nat(1e12),
      shared: fc.boolean(),
      debug: fc.boolean(),
      localEndpoint: endpoint,
      remoteEndpoint: endpoint,
      annotations: fc.array(annotation, { maxLength: 3 }),
      tags: zipkinTags,
      links: fc.array(linkText, { maxLength: 2 }),
      scope: fc.constantFrom(undefined, { 'otel.library.name': 'lib', 'otel.library.version': '1' }),
    },
    { requiredKeys: ['traceId', 'id', 'localEndpoint', 'tags', 'links', 'scope'] },
  )
  .map(({ links, scope, ...span }) => ({
    ...span,
    tags: {
      ...(span.tags as Record<string, string>),
      ...SERVICE_TAGS[(span.localEndpoint as { serviceName: string }).serviceName],
      ...scope,
      ...Object.fromEntries(links.map((link, at) => [`otlp.link.${at}`, link])),
    },
  }));

export const zipkinList = fc.array(zipkinSpan, { minLength: 1, maxLength: 5 });

/** The same spans in protobuf. */
export function encodeZipkin(spans: readonly Message[]): Uint8Array {
  const type = foreignType('zipkin.ListOfSpans');
  return type.encode(type.fromObject({ spans: spans.map(toProto) })).finish();
}

function toProto(span: Message): Message {
  const { traceId, id: spanId, parentId, localEndpoint, remoteEndpoint, ...rest } = span;
  return {
    ...rest,
    trace_id: Buffer.from((traceId as string).padStart(32, '0'), 'hex'),
    id: Buffer.from(spanId as string, 'hex'),
    ...(parentId === undefined ? {} : { parent_id: Buffer.from(parentId as string, 'hex') }),
    local_endpoint: toEndpoint(localEndpoint as Message | undefined),
    remote_endpoint: toEndpoint(remoteEndpoint as Message | undefined),
  };
}

function toEndpoint(json: Message | undefined): Message | undefined {
  if (json === undefined) return undefined;
  return {
    service_name: json.serviceName,
    port: json.port,
    ...(json.ipv4 === undefined ? {} : { ipv4: (json.ipv4 as string).split('.').map(Number) }),
    ...(json.ipv6 === undefined ? {} : { ipv6: ipv6Bytes(json.ipv6 as string) }),
  };
}

/** Colons twice stand for as many zeros as are missing. */
function ipv6Bytes(address: string): Uint8Array {
  const [front = '', back] = address.split('::');
  const left = front === '' ? [] : front.split(':');
  const right = back === undefined || back === '' ? [] : back.split(':');
  const groups = [...left, ...new Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
