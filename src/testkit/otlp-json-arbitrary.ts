/*
 * Random OTLP requests for property tests, and a writer of OTLP/JSON that shares nothing with ours: both follow the
 * official descriptors by reflection.
 */
import fc from 'fast-check';
import protobuf from 'protobufjs';
import type { Signal } from '../component/signal.ts';
import type { Prng } from '../stdx/prng.ts';
import { requestType } from './otlp-root.ts';

/** A message as protobufjs takes it in `fromObject`: snake_case names, 64-bit integers as decimal text. */
export type PlainMessage = { [field: string]: unknown };

const PROFILE_FIELDS = /_strindex$/;
const ID_FIELDS = /^(?:trace_id|span_id|parent_span_id)$/;

const DOUBLES = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(
    0,
    -0,
    0.1,
    1e-310,
    5e-324,
    1.7976931348623157e308,
    Number.NaN,
    Infinity,
    -Infinity,
    2 ** 53 + 2,
  ),
);
const TEXTS = fc.oneof(
  { weight: 10, arbitrary: fc.string({ maxLength: 12, unit: 'binary' }) },
  {
    weight: 10,
    arbitrary: fc.constantFrom('', '0', 'NaN', '__proto__', 'constructor', '\u0000\u001f"\\/', '😀é'),
  },
  // Around the sizes at which a length takes one byte more.
  { weight: 1, arbitrary: fc.constantFrom(127, 128, 16_383, 16_384).map((size) => 'x'.repeat(size)) },
);
const BYTES = fc.uint8Array({ maxLength: 9 }).map((bytes) => new Uint8Array(bytes));

function signed64(min: bigint, max: bigint): fc.Arbitrary<string> {
  return fc.oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max, 0n, 2n ** 53n + 1n)).map(String);
}

function scalarArbitrary(field: protobuf.Field): fc.Arbitrary<unknown> {
  if (field.resolvedType instanceof protobuf.Enum)
    return fc.constantFrom(...Object.values(field.resolvedType.values));
  switch (field.type) {
    case 'string':
      return TEXTS;
    case 'bytes':
      return ID_FIELDS.test(field.name) ? fc.uint8Array({ minLength: 1, maxLength: 17 }) : BYTES;
    case 'bool':
      return fc.boolean();
    case 'double':
      return DOUBLES;
    case 'uint32':
    case 'fixed32':
      return fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffffffff }), fc.constant(0xffffffff));
    case 'sint32':
      return fc.oneof(fc.integer(), fc.constantFrom(-0x80000000, 0x7fffffff, 0));
    case 'int64':
    case 'sfixed64':
      return signed64(-(2n ** 63n), 2n ** 63n - 1n);
    case 'uint64':
    case 'fixed64':
      return signed64(0n, 2n ** 64n - 1n);
    default:
      throw new Error(`no generator for ${field.type}`);
  }
}

function messageArbitrary(type: protobuf.Type, depth: number): fc.Arbitrary<PlainMessage> {
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of type.fieldsArray) {
    const child = field.resolve().resolvedType;
    // Attribute values nest without end; everything else has a fixed depth.
    if (PROFILE_FIELDS.test(field.name) || (child instanceof protobuf.Type && depth === 0)) continue;
    const one = child instanceof protobuf.Type ? messageArbitrary(child, depth - 1) : scalarArbitrary(field);
    model[field.name] = field.repeated ? fc.array(one, { maxLength: 3 }) : one;
  }
  return fc
    .tuple(fc.record(model, { requiredKeys: [] }), fc.nat())
    .map(([message, choice]) => keepOneOfEach(type, message, choice));
}

function keepOneOfEach(type: protobuf.Type, message: PlainMessage, choice: number): PlainMessage {
  for (const oneof of type.oneofsArray) {
    const set = oneof.oneof.filter((name) => message[name] !== undefined);
    for (const [index, name] of set.entries()) if (index !== choice % set.length) delete message[name];
  }
  return message;
}

/** Requests of a signal with values at the edges of every type, nested a few levels deep. */
export function requestArbitrary(signal: Signal): fc.Arbitrary<PlainMessage> {
  return messageArbitrary(requestType(signal), signal === 'metrics' ? 8 : 7);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Writes a request as OTLP/JSON. The generator, when given, chooses among the spellings that a reader must take. */
export function writeOtlpJson(type: protobuf.Type, message: PlainMessage, prng?: Prng): string {
  const chance = (part: number): boolean => prng !== undefined && prng.nextInt(part) === 0;
  const gap = (): string => (chance(8) ? [' ', '\n\t', '\r'][prng!.nextInt(3)]! : '');
  const scalar = (field: protobuf.Field, value: unknown): string => {
    if (field.resolvedType instanceof protobuf.Enum && chance(2)) {
      return JSON.stringify(field.resolvedType.valuesById[value as number]);
    }
    if (value instanceof Uint8Array) {
      if (ID_FIELDS.test(field.name)) return `"${chance(2) ? hex(value).toUpperCase() : hex(value)}"`;
      return `"${Buffer.from(value).toString(chance(2) ? 'base64url' : 'base64')}"`;
    }
    if (field.type === 'double') {
      const text = Object.is(value, -0) ? '-0' : String(value);
      return Number.isFinite(value) && !chance(4) ? text : `"${text}"`;
    }
    if (field.type === 'string' || field.type === 'bool') return JSON.stringify(value);
    const isText = /64$/.test(field.type) !== chance(3);
    return isText ? `"${value}"` : String(value);
  };
  const object = (of: protobuf.Type, value: PlainMessage): string => {
    const members = Object.entries(value).map(([name, content]) => {
      const field = of.fields[name]!;
      const child = field.resolve().resolvedType;
      const one = (item: unknown): string =>
        gap() + (child instanceof protobuf.Type ? object(child, item as PlainMessage) : scalar(field, item));
      const text = field.repeated
        ? `[${(content as unknown[]).map(one).join(`${gap()},`)}${gap()}]`
        : one(content);
      const key = chance(4) ? name : field.jsonName;
      const unknown = chance(6) ? `"unknown":{"a":[1,-0.5e3,null,{"b":"\\u0041\\""}]},${gap()}` : '';
      return `${unknown}${gap()}"${key}"${gap()}:${text}`;
    });
    return `{${members.join(`${gap()},`)}${gap()}}`;
  };
  return object(type, message);
}
