/** Zipkin v1 spans in Thrift's binary protocol, generated and encoded here (openzipkin/zipkin-api zipkinCore.thrift). */
import fc from 'fast-check';

const STOP = 0;
const BOOL = 2;
const DOUBLE = 4;
const I16 = 6;
const I32 = 8;
const I64 = 10;
const STRING = 11;
const STRUCT = 12;
const LIST = 15;

type Field = readonly [id: number, type: number, content: Buffer];

function integer(size: 2 | 4 | 8, value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt.asIntN(64, value));
  return bytes.subarray(8 - size);
}

function binary(content: Uint8Array): Buffer {
  return Buffer.concat([integer(4, BigInt(content.length)), content]);
}

function struct(fields: readonly (Field | undefined)[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const field of fields) {
    if (field === undefined) continue;
    const [id, type, content] = field;
    parts.push(Uint8Array.of(type), integer(2, BigInt(id)), content);
  }
  return Buffer.concat([...parts, Uint8Array.of(STOP)]);
}

function list(type: number, items: readonly Buffer[]): Buffer {
  return Buffer.concat([Uint8Array.of(type), integer(4, BigInt(items.length)), ...items]);
}

const NOW_MICROS = 1_790_000_000_000_000;
const text = fc.oneof(fc.string({ maxLength: 10 }), fc.string({ unit: 'grapheme', maxLength: 20 }));
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const number = fc.bigInt(1n, (1n << 63n) - 1n);
const micros = fc.integer({ min: NOW_MICROS - 1e15, max: NOW_MICROS }).map(BigInt);
const textField = (id: number) => text.map((value): Field => [id, STRING, binary(Buffer.from(value))]);
const numberField = (id: number, value: fc.Arbitrary<bigint>) =>
  value.map((each): Field => [id, I64, integer(8, each)]);

const endpoint = fc
  .tuple(
    fc.constantFrom(0, 0x7f000001, -0x3f57ff02),
    fc.integer({ min: -5, max: 0x7fff }),
    fc.constantFrom('front', 'back', '', 'unknown-service'),
    optional(fc.uint8Array({ minLength: 16, maxLength: 16 })),
  )
  .map(([ipv4, port, name, ipv6]) =>
    struct([
      [1, I32, integer(4, BigInt(ipv4))],
      [2, I16, integer(2, BigInt(port))],
      [3, STRING, binary(Buffer.from(name))],
      ipv6 === undefined ? undefined : [4, STRING, binary(ipv6)],
    ]),
  );

const annotation = fc
  .tuple(
    numberField(1, micros),
    fc.oneof(fc.constantFrom('cs', 'cr', 'sr', 'ss', 'ms', 'mr', 'ws', ''), text),
    optional(endpoint),
  )
  .map(([time, value, host]) =>
    struct([
      time,
      [2, STRING, binary(Buffer.from(value))],
      host === undefined ? undefined : [3, STRUCT, host],
    ]),
  );

const KEYS = [
  ...[
    'lc',
    'error',
    'http.status_code',
    'http.status_message',
    'otel.status_code',
    'otel.status_description',
  ],
  ...['census.status_code', 'census.status_description', 'ca', 'sa', 'a'],
];
const value = fc.oneof(
  fc.constantFrom('200', '404', '0', '1', '2', 'true', 'x').map((each) => Buffer.from(each)),
  fc.uint8Array({ maxLength: 9 }).map((each) => Buffer.from(each)),
);
/** Values of string annotations are UTF-8: what a Collector makes of others is not text. */
const typedValue = fc.oneof(
  fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 9), value),
  fc.tuple(
    fc.constant(6),
    fc.oneof(fc.constantFrom('200', '404', '0', '1', '2'), text).map((each) => Buffer.from(each)),
  ),
);
const binaryAnnotation = fc
  .tuple(fc.oneof(fc.constantFrom(...KEYS), text), typedValue, optional(endpoint))
  // The text of a local component is taken from the bytes of any value.
  .filter(([key, [type]]) => key !== 'lc' || type === 6)
  .map(([key, [type, content], host]) =>
    struct([
      [1, STRING, binary(Buffer.from(key))],
      [2, STRING, binary(content)],
      [3, I32, integer(4, BigInt(type))],
      host === undefined ? undefined : [4, STRUCT, host],
    ]),
  );

const span = fc
  .tuple(
    fc.tuple(numberField(1, number), textField(3), numberField(4, number)),
    optional(numberField(5, number)),
    fc.array(annotation, { maxLength: 4 }).map((items): Field => [6, LIST, list(STRUCT, items)]),
    fc.array(binaryAnnotation, { maxLength: 4 }).map((items): Field => [8, LIST, list(STRUCT, items)]),
    optional(fc.constant<Field>([9, BOOL, Buffer.of(1)])),
    optional(fc.tuple(numberField(10, micros), optional(numberField(11, fc.nat(1e9).map(BigInt))))),
    optional(numberField(12, number)),
    optional(fc.double().map((): Field => [99, DOUBLE, Buffer.alloc(8)])),
  )
  .map(([[trace, name, id], parent, annotations, binaries, debug, times, high, unknown]) =>
    struct([trace, name, id, parent, annotations, binaries, debug, ...(times ?? []), high, unknown]),
  );

/** A record of `zipkin_thrift`. */
export const thriftSpans: fc.Arbitrary<Uint8Array> = fc
  .array(span, { minLength: 1, maxLength: 4 })
  .map((spans) => Uint8Array.from(list(STRUCT, spans)));
