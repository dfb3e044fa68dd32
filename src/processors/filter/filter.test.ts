import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Signal } from '../../component/signal.ts';
import { encodedRequest, type Message } from '../../testkit/otlp-arbitraries.ts';
import { type FlatItem, flattenRequest } from '../../testkit/otlp-flatten.ts';
import { acceptedRequest, configIssues, encodeRequest, processorBed } from '../helper/processor.test-peer.ts';
import { filterProcessorFactory } from './factory.ts';

type Plain = string | number | boolean;
type Plains = Record<string, Plain>;

function any(value: Plain): Message {
  if (typeof value === 'string') return { string_value: value };
  if (typeof value === 'boolean') return { bool_value: value };
  return Number.isInteger(value) ? { int_value: value } : { double_value: value };
}

const pairs = (plain: Plains) => Object.entries(plain).map(([key, value]) => ({ key, value: any(value) }));
const ids = { trace_id: new Uint8Array(16).fill(1), span_id: new Uint8Array(8).fill(2) };

/** One resource and scope with these items. */
function traces(spans: Message[], resource: Plains = {}, scope: Message = {}): Uint8Array {
  const scope_spans = [{ scope, spans: spans.map((span) => ({ ...ids, ...span })) }];
  return encodeRequest('traces', {
    resource_spans: [{ resource: { attributes: pairs(resource) }, scope_spans }],
  });
}

async function keptNames(config: unknown, bytes: Uint8Array, signal: Signal = 'traces'): Promise<unknown[]> {
  const bed = await processorBed(signal, [[filterProcessorFactory, config]]);
  const result = bed.process(bytes);
  const kept = flattenRequest(signal, result.bytes);
  assert.equal(result.itemCount, kept.length);
  return kept.map(({ item, metric }) =>
    metric === undefined ? (item.name ?? item.event_name) : (metric as Message).name,
  );
}

const strict = { match_type: 'strict' };
const regexp = { match_type: 'regexp' };

test('spans are dropped when all kinds of criteria match', async () => {
  const bytes = traces([
    { name: 'health', attributes: pairs({ 'http.target': '/ready?x' }) },
    { name: 'health', attributes: pairs({ 'http.target': '/api' }) },
    { name: 'a health', attributes: pairs({ 'http.target': '/ready' }) },
    { name: 'healthy' },
  ]);
  const exclude = {
    ...regexp,
    span_names: ['^health'],
    attributes: [{ key: 'http.target', value: '/ready.*' }],
  };
  assert.deepEqual(await keptNames({ spans: { exclude } }, bytes), ['health', 'a health', 'healthy']);
  assert.deepEqual(await keptNames({ spans: { include: exclude } }, bytes), ['health']);
});

test('strict values respect their type, expressions see the text of numbers', async () => {
  const bytes = traces([
    { name: 'int', attributes: pairs({ code: 1 }) },
    { name: 'text', attributes: pairs({ code: '1' }) },
    { name: 'double', attributes: pairs({ code: 1.5 }) },
    { name: 'bool', attributes: pairs({ code: true }) },
    { name: 'large', attributes: pairs({ code: 2 ** 40 + 1 }) },
    { name: 'none' },
  ]);
  const with_ = (match: unknown, value: unknown) => ({
    spans: { include: { ...(match as object), attributes: [{ key: 'code', value }] } },
  });
  assert.deepEqual(await keptNames(with_(strict, 1), bytes), ['int']);
  assert.deepEqual(await keptNames(with_(strict, '1'), bytes), ['text']);
  assert.deepEqual(await keptNames(with_(strict, 1.5), bytes), ['double']);
  assert.deepEqual(await keptNames(with_(strict, true), bytes), ['bool']);
  assert.deepEqual(await keptNames(with_(strict, 2 ** 40 + 1), bytes), ['large']);
  assert.deepEqual(await keptNames(with_(regexp, '^1'), bytes), ['int', 'text', 'double', 'large']);
  assert.deepEqual(await keptNames(with_(regexp, 'true'), bytes), ['bool']);
  const exists = { spans: { exclude: { ...strict, attributes: [{ key: 'code' }] } } };
  assert.deepEqual(await keptNames(exists, bytes), ['none']);
});

test('services, resources, libraries and kinds', async () => {
  const spans = [{ name: 'server', kind: 2 }, { name: 'client', kind: 3 }, { name: 'none' }];
  const bytes = traces(spans, { 'service.name': 'shop', zone: 'a' }, { name: 'lib', version: '1.2' });
  const all = ['server', 'client', 'none'];
  const kept = (include: object) => keptNames({ spans: { include: { ...strict, ...include } } }, bytes);
  assert.deepEqual(await kept({ services: ['other', 'shop'] }), all);
  assert.deepEqual(await kept({ services: ['other'] }), []);
  assert.deepEqual(await kept({ resources: [{ key: 'zone', value: 'a' }, { key: 'service.name' }] }), all);
  assert.deepEqual(await kept({ resources: [{ key: 'zone', value: 'a' }, { key: 'missing' }] }), []);
  assert.deepEqual(await kept({ libraries: [{ name: 'lib', version: '1.2' }] }), all);
  assert.deepEqual(await kept({ libraries: [{ name: 'lib' }] }), all);
  assert.deepEqual(await kept({ libraries: [{ name: 'lib', version: '1.3' }] }), []);
  assert.deepEqual(await kept({ span_kinds: ['SPAN_KIND_CLIENT'] }), ['client']);
  const nameless = { spans: { include: { ...strict, services: ['<nil-service-name>'] } } };
  assert.deepEqual(await keptNames(nameless, bytes), []);
  assert.deepEqual(await keptNames(nameless, traces(spans)), all);
});

test('metrics go with all their points, and by their resource', async () => {
  const gauge = (points: number) => ({ gauge: { data_points: new Array(points).fill({ as_int: 1 }) } });
  const group = (zone: string, metrics: Message[]) => ({
    resource: { attributes: pairs({ zone }) },
    scope_metrics: [{ metrics }],
  });
  const bytes = encodeRequest('metrics', {
    resource_metrics: [
      group('a', [
        { name: 'a', ...gauge(2) },
        { name: 'b', ...gauge(1) },
      ]),
      group('b', [{ name: 'a', ...gauge(1) }]),
    ],
  });
  const kept = (block: unknown) => keptNames({ metrics: block }, bytes, 'metrics');
  assert.deepEqual(await kept({ include: { ...strict, metric_names: ['a'] } }), ['a', 'a', 'a']);
  assert.deepEqual(await kept({ exclude: { ...strict, metric_names: ['a'] } }), ['b']);
  const resource_attributes = [{ key: 'zone', value: 'b' }];
  assert.deepEqual(await kept({ include: { ...strict, resource_attributes } }), ['a']);
  assert.deepEqual(await kept({ exclude: { ...regexp, metric_names: ['.'] } }), []);
});

test('log records by body, severity and attributes', async () => {
  const record = (event_name: string, rest: Message) => ({ event_name, ...rest });
  const log_records = [
    record('debug', { severity_number: 5, severity_text: 'DEBUG', body: any('one') }),
    record('warn', { severity_number: 13, severity_text: 'WARN', body: any('two') }),
    record('unset', { body: any(3), attributes: pairs({ k: 'v' }) }),
  ];
  const bytes = encodeRequest('logs', { resource_logs: [{ scope_logs: [{ log_records }] }] });
  const kept = (include: object) => keptNames({ logs: { include } }, bytes, 'logs');
  assert.deepEqual(await kept({ ...strict, severity_number: { min: 'info' } }), ['warn']);
  assert.deepEqual(await kept({ ...strict, severity_number: { min: 'WARN2' } }), []);
  const undefinedToo = { min: 5, match_undefined: true };
  assert.deepEqual(await kept({ ...strict, severity_number: undefinedToo }), ['debug', 'warn', 'unset']);
  assert.deepEqual(await kept({ ...regexp, severity_texts: ['^D'] }), ['debug']);
  assert.deepEqual(await kept({ ...regexp, bodies: ['on', '^3$'] }), ['debug', 'unset']);
  assert.deepEqual(await kept({ ...strict, record_attributes: [{ key: 'k', value: 'v' }] }), ['unset']);
});

test('a filter without a block for the signal, and one that drops nothing, pass the same bytes', async () => {
  const bytes = traces([{ name: 'a' }]);
  for (const config of [
    { logs: { include: { ...strict, bodies: ['x'] } } },
    { spans: { exclude: { ...strict, span_names: ['b'] } } },
  ]) {
    const bed = await processorBed('traces', [[filterProcessorFactory, config]]);
    assert.equal(bed.process(bytes).bytes, bytes);
  }
});

test('what is not supported is refused by name, and mistakes are told with their place', () => {
  const issues = (raw: unknown) => configIssues(filterProcessorFactory, raw);
  assert.match(issues({ profiles: { profile: [] } })[0]!, /^profiles: "profiles" is not supported yet/);
  assert.match(issues({ profile_conditions: [] })[0]!, /"profile_conditions" is not supported yet/);
  const expr = { metrics: { include: { match_type: 'expr', expressions: ['true'] } } };
  assert.match(issues(expr)[0]!, /"expressions" is not supported yet/);
  const names = { match_type: 'expr', metric_names: ['a'] };
  assert.deepEqual(issues({ metrics: { include: names } }), [
    'metrics.include.match_type: "expr" is not supported yet',
  ]);
  assert.match(
    issues({ spans: { include: { ...regexp, span_names: ['('] } } })[0]!,
    /span_names: error parsing/,
  );
  assert.match(issues({ spans: { include: strict } })[0]!, /needs at least one of services, span_names/);
  assert.match(issues({ spans: { include: { ...strict, log_bodies: ['a'] } } })[0]!, /cannot match traces/);
  const kinds = { ...strict, span_kinds: ['SERVER'] };
  assert.match(issues({ spans: { include: kinds } })[0]!, /"SERVER" is not a span kind/);
  assert.match(
    issues({ logs: { include: { ...strict, severity_number: { min: 'LOUD' } } } })[0]!,
    /not a severity/,
  );
  const number = { ...regexp, attributes: [{ key: 'a', value: 1 }] };
  assert.match(issues({ spans: { include: number } })[0]!, /must have a text/);
});

test('random spans: what stays equals the same conditions on decoded objects', async () => {
  const exclude = { ...strict, span_kinds: ['SPAN_KIND_CLIENT', 'SPAN_KIND_SERVER'] };
  const include = { ...regexp, span_names: ['[a-m]', '^$'] };
  const isNamed = ({ item }: FlatItem) => /[a-m]|^$/.test((item.name ?? '') as string);
  const isCall = ({ item }: FlatItem) => [2, 3].includes((item.kind ?? 0) as number);
  const cases = [
    { spans: { include }, stays: isNamed },
    { spans: { exclude }, stays: (flat: FlatItem) => !isCall(flat) },
    { spans: { include, exclude }, stays: (flat: FlatItem) => isNamed(flat) && !isCall(flat) },
  ];
  for (const { spans, stays } of cases) {
    const bed = await processorBed('traces', [[filterProcessorFactory, { spans }]]);
    const property = fc.property(encodedRequest('traces'), (bytes) => {
      const good = acceptedRequest('traces', bytes);
      const kept = flattenRequest('traces', bed.process(good).bytes);
      assert.equal(JSON.stringify(kept), JSON.stringify(flattenRequest('traces', good).filter(stays)));
    });
    fc.assert(property, { numRuns: 150 });
  }
});
