/** The tables of fields against definitions of their own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { foreignType } from '../testkit/foreign-protos.ts';
import * as jaeger from './jaeger-fields.ts';
import * as zipkin from './zipkin-proto.ts';

/** Tag of a field, with protobufjs' own table of wire types. */
function tagOf(message: string, name: string): number {
  const field = foreignType(message).fields[name]!.resolve();
  if (field.map) return (field.id << 3) | 2;
  const type = field.resolvedType instanceof protobuf.Enum ? 'int32' : field.type;
  return (field.id << 3) | (protobuf.types.basic[type as 'int32'] ?? 2);
}

const PREFIXES: readonly (readonly [prefix: string, message: string, table: object])[] = [
  ['TAG_JAEGER_REF_', 'jaeger.SpanRef', jaeger],
  ['TAG_JAEGER_PROCESS_', 'jaeger.Process', jaeger],
  ['TAG_JAEGER_LOG_', 'jaeger.Log', jaeger],
  ['TAG_JAEGER_', 'jaeger.Span', jaeger],
  ['TAG_JAEGER_', 'jaeger.KeyValue', jaeger],
  ['TAG_TIME_', 'jaeger.Timestamp', jaeger],
  ['TAG_TIME_', 'jaeger.Duration', jaeger],
  ['TAG_ZIPKIN_', 'zipkin.Span', zipkin],
  ['TAG_ZIPKIN_', 'zipkin.ListOfSpans', zipkin],
  ['TAG_ENDPOINT_', 'zipkin.Endpoint', zipkin],
  ['TAG_ANNOTATION_', 'zipkin.Annotation', zipkin],
];

test('every tag is that of a field of this name', () => {
  const proven = new Set<string>(['TAG_ENTRY_KEY', 'TAG_ENTRY_VALUE', 'TAG_JAEGER_REF_TYPE']);
  for (const [prefix, message, table] of PREFIXES) {
    for (const [name, tag] of Object.entries(table)) {
      if (!name.startsWith(prefix) || proven.has(name)) continue;
      const field = name.slice(prefix.length).toLowerCase();
      if (foreignType(message).fields[field] === undefined) continue;
      assert.equal(tag, tagOf(message, field), name);
      proven.add(name);
    }
  }
  assert.equal(jaeger.TAG_JAEGER_REF_TYPE, tagOf('jaeger.SpanRef', 'ref_type'));
  const names = [...Object.keys(jaeger), ...Object.keys(zipkin)].filter((name) => name.startsWith('TAG_'));
  assert.deepEqual(
    names.filter((name) => !proven.has(name)),
    [],
  );
});

test('the table for JSON has all fields with their tags, names and values', () => {
  const seen = new Set<string>();
  const check = (message: jaeger.JaegerMessage) => {
    seen.add(message.name);
    const type = foreignType(`jaeger.${message.name}`);
    assert.deepEqual(
      message.fields.map(({ name }) => name),
      type.fieldsArray.map(({ name }) => name),
    );
    for (const { name, jsonName, tag, kind, isRepeated } of message.fields) {
      const field = type.fields[name]!.resolve();
      assert.equal(tag, tagOf(`jaeger.${message.name}`, name), name);
      assert.equal(jsonName, protobuf.util.camelCase(name).replace(/^vInt_64$/, 'vInt64'), name);
      assert.equal(isRepeated, field.repeated, name);
      if (Array.isArray(kind)) {
        const { values } = field.resolvedType as protobuf.Enum;
        assert.deepEqual(Object.fromEntries(kind.map((value, at) => [value, at])), { ...values });
      } else if (typeof kind === 'object') {
        assert.equal((kind as jaeger.JaegerMessage).name, field.type);
        check(kind as jaeger.JaegerMessage);
      }
    }
  };
  check(jaeger.JAEGER_SPAN);
  assert.deepEqual([...seen].sort(), ['KeyValue', 'Log', 'Process', 'Span', 'SpanRef']);
});
