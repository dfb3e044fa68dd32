// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import test from 'node:test';
import { writePlainValue } from '../otlp/any-value-write.ts';
import { WireWriter } from '../otlp/wire-writer.ts';
import { literalOf } from '../processors/helper/action-config.ts';
import { otlpType } from '../testkit/otlp-root.ts';
import { plainValue } from './config-node.ts';
import { readAs, yamlValue } from './expanded-text.ts';
import { literal } from './field-kinds.ts';
import { parseConfig } from './load.ts';
import { printYaml } from './yaml-text.ts';

/** What protobufjs reads in the AnyValue that a literal becomes. */
function written(text: string, env: Record<string, string> = {}): unknown {
  const { root, issues = [] } = parseConfig('f', `v: ${text}`, env);
  assert.deepEqual(issues, []);
  const { v } = plainValue(root!) as { v: unknown };
  const raw = readAs(v, 'literal');
  const printed = parseConfig('f', printYaml({ v: raw }), {});
  assert.deepEqual(readAs(plainValue(printed.root!), 'literal'), { v: raw }, 'printed and read again');
  const parsed = literal('v', { doc: 'A value.' }).schema.parse(raw);
  // A plan goes to workers as a structured clone.
  const value = structuredClone(parsed);
  const writer = new WireWriter(64);
  writePlainValue(writer, literalOf(value));
  const type = otlpType('opentelemetry.proto.common.v1.AnyValue');
  return type.toObject(type.decode(writer.toBytes()), { longs: String });
}

test('numbers become what the Collector makes of them, by how they are written', () => {
  assert.deepEqual(written('1'), { int_value: '1' });
  assert.deepEqual(written('1.0'), { double_value: 1 });
  assert.deepEqual(written('-2.'), { double_value: -2 });
  assert.deepEqual(written('1e3'), { double_value: 1000 });
  assert.deepEqual(written('1e300'), { double_value: 1e300 });
  assert.deepEqual(written('0.5'), { double_value: 0.5 });
  assert.deepEqual(written('0123'), { int_value: '83' });
  assert.deepEqual(written('0x10'), { int_value: '16' });
  assert.deepEqual(written('9007199254740993'), { int_value: '9007199254740993' });
  assert.deepEqual(written('-9223372036854775808'), { int_value: '-9223372036854775808' });
  assert.deepEqual(written('"1.0"'), { string_value: '1.0' });
  assert.deepEqual(written('${env:N}', { N: '7.0' }), { double_value: 7 });
  assert.deepEqual(written('"${env:N}"', { N: '9007199254740993' }), { int_value: '9007199254740993' });
  assert.deepEqual(written('[1, 1.0, {a: 2.0}]'), {
    array_value: {
      values: [
        { int_value: '1' },
        { double_value: 1 },
        { kvlist_value: { values: [{ key: 'a', value: { double_value: 2 } }] } },
      ],
    },
  });
});

test('a variable that is empty gives an empty text, one that is not set gives nothing', () => {
  assert.deepEqual(written('${env:E}', { E: '' }), { string_value: '' });
  assert.deepEqual(written('"${env:NONE:-}"'), { string_value: '' });
  const unset = plainValue(parseConfig('f', 'v: ${env:NONE}', {}).root!);
  assert.deepEqual(readAs(unset, 'literal'), { v: null });
  assert.deepEqual(readAs(plainValue(parseConfig('f', 'v: "${env:E}"', { E: '' }).root!), 'yaml'), {
    v: null,
  });
});

test('keys that want a number, and those that want text, get what they always got', () => {
  const { root } = parseConfig('f', 'v: [1.0, "${env:N}"]', { N: '2.0' });
  const value = plainValue(root!);
  assert.deepEqual(readAs(value, 'yaml'), { v: [1, 2] });
  assert.deepEqual(readAs(value, 'members'), { v: [1, '2.0'] });
  const { v } = value as { v: unknown[] };
  assert.deepEqual(v.map(yamlValue), [1, 2]);
});
