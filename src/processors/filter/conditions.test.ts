import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PipelineError } from '../../component/errors.ts';
import type { Signal } from '../../component/signal.ts';
import { any, type Plain, pairs } from '../../ottl/ottl.test-peer.ts';
import { encodedRequest, type Message } from '../../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../../testkit/otlp-flatten.ts';
import { requestType } from '../../testkit/otlp-root.ts';
import { acceptedRequest, configIssues, encodeRequest, processorBed } from '../helper/processor.test-peer.ts';
import { filterProcessorFactory } from './factory.ts';

type Plains = Record<string, Plain>;
const ids = { trace_id: new Uint8Array(16).fill(1), span_id: new Uint8Array(8).fill(2) };
const span = (name: string, rest: Message = {}) => ({ ...ids, name, ...rest });

function spans(group: [Plains, Message[]][]): Uint8Array {
  return encodeRequest('traces', {
    resource_spans: group.map(([resource, items]) => ({
      resource: { attributes: pairs(resource) },
      scope_spans: [{ scope: { name: 'lib' }, spans: items }],
    })),
  });
}

async function filtered(signal: Signal, config: unknown, bytes: Uint8Array) {
  const bed = await processorBed(signal, [[filterProcessorFactory, config]]);
  const result = bed.process(bytes);
  const flat = flattenRequest(signal, result.bytes);
  assert.equal(result.itemCount, flat.length);
  const message = requestType(signal).decode(result.bytes);
  const decoded = requestType(signal).toObject(message) as Record<string, Message[]>;
  return {
    bed,
    ...result,
    flat,
    decoded,
    names: flat.map(({ item, metric }) => ((metric ?? item) as Message).name),
  };
}

test('resources, spans and events are dropped from above, and emptied parents go', async () => {
  const event = (name: string) => ({ name, time_unix_nano: 1 });
  const bytes = spans([
    [
      { zone: 'a' },
      [span('one'), span('two', { events: [event('keep'), event('drop'), event('keep2'), event('drop')] })],
    ],
    [{ zone: 'b' }, [span('three')]],
    [{ zone: 'c' }, [span('one')]],
  ]);
  const traces = {
    resource: ['attributes["zone"] == "b"'],
    span: ['name == "one"', 'resource.attributes["zone"] == "none"'],
    spanevent: ['name == "drop" and span.name == "two"'],
  };
  const { names, flat, decoded, bed } = await filtered('traces', { traces }, bytes);
  assert.deepEqual(names, ['two']);
  const events = flat[0]!.item.events as Message[];
  assert.deepEqual(
    events.map(({ name }) => name),
    ['keep', 'keep2'],
  );
  assert.equal(decoded.resource_spans?.length ?? decoded.resourceSpans?.length, 1);
  const series = bed.meter
    .takeSnapshot()
    .counters.find(({ name }) => name === 'otelcol_processor_filter_spans_filtered');
  assert.equal(series?.value, 3);
});

test('metrics by conditions on them, on their points and by the attributes of any point', async () => {
  const point = (zone: string, value: number) => ({ attributes: pairs({ zone }), as_int: value });
  const gauge = (name: string, ...data_points: Message[]) => ({ name, gauge: { data_points } });
  const bytes = encodeRequest('metrics', {
    resource_metrics: [
      {
        scope_metrics: [
          {
            metrics: [
              gauge('a', point('x', 1), point('y', 2)),
              gauge('b', point('y', 3)),
              { name: 's', sum: { is_monotonic: true, data_points: [point('z', 4)] } },
            ],
          },
        ],
      },
    ],
  });
  const kept = async (metrics: unknown) => (await filtered('metrics', { metrics }, bytes)).names;
  assert.deepEqual(await kept({ metric: ['type == METRIC_DATA_TYPE_SUM'] }), ['a', 'a', 'b']);
  assert.deepEqual(await kept({ metric: ['HasAttrKeyOnDatapoint("zone") and name != "b"'] }), ['b']);
  assert.deepEqual(await kept({ metric: ['HasAttrOnDatapoint("zone", "y")'] }), ['a', 'a', 's']);
  assert.deepEqual(await kept({ datapoint: ['attributes["zone"] == "y"'] }), ['a', 's']);
  assert.deepEqual(await kept({ datapoint: ['value_int > 2', 'metric.name == "a"'] }), []);
  assert.deepEqual(await kept({ metric: ['is_monotonic == true'], datapoint: ['value_int == 1'] }), [
    'a',
    'b',
  ]);
});

test('log records by conditions, with what is above them', async () => {
  const record = (event_name: string, body: Plain, severity_number = 9) => ({
    event_name,
    body: any(body),
    severity_number,
  });
  const bytes = encodeRequest('logs', {
    resource_logs: [
      {
        resource: { attributes: pairs({ zone: 'a' }) },
        scope_logs: [
          { log_records: [record('text', 'hello'), record('map', { code: 5 }), record('low', 1, 5)] },
        ],
      },
    ],
  });
  const kept = async (config: unknown) =>
    (await filtered('logs', config, bytes)).flat.map(({ item }) => item.event_name);
  assert.deepEqual(await kept({ logs: { log_record: ['IsMatch(body, "^hel")'] } }), ['map', 'low']);
  assert.deepEqual(await kept({ logs: { log_record: ['IsMap(body) and body["code"] == 5'] } }), [
    'text',
    'low',
  ]);
  assert.deepEqual(await kept({ logs: { log_record: ['severity_number < SEVERITY_NUMBER_INFO'] } }), [
    'text',
    'map',
  ]);
  assert.deepEqual(await kept({ logs: { resource: ['attributes["zone"] == "a"'] } }), []);
  assert.deepEqual(await kept({ log_conditions: ['log.body == 1', 'resource.attributes["zone"] == "b"'] }), [
    'text',
    'map',
  ]);
});

test('conditions without a context find it by their paths, and groups follow each other', async () => {
  const bytes = spans([
    [{ zone: 'a' }, [span('one', { events: [{ name: 'e' }] }), span('two')]],
    [{ zone: 'b' }, [span('three')]],
  ]);
  const kept = async (trace_conditions: unknown) =>
    (await filtered('traces', { trace_conditions }, bytes)).names;
  assert.deepEqual(await kept(['resource.attributes["zone"] == "b"', 'span.name == "one"']), ['two']);
  assert.deepEqual(await kept(['scope.name == "lib"']), []);
  assert.deepEqual(
    await kept([
      { context: 'span', conditions: ['name == "one"'] },
      { conditions: ['resource.attributes["zone"] == "b"'] },
    ]),
    ['two'],
  );
  // After the first group no span of the resource has an event any more.
  const chained = [
    { conditions: ['spanevent.name == "e"'] },
    { context: 'span', conditions: ['Len(events) == 1'] },
  ];
  assert.deepEqual(await kept(chained), ['one', 'two', 'three']);
});

test('a condition that fails is skipped and told, skipped, or fails the request for good', async () => {
  const bytes = spans([[{}, [span('one'), span('two')]]]);
  const conditions = { span: ['attributes["a"] + 1 == 2', 'name == "two"'] };
  const told = await filtered('traces', { traces: conditions }, bytes);
  assert.deepEqual(told.names, ['one']);
  assert.deepEqual(told.bed.logger.lines.length, 1);
  const silent = await filtered('traces', { error_mode: 'silent', traces: conditions }, bytes);
  assert.deepEqual(silent.names, ['one']);
  assert.deepEqual(silent.bed.logger.lines.length, 0);
  const bed = await processorBed('traces', [
    [filterProcessorFactory, { error_mode: 'propagate', traces: conditions }],
  ]);
  assert.throws(
    () => bed.process(bytes),
    (error: unknown) =>
      error instanceof PipelineError && error.permanent && error.code === 'EVALUATION_FAILED',
  );
  const group = [{ error_mode: 'silent', context: 'span', conditions: conditions.span }];
  assert.deepEqual(
    (await filtered('traces', { error_mode: 'propagate', trace_conditions: group }, bytes)).names,
    ['one'],
  );
});

test('mistakes are told with the key they stand under and the column in the text', () => {
  const issues = (raw: unknown) => configIssues(filterProcessorFactory, raw);
  assert.deepEqual(issues({ traces: { span: ['name == "a"', 'nmae == "b"', 'kind == 1 and x == 2'] } }), [
    'traces.span.1: unknown path "nmae" (did you mean "name"?), column 1 of the condition',
    'traces.span.2: unknown path "x", column 15 of the condition',
  ]);
  assert.deepEqual(issues({ metrics: { datapoint: ['name =='] } }), [
    'metrics.datapoint.0: expected a value, got the end, column 8 of the condition',
  ]);
  assert.deepEqual(issues({ trace_conditions: ['name == "a"'] }), [
    'trace_conditions.0: no context of traces has all that it names; its paths begin with one of resource, scope, span, spanevent, column 1 of the condition',
  ]);
  assert.match(
    issues({ trace_conditions: ['span.name == kind'] })[0]!,
    /a path begins with its context here: "kind"/,
  );
  assert.match(
    issues({ log_conditions: [{ context: 'span', conditions: [] }] })[0]!,
    /^log_conditions.0.context: "span" is none of logs/,
  );
  assert.match(issues({ trace_conditions: ['true', { conditions: [] }] })[0]!, /cannot be mixed/);
  assert.match(
    issues({ traces: {}, spans: { include: { match_type: 'strict', span_names: ['a'] } } })[0]!,
    /^traces: cannot stand beside/,
  );
  assert.match(
    issues({ trace_conditions: [], traces: {} })[0]!,
    /^trace_conditions: cannot stand beside.*"traces"/,
  );
  const both = { metric: [], include: { match_type: 'strict', metric_names: ['a'] } };
  assert.match(issues({ metrics: both })[0]!, /^metrics: include and exclude cannot stand beside/);
  assert.match(issues({ error_mode: 'never' })[0]!, /^error_mode: /);
  assert.match(issues({ metrics: { datapoint: ['HasAttrKeyOnDatapoint("a")'] } })[0]!, /unknown converter/);
});

test('random spans and events: what stays equals the same conditions on decoded objects', async () => {
  const traces = {
    span: ['kind == SPAN_KIND_SERVER'],
    spanevent: ['name == "" or dropped_attributes_count > 2'],
  };
  const bed = await processorBed('traces', [[filterProcessorFactory, { traces }]]);
  const without = (item: Message): Message => {
    const { events = [], ...rest } = item as { events?: Message[] };
    const left = events.filter(
      ({ name, dropped_attributes_count: count }) => (name ?? '') !== '' && ((count ?? 0) as number) <= 2,
    );
    return left.length === 0 ? rest : { ...rest, events: left };
  };
  let eventCount = 0;
  const property = fc.property(encodedRequest('traces'), (bytes) => {
    const good = acceptedRequest('traces', bytes);
    const before = flattenRequest('traces', good);
    const kept = flattenRequest('traces', bed.process(good).bytes);
    const wanted = before
      .filter(({ item }) => item.kind !== 2)
      .map((flat) => ({ ...flat, item: without(flat.item) }));
    assert.deepEqual(kept, wanted);
    eventCount += before.reduce((sum, { item }) => sum + ((item.events ?? []) as Message[]).length, 0);
  });
  fc.assert(property, { numRuns: 200 });
  assert.ok(eventCount > 100);
});
