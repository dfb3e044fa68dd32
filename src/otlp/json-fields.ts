/*
 * The schema as typed arrays: what the JSON codec looks up per field, without an object on the way.
 * Messages, fields and names are small integers; a field belongs to one message, a name to one field.
 */

import type { Signal } from '../component/signal.ts';
import { assert } from '../stdx/assert.ts';
import { ENUM_SCHEMA, MESSAGE_SCHEMA } from './json-schema.ts';

export const KIND_MESSAGE = 0;
export const KIND_STRING = 1;
export const KIND_ID = 2;
export const KIND_BYTES = 3;
export const KIND_BOOL = 4;
export const KIND_ENUM = 5;
export const KIND_UINT32 = 6;
export const KIND_SINT32 = 7;
export const KIND_FIXED32 = 8;
export const KIND_INT64 = 9;
export const KIND_UINT64 = 10;
export const KIND_FIXED64 = 11;
export const KIND_SFIXED64 = 12;
export const KIND_DOUBLE = 13;

const KIND_BY_TYPE: Readonly<Record<string, number>> = {
  string: KIND_STRING,
  id: KIND_ID,
  bytes: KIND_BYTES,
  bool: KIND_BOOL,
  uint32: KIND_UINT32,
  sint32: KIND_SINT32,
  fixed32: KIND_FIXED32,
  int64: KIND_INT64,
  uint64: KIND_UINT64,
  fixed64: KIND_FIXED64,
  sfixed64: KIND_SFIXED64,
  double: KIND_DOUBLE,
};

const WIRE_VARINT = 0;
const WIRE_I64 = 1;
const WIRE_LEN = 2;
const WIRE_I32 = 5;
/** Wire type by kind, in the order of the KIND constants. */
export const WIRE_BY_KIND = Uint8Array.of(
  WIRE_LEN,
  WIRE_LEN,
  WIRE_LEN,
  WIRE_LEN,
  WIRE_VARINT,
  WIRE_VARINT,
  WIRE_VARINT,
  WIRE_VARINT,
  WIRE_I32,
  WIRE_VARINT,
  WIRE_VARINT,
  WIRE_I64,
  WIRE_I64,
  WIRE_I64,
);

export const FLAG_REPEATED = 1;
/** Explicit presence: a zero value says something and is written. */
export const FLAG_PRESENCE = 2;
/** JSON shows the message even when it is absent. */
export const FLAG_ALWAYS = 4;
/** Member of the one oneof of its message. */
export const FLAG_ONEOF = 8;
const FLAGS_BY_MARK: Readonly<Record<string, number>> = {
  '*': FLAG_REPEATED,
  '?': FLAG_PRESENCE,
  '|': FLAG_PRESENCE | FLAG_ONEOF,
  '!': FLAG_ALWAYS,
};

/** One field for readers that may take their time; `index` is its place in the typed arrays. */
export interface JsonField {
  index: number;
  message: number;
  name: string;
  jsonName: string;
  number: number;
  kind: number;
  flags: number;
  /** Message or enum number behind the field, -1 for plain values. */
  child: number;
}

const messageNames = Object.keys(MESSAGE_SCHEMA);
const enumNames = Object.keys(ENUM_SCHEMA);
export const MESSAGE_COUNT = messageNames.length;

function lowerCamel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function parseField(message: number, index: number, text: string): JsonField {
  const match = /^(\w+)([*?!|]?) (\d+) (\w+)$/.exec(text.trim());
  assert(match !== null, `schema line: ${text}`);
  const [, name = '', mark = '', number = '', type = ''] = match;
  const child = messageNames.indexOf(type);
  const enumIndex = enumNames.indexOf(type);
  const kind = child >= 0 ? KIND_MESSAGE : enumIndex >= 0 ? KIND_ENUM : KIND_BY_TYPE[type];
  assert(kind !== undefined, `schema type: ${text}`);
  const flags = FLAGS_BY_MARK[mark] ?? 0;
  return {
    index,
    message,
    name,
    jsonName: lowerCamel(name),
    number: Number(number),
    kind,
    flags,
    child: child >= 0 ? child : enumIndex,
  };
}

/** Fields of each message in the order of the .proto file. */
export const MESSAGE_FIELDS: readonly (readonly JsonField[])[] = (() => {
  let index = 0;
  return messageNames.map((name, message) =>
    (MESSAGE_SCHEMA[name] ?? '').split(',').map((text) => parseField(message, index++, text)),
  );
})();
const fields = MESSAGE_FIELDS.flat();

/** Field number and wire type; below 0x4000, so one or two bytes. */
export const FIELD_TAG = Uint16Array.from(fields, (field) => {
  const tag = (field.number << 3) | (isPacked(field) ? WIRE_LEN : WIRE_BY_KIND[field.kind]!);
  assert(tag < 0x4000);
  return tag;
});
export const FIELD_KIND = Uint8Array.from(fields, (field) => field.kind);
export const FIELD_FLAGS = Uint8Array.from(fields, (field) => field.flags);
export const FIELD_CHILD = Int16Array.from(fields, (field) => field.child);
/** Bit of a field in the set of fields that a message has shown so far. */
export const FIELD_BIT = Int32Array.from(
  fields,
  (field) => 1 << MESSAGE_FIELDS[field.message]!.indexOf(field),
);
export const FIELD_COUNT = fields.length;
assert(
  MESSAGE_FIELDS.every((list) => list.length < 31),
  'one bit a field in a 31-bit set',
);

function isPacked(field: JsonField): boolean {
  return field.flags === FLAG_REPEATED && WIRE_BY_KIND[field.kind] !== WIRE_LEN;
}

/* Names: both spellings of every field, with the closing quote, in one byte pool. */
const names = fields.flatMap((field) =>
  field.name === field.jsonName
    ? [{ field, text: field.jsonName }]
    : [
        { field, text: field.jsonName },
        { field, text: field.name },
      ],
);
export const NAME_COUNT = names.length;
export const NAME_FIELD = Int16Array.from(names, (name) => name.field.index);
export const NAME_START = new Int32Array(NAME_COUNT + 1);
/** ASCII of all names, each followed by a quote. */
export const NAME_BYTES = (() => {
  const text = names.map((name) => `${name.text}"`);
  text.forEach((part, i) => {
    NAME_START[i + 1] = NAME_START[i]! + part.length;
  });
  return new TextEncoder().encode(text.join(''));
})();

const HASH_SLOTS = 1024;
const HASH_MASK = HASH_SLOTS - 1;
/** Open addressing, -1 is free. A quarter full, so that a probe for an unknown name ends soon. */
const hashTable = new Int16Array(HASH_SLOTS).fill(-1);
assert(NAME_COUNT * 3 < HASH_SLOTS);

function hashName(message: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = message * 0x9e37;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0;
  return (hash ^ (hash >>> 10) ^ (hash >>> 20)) & HASH_MASK;
}

names.forEach((name, index) => {
  let slot = hashName(name.field.message, NAME_BYTES, NAME_START[index]!, NAME_START[index + 1]! - 1);
  while (hashTable[slot] !== -1) slot = (slot + 1) & HASH_MASK;
  hashTable[slot] = index;
});

/**
 * Finds a field name of a message.
 *
 * @param bytes holds the unescaped name from `start` to `end`.
 * @returns the name's number, or -1 when the message has no such field.
 */
export function findName(message: number, bytes: Uint8Array, start: number, end: number): number {
  let slot = hashName(message, bytes, start, end);
  for (;;) {
    const name = hashTable[slot]!;
    if (name < 0) return -1;
    if (fields[NAME_FIELD[name]!]!.message === message && isName(name, bytes, start, end)) return name;
    slot = (slot + 1) & HASH_MASK;
  }
}

function isName(name: number, bytes: Uint8Array, start: number, end: number): boolean {
  const from = NAME_START[name]!;
  if (NAME_START[name + 1]! - 1 - from !== end - start) return false;
  for (let i = start; i < end; i++) if (bytes[i] !== NAME_BYTES[from + i - start]) return false;
  return true;
}

/** Value of an enum by its name, or -1. */
export function enumValue(enumIndex: number, name: string): number {
  return ENUM_SCHEMA[enumNames[enumIndex]!]!.indexOf(name);
}

const ROOT_NAMES: Readonly<Record<Signal, string>> = {
  traces: 'ExportTraceServiceRequest',
  metrics: 'ExportMetricsServiceRequest',
  logs: 'ExportLogsServiceRequest',
};

/** Message number of a signal's export request. */
export function requestMessage(signal: Signal): number {
  return messageNames.indexOf(ROOT_NAMES[signal]);
}

/** Name of a message, without its package. */
export function messageName(message: number): string {
  return messageNames[message]!;
}
