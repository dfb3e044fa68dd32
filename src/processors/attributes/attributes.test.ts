import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../testkit/otlp-arbitraries.ts';
import { EXACT, flattenRequest } from '../../testkit/otlp-flatten.ts';
import { requestType } from '../../testkit/otlp-root.ts';
import { configIssues, encodeRequest, processorBed } from '../helper/processor.test-peer.ts';
import { attributesProcessorFactory } from './factory.ts';

const ids = { trace_id: new Uint8Array(16).fill(1), span_id: new Uint8Array(8).fill(2) };

function request(...attributes: (readonly [string, Message])[]): Uint8Array {
  const span = { ...ids, name: 'span', attributes: attributes.map(([key, value]) => ({ key, value })) };
  return encodeRequest('traces', { resource_spans: [{ scope_spans: [{ spans: [span] }] }] });
}

async function edited(actions: unknown[], bytes: Uint8Array): Promise<Record<string, Message>> {
  const bed = await processorBed('traces', [[attributesProcessorFactory, { actions }]]);
  const [flat] = flattenRequest('traces', bed.process(bytes).bytes);
  const attributes = (flat!.item.attributes ?? []) as { key: string; value: Message }[];
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value]));
}

test('extract makes an attribute of each named group and leaves the source', async () => {
  const pattern = '^/api/(?P<version>v\\d)/(?P<rest>.*?)(?P<query>\\?.*)?$';
  const actions = [{ action: 'extract', key: 'path', pattern }];
  const path = { string_value: '/api/v1/orders' };
  assert.deepEqual(await edited(actions, request(['path', path], ['rest', { int_value: 1 }])), {
    path,
    rest: { string_value: 'orders' },
    version: { string_value: 'v1' },
    query: { string_value: '' },
  });
  const other = { string_value: '/other' };
  assert.deepEqual(await edited(actions, request(['path', other])), { path: other });
  assert.deepEqual(await edited(actions, request(['path', { int_value: 5 }])), { path: { int_value: '5' } });
});

test('convert changes what can be changed and leaves the rest', async () => {
  const convert = async (value: Message, converted_type: string) =>
    (await edited([{ action: 'convert', key: 'k', converted_type }], request(['k', value]))).k;
  const text = (string_value: string) => ({ string_value });
  assert.deepEqual(await convert(text('-42'), 'int'), { int_value: '-42' });
  assert.deepEqual(await convert(text('9223372036854775807'), 'int'), { int_value: '9223372036854775807' });
  assert.deepEqual(await convert(text('9223372036854775808'), 'int'), text('9223372036854775808'));
  assert.deepEqual(await convert(text('1.5'), 'int'), text('1.5'));
  assert.deepEqual(await convert({ double_value: -2.9 }, 'int'), { int_value: '-2' });
  assert.deepEqual(await convert({ double_value: 1e300 }, 'int'), { int_value: '-9223372036854775808' });
  assert.deepEqual(await convert({ bool_value: true }, 'int'), { int_value: '1' });
  assert.deepEqual(await convert(text('1e3'), 'double'), { double_value: 1000 });
  assert.deepEqual(await convert(text('x'), 'double'), text('x'));
  assert.deepEqual(await convert({ int_value: 3 }, 'double'), { double_value: 3 });
  assert.deepEqual(await convert({ int_value: '9007199254740993' }, 'string'), text('9007199254740993'));
  assert.deepEqual(await convert({ double_value: 1e21 }, 'string'), text('1e+21'));
  assert.deepEqual(await convert({ double_value: 0.1 }, 'string'), text('0.1'));
  assert.deepEqual(await convert({ bool_value: false }, 'string'), text('false'));
  assert.deepEqual(await convert({ bytes_value: Buffer.from('abcd') }, 'string'), text('YWJjZA=='));
  const values = [
    { key: 'b', value: { int_value: 1 } },
    { key: 'a', value: text('"') },
  ];
  assert.deepEqual(await convert({ kvlist_value: { values } }, 'string'), text('{"a":"\\"","b":1}'));
  const list = { array_value: { values: [text('x'), {}, { bool_value: true }] } };
  assert.deepEqual(await convert(list, 'string'), text('["x",null,true]'));
});

test('hash has the digests that the Collector has', async () => {
  const hash = async (value: Message) =>
    (await edited([{ action: 'hash', key: 'k' }], request(['k', value]))).k;
  assert.deepEqual(await hash({ string_value: 'a' }), {
    string_value: 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',
  });
  assert.deepEqual(await hash({ string_value: '' }), {
    string_value: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  });
  assert.deepEqual(await hash({ kvlist_value: {} }), { string_value: '' });
});

test('bytes that nothing is changed in are handed on as they are, unknown fields of edited items too', async () => {
  const bytes = request(['a', { string_value: 'x' }]);
  for (const actions of [
    [{ action: 'delete', key: 'b' }],
    [{ action: 'insert', key: 'a', value: 1 }],
    [{ action: 'update', key: 'b', value: 1 }],
    [{ action: 'upsert', key: 'b', from_attribute: 'c' }],
    [{ action: 'convert', key: 'a', converted_type: 'string' }],
  ]) {
    const bed = await processorBed('traces', [[attributesProcessorFactory, { actions }]]);
    assert.equal(bed.process(bytes).bytes, bytes);
  }
  const included = { match_type: 'strict', span_names: ['other'] };
  const config = { include: included, actions: [{ action: 'upsert', key: 'b', value: 1 }] };
  const bed = await processorBed('traces', [[attributesProcessorFactory, config]]);
  assert.equal(bed.process(bytes).bytes, bytes);
});

test('an item with ten thousand attributes is edited, and the next one as well', async () => {
  const actions = [
    { action: 'upsert', key: 'k9999', value: 'x' },
    { action: 'delete', pattern: '^k.*[1-8]$' },
  ];
  const bed = await processorBed('traces', [[attributesProcessorFactory, { actions }]]);
  const many = request(...Array.from({ length: 10_000 }, (_, i) => [`k${i}`, { int_value: i }] as const));
  const type = requestType('traces');
  for (const [bytes, count] of [
    [many, 2000],
    [request(['k1', {}]), 1],
  ] as const) {
    const tree = type.toObject(type.decode(bed.process(bytes).bytes), EXACT) as never as {
      resource_spans: [{ scope_spans: [{ spans: [{ attributes: { key: string; value: Message }[] }] }] }];
    };
    const { attributes } = tree.resource_spans[0].scope_spans[0].spans[0];
    assert.equal(attributes.length, count);
    assert.deepEqual(attributes.at(-1), { key: 'k9999', value: { string_value: 'x' } });
  }
});

test('wrong actions are told with their place', () => {
  const issue = (action: unknown) => configIssues(attributesProcessorFactory, { actions: [action] })[0];
  assert.match(
    issue({ action: 'insert', key: 'a' })!,
    /^actions\.0: .*exactly one of "value", "from_attribute" and "from_context"/,
  );
  assert.match(issue({ action: 'insert', key: 'a', value: 1, from_attribute: 'b' })!, /exactly one/);
  assert.match(issue({ action: 'insert', value: 1 })!, /actions\.0\.key: is required/);
  assert.match(
    issue({ action: 'extract', key: 'a', value: 1, pattern: '(?P<a>x)' })!,
    /value: must not be given/,
  );
  assert.match(issue({ action: 'extract', key: 'a', pattern: '(x)' })!, /a name for each/);
  assert.match(issue({ action: 'hash', pattern: '(' })!, /pattern: error parsing regexp/);
  assert.match(issue({ action: 'delete' })!, /needs "key", "pattern" or both/);
  assert.match(issue({ action: 'convert', key: 'a' })!, /converted_type: is required/);
  assert.match(
    issue({ action: 'upsert', key: 'a', value: 1, from_context: 'metadata.x' })!,
    /exactly one of "value", "from_attribute" and "from_context"/,
  );
  assert.match(issue({ action: 'replace', key: 'a' })!, /expected one of insert, update/);
  assert.deepEqual(configIssues(attributesProcessorFactory, {}), ['actions: must have at least one action']);
});

test('criteria that the signal does not have are told by the pipeline', () => {
  const config = {
    include: { match_type: 'strict', services: ['a'] },
    actions: [{ action: 'delete', key: 'a' }],
  };
  const { value } = attributesProcessorFactory.configSchema.parse(config);
  assert.deepEqual(attributesProcessorFactory.signalIssues!(value!, 'traces'), []);
  assert.deepEqual(attributesProcessorFactory.signalIssues!(value!, 'logs'), [
    '"include.services" cannot match logs',
  ]);
});
