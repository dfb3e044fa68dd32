import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientContext } from '../../component/client-context.ts';
import type { ProcessorFactory } from '../../component/factory.ts';
import type { Signal } from '../../component/signal.ts';
import type { Message } from '../../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../../testkit/otlp-flatten.ts';
import { configIssues, encodeRequest, processorBed } from '../helper/processor.test-peer.ts';
import { resourceProcessorFactory } from '../resource/factory.ts';
import { attributesProcessorFactory } from './factory.ts';

const CLIENT: ClientContext = {
  address: '10.1.2.3',
  metadata: new Map([
    ['x-tenant', ['acme']],
    ['x-twice', ['1', '2', '3']],
    ['x-empty', ['']],
    ['x-utf8', [Buffer.from('grün', 'utf8').toString('latin1')]],
    ['x-bytes', ['a\u00ff']],
  ]),
  auth: new Map([['username', 'alice']]),
};
const ids = { trace_id: new Uint8Array(16).fill(1), span_id: new Uint8Array(8).fill(2) };

function request(names: readonly string[]): Uint8Array {
  const attributes = names.map((key) => ({ key, value: { string_value: 'own' } }));
  const spans = [1, 2].map((n) => ({ ...ids, name: `span ${n}`, attributes }));
  return encodeRequest('traces', { resource_spans: [{ scope_spans: [{ spans }] }] });
}

async function edited(
  actions: unknown[],
  client: ClientContext | undefined = CLIENT,
  names: readonly string[] = [],
): Promise<Record<string, string>> {
  const bed = await processorBed('traces', [[attributesProcessorFactory, { actions }]]);
  const items = flattenRequest('traces', bed.process(request(names), client).bytes);
  const attributesOf = (item: Message) =>
    Object.fromEntries(
      ((item.attributes ?? []) as { key: string; value: { string_value: string } }[]).map(
        ({ key, value }) => [key, value.string_value],
      ),
    );
  const [first, second] = items.map(({ item }) => attributesOf(item));
  assert.deepEqual(first, second, 'every item gets the same');
  return first!;
}

const upsert = (from_context: string, more: object = {}) => ({
  action: 'upsert',
  key: from_context,
  from_context,
  ...more,
});

test('headers with and without prefix, authentication and address', async () => {
  const sources = ['metadata.X-Tenant', 'x-tenant', 'auth.username', 'client.address', 'x-empty', 'x-utf8'];
  assert.deepEqual(await edited(sources.map((source) => upsert(source))), {
    'metadata.X-Tenant': 'acme',
    'x-tenant': 'acme',
    'auth.username': 'alice',
    'client.address': '10.1.2.3',
    'x-empty': '',
    'x-utf8': 'grün',
  });
});

test('several values are joined, and what is no UTF-8 becomes text', async () => {
  assert.deepEqual(await edited([upsert('x-twice'), upsert('x-bytes')]), {
    'x-twice': '1;2;3',
    'x-bytes': 'a\ufffd',
  });
});

test('what the client does not have changes nothing, unless there is a default', async () => {
  const actions = [upsert('x-absent'), upsert('auth.raw'), upsert('x-other', { default_value: 'none' })];
  assert.deepEqual(await edited(actions), { 'x-other': 'none' });
  assert.deepEqual(await edited([upsert('x-tenant')], undefined), { 'x-tenant': 'acme' });
  const nobody = { address: undefined, metadata: new Map(), auth: new Map() };
  assert.deepEqual(await edited([upsert('x-tenant')], nobody, ['x-tenant']), { 'x-tenant': 'own' });
});

test('insert and update keep their rules', async () => {
  const from_context = 'x-tenant';
  const actions = [
    { action: 'insert', key: 'there', from_context },
    { action: 'insert', key: 'missing', from_context },
    { action: 'update', key: 'kept', from_context },
    { action: 'update', key: 'absent', from_context },
  ];
  assert.deepEqual(await edited(actions, CLIENT, ['there', 'kept']), {
    there: 'own',
    missing: 'acme',
    kept: 'acme',
  });
});

test('one request after the other gets the values of its own client', async () => {
  const bed = await processorBed('traces', [[attributesProcessorFactory, { actions: [upsert('x-tenant')] }]]);
  const tenantOf = (client: ClientContext) => {
    const { item } = flattenRequest('traces', bed.process(request([]), client).bytes)[0]!;
    return (item.attributes as { value: { string_value: string } }[] | undefined)?.[0]?.value.string_value;
  };
  const other = { ...CLIENT, metadata: new Map([['x-tenant', ['umbrella']]]) };
  const nobody = { ...CLIENT, metadata: new Map() };
  assert.deepEqual([CLIENT, other, nobody, CLIENT].map(tenantOf), ['acme', 'umbrella', undefined, 'acme']);
});

test('resource edits resources the same way', async () => {
  for (const signal of ['traces', 'metrics', 'logs'] as Signal[]) {
    const config = { attributes: [upsert('x-tenant')] };
    const bed = await processorBed(signal, [[resourceProcessorFactory, config]]);
    const point = { gauge: { data_points: [{ as_int: 1 }] } };
    const bytes = {
      traces: { resource_spans: [{ scope_spans: [{ spans: [{ ...ids, name: 'a' }] }] }] },
      metrics: { resource_metrics: [{ scope_metrics: [{ metrics: [{ name: 'a', ...point }] }] }] },
      logs: { resource_logs: [{ scope_logs: [{ log_records: [{ body: { string_value: 'a' } }] }] }] },
    }[signal];
    const [flat] = flattenRequest(signal, bed.process(encodeRequest(signal, bytes), CLIENT).bytes);
    assert.deepEqual((flat!.resource as Message).attributes, [
      { key: 'x-tenant', value: { string_value: 'acme' } },
    ]);
  }
});

test('the factories say what they read of clients, and wrong sources are refused', () => {
  const keysOf = (factory: ProcessorFactory<never>, raw: unknown) =>
    factory.clientKeys!(factory.configSchema.parse(raw).value as never);
  const actions = [upsert('x-b'), upsert('metadata.X-A'), upsert('auth.sub'), upsert('client.address')];
  const wanted = { address: true, metadata: ['x-a', 'x-b'], auth: ['sub'] };
  assert.deepEqual(keysOf(attributesProcessorFactory as never, { actions }), wanted);
  assert.deepEqual(keysOf(resourceProcessorFactory as never, { attributes: actions }), wanted);
  const issues = (action: object) => configIssues(attributesProcessorFactory, { actions: [action] }).join();
  assert.match(
    issues({ action: 'convert', key: 'a', converted_type: 'int', from_context: 'x' }),
    /from_context: must not/,
  );
  assert.match(
    issues({ action: 'upsert', key: 'a', from_context: 'x', from_attribute: 'b' }),
    /exactly one of/,
  );
});
