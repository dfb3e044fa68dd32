import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { SIGNALS } from '../component/signal.ts';
import { requestType } from '../testkit/otlp-root.ts';
import {
  FLAG_ALWAYS,
  FLAG_ONEOF,
  FLAG_PRESENCE,
  FLAG_REPEATED,
  findName,
  type JsonField,
  MESSAGE_FIELDS,
  messageName,
  NAME_BYTES,
  NAME_FIELD,
  NAME_START,
  requestMessage,
} from './json-fields.ts';
import { ENUM_SCHEMA, MESSAGE_SCHEMA } from './json-schema.ts';

const PROFILES_ONLY = new Set(['key_strindex', 'string_value_strindex']);

/** One line of the schema as the official descriptor says it. */
function official(field: protobuf.Field): string {
  const child = field.resolve().resolvedType;
  const isId = field.type === 'bytes' && field.name.endsWith('_id');
  const type = isId ? 'id' : (child?.name ?? field.type);
  const oneof =
    field.partOf === null || field.partOf === undefined ? '' : field.partOf.name.startsWith('_') ? '?' : '|';
  return `${field.name}${field.repeated ? '*' : oneof} ${field.id} ${type}`;
}

function ours(field: JsonField, line: string): string {
  assert.equal(line.trim().split(/[ *?!|]/)[0], field.name);
  return line.trim().replace('!', '');
}

/** All messages that a signal's request can hold, by short name. */
function reachable(): Map<string, protobuf.Type> {
  const found = new Map<string, protobuf.Type>();
  const visit = (type: protobuf.Type): void => {
    const before = found.get(type.name);
    assert.ok(before === undefined || before === type, `two messages are called ${type.name}`);
    if (before !== undefined) return;
    found.set(type.name, type);
    for (const field of type.fieldsArray) {
      const child = field.resolve().resolvedType;
      if (child instanceof protobuf.Type) visit(child);
    }
  };
  for (const signal of SIGNALS) visit(requestType(signal));
  return found;
}

test('the schema has every message, field and enum of the official descriptors, and nothing else', () => {
  const types = reachable();
  assert.deepEqual(Object.keys(MESSAGE_SCHEMA).sort(), [...types.keys()].sort());
  MESSAGE_FIELDS.forEach((fields, message) => {
    const type = types.get(messageName(message))!;
    const expected = type.fieldsArray.filter((field) => !PROFILES_ONLY.has(field.name));
    const lines = MESSAGE_SCHEMA[type.name]!.split(',');
    assert.deepEqual(
      fields.map((field, i) => ours(field, lines[i]!)).sort(),
      expected.map(official).sort(),
      type.name,
    );
    for (const field of fields) assert.equal(field.jsonName, type.fields[field.name]!.jsonName);
    for (const field of expected) {
      const child = field.resolvedType;
      if (child instanceof protobuf.Enum) {
        assert.deepEqual(
          ENUM_SCHEMA[child.name],
          Object.entries(child.values)
            .sort((a, b) => a[1] - b[1])
            .map((e) => e[0]),
        );
      }
    }
  });
});

test('flags follow the marks of the schema', () => {
  const flags = (message: string, name: string): number => {
    const index = Object.keys(MESSAGE_SCHEMA).indexOf(message);
    return MESSAGE_FIELDS[index]!.find((field) => field.name === name)!.flags;
  };
  assert.equal(flags('HistogramDataPoint', 'min'), FLAG_PRESENCE);
  assert.equal(flags('AnyValue', 'int_value'), FLAG_PRESENCE | FLAG_ONEOF);
  assert.equal(flags('Span', 'status'), FLAG_ALWAYS);
  assert.equal(flags('Span', 'links'), FLAG_REPEATED);
});

test('both spellings of every name are found in their message and nowhere else', () => {
  const encoder = new TextEncoder();
  MESSAGE_FIELDS.forEach((fields, message) => {
    for (const field of fields) {
      for (const text of [field.name, field.jsonName]) {
        const bytes = encoder.encode(text);
        const name = findName(message, bytes, 0, bytes.length);
        assert.equal(NAME_FIELD[name], field.index, `${messageName(message)}.${text}`);
        const stored = NAME_BYTES.subarray(NAME_START[name], NAME_START[name + 1]);
        assert.deepEqual([...stored], [...encoder.encode(`${text}"`)]);
        assert.equal(findName(message, bytes, 0, bytes.length - 1), -1);
      }
    }
  });
  const spans = encoder.encode('spans');
  assert.equal(findName(requestMessage('logs'), spans, 0, spans.length), -1);
});
