import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCollectorConfig } from './collector-config.ts';
import type { CollectorPlan } from './collector-plan.ts';
import { formatIssue } from './config-node.ts';
import { testFactories } from './factories.test-peer.ts';

function load(telemetry: string): CollectorPlan {
  const text = `receivers: {otlp: }
exporters: {debug: }
service:
  telemetry: ${telemetry}
  pipelines:
    traces: {receivers: [otlp], exporters: [debug]}
`;
  const result = parseCollectorConfig('t.yaml', text, testFactories, {});
  assert.deepEqual(result.issues?.map(formatIssue) ?? [], []);
  return result.plan!;
}

test('what is not written is what the Collector does', () => {
  assert.deepEqual(load('').telemetry, {
    metrics: {
      level: 'normal',
      prometheus: { host: '127.0.0.1', port: 8888 },
      exposition: { hasTypeSuffix: false, hasUnitSuffix: false, constantLabels: undefined },
      periodicReaders: [],
      views: [],
    },
    logs: {
      level: 'info',
      encoding: 'console',
      sampling: { tickMs: 10_000, initial: 10, thereafter: 100 },
      outputPaths: ['stderr'],
      errorOutputPaths: ['stderr'],
      initialFields: {},
    },
    traces: undefined,
    resource: {},
  });
});

test('a Prometheus reader says how names and labels look', () => {
  const reader = (keys: string) =>
    load(`{metrics: {readers: [{pull: {exporter: {prometheus: {${keys}}}}}]}}`).telemetry.metrics;
  assert.deepEqual(reader('host: 0.0.0.0, port: 9, without_units: false, without_type_suffix: false'), {
    level: 'normal',
    prometheus: { host: '0.0.0.0', port: 9 },
    exposition: { hasTypeSuffix: true, hasUnitSuffix: true, constantLabels: undefined },
    periodicReaders: [],
    views: [],
  });
  const labels = (keys: string) =>
    reader(`with_resource_constant_labels: {${keys}}`).exposition.constantLabels;
  assert.deepEqual(labels('included: [service.name]'), { included: ['service.name'], excluded: [] });
  assert.deepEqual(labels('excluded: [service.version]'), {
    included: undefined,
    excluded: ['service.version'],
  });
});

test('logs: every key of the Collector, those without a subject with a warning', () => {
  const plan = load(`{logs: {level: WARN, encoding: json, development: false, disable_caller: true,
    disable_stacktrace: true, disable_zap_resource: true, initial_fields: {site: a, rack: 3},
    sampling: {enabled: true, tick: 1s, initial: 2, thereafter: 0},
    output_paths: [stdout, file:///var/log/m.log, rel/a.log], error_output_paths: stderr}}`);
  assert.deepEqual(plan.telemetry.logs, {
    level: 'warn',
    encoding: 'json',
    sampling: { tickMs: 1000, initial: 2, thereafter: 0 },
    outputPaths: ['stdout', '/var/log/m.log', 'rel/a.log'],
    errorOutputPaths: ['stderr'],
    initialFields: { site: 'a', rack: 3 },
  });
  assert.equal(plan.warnings.length, 4, plan.warnings.join('\n'));
  assert.equal(load('{logs: {sampling: {enabled: false}}}').telemetry.logs.sampling, 'off');
});

test('the resource in both of its forms; null takes an attribute away', () => {
  assert.deepEqual(
    load('{resource: {service.name: gw, service.version: null, shard: 3}}').telemetry.resource,
    {
      'service.name': 'gw',
      'service.version': null,
      shard: '3',
    },
  );
  const list = '{schema_url: x, attributes: [{name: a.b, value: true}, {name: c, value: "0", type: string}]}';
  assert.deepEqual(load(`{resource: ${list}}`).telemetry.resource, { 'a.b': 'true', c: '0' });
  const hostile = load('{resource: {__proto__: x, constructor: y}}').telemetry.resource;
  assert.deepEqual(Object.entries(hostile), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
});

/** Every message about a telemetry section with mistakes. */
function mistakes(telemetry: string): string {
  const text = `receivers: {otlp: }
exporters: {debug: }
service:
  telemetry: ${telemetry}
  pipelines: {traces: {receivers: [otlp], exporters: [debug]}}
`;
  const { issues = [] } = parseCollectorConfig('t.yaml', text, testFactories, {});
  return issues.map(formatIssue).join('\n');
}

test('periodic readers: where metrics are sent, in the spellings of the Collector', () => {
  const target = (exporter: string) =>
    load(`{metrics: {readers: [{periodic: {interval: 2000, exporter: {otlp: {${exporter}}}}}]}}`).telemetry
      .metrics.periodicReaders[0]!;
  const defaults = {
    compression: 'none',
    temporality: 'cumulative',
    timeoutMs: 10_000,
    caFile: undefined,
    certFile: undefined,
  };
  assert.deepEqual(
    target('protocol: http/protobuf, endpoint: "http://c:4318", headers: [{name: a, value: b}]'),
    {
      intervalMs: 2000,
      timeoutMs: 30_000,
      exporter: {
        otlp: {
          ...defaults,
          protocol: 'http/protobuf',
          url: 'http://c:4318/v1/metrics',
          headers: { a: 'b' },
          keyFile: undefined,
        },
        isConsole: false,
      },
    },
  );
  const url = (exporter: string) => target(exporter).exporter.otlp!.url;
  assert.equal(url('protocol: http/protobuf, endpoint: "https://c/own"'), 'https://c/own');
  assert.equal(url('protocol: grpc, endpoint: "c:4317", insecure: true'), 'http://c:4317/');
  assert.equal(url('protocol: grpc'), 'https://localhost:4317/');
  const { headers } = target('protocol: grpc, headers_list: "a=1%20,b=2", headers: {a: x}').exporter.otlp!;
  assert.deepEqual(headers, { a: 'x', b: '2' });
  const { metrics } = load('{metrics: {readers: [{periodic: {exporter: {console: }}}]}}').telemetry;
  assert.equal(metrics.prometheus, undefined);
  assert.deepEqual(metrics.periodicReaders[0]!.exporter, { otlp: undefined, isConsole: true });
  assert.deepEqual(load('{metrics: {level: none, readers: []}}').telemetry.metrics.periodicReaders, []);
});

test('readers and views that cannot be are refused by name', () => {
  const cases: [string, RegExp][] = [
    ['readers: [{}]', /readers::0.*must have either pull or periodic/],
    ['readers: [{periodic: {exporter: {}}}]', /must have either otlp or console/],
    ['readers: [{periodic: {exporter: {otlp: {}}}}]', /protocol.*is required/],
    [
      'readers: [{periodic: {exporter: {otlp: {protocol: grpc, endpoint: "ftp://x"}}}}]',
      /endpoint.*expected host:port/,
    ],
    [
      'readers: [{periodic: {exporter: {otlp: {protocol: grpc, temporality_preference: gamma}}}}]',
      /temporality_preference.*expected one of cumulative, delta, lowmemory/,
    ],
    ['views: [{selector: {instrument_name: a}, stream: {}}]', /can only be set when .*level is detailed/],
    ['level: detailed, views: [{stream: {}}]', /selector.*must name something/],
    ['level: detailed, views: [{selector: {instrument_name: "a*"}, stream: {name: b}}]', /without wildcards/],
    [
      'level: detailed, views: [{selector: {instrument_name: a}, stream: {aggregation: {explicit_bucket_histogram: {}}}}]',
      /explicit_bucket_histogram.*is not supported/,
    ],
  ];
  for (const [metrics, message] of cases) assert.match(mistakes(`{metrics: {${metrics}}}`), message, metrics);
  // What is wrong about headers must not be told by showing them.
  const secret = mistakes(
    '{metrics: {readers: [{periodic: {exporter: {otlp: {protocol: grpc, headers: [hunter2]}}}}]}}',
  );
  assert.match(secret, /headers.*expected a map/);
  assert.ok(!secret.includes('hunter2'), secret);
});

test('own traces: processors, sampler and propagators; without processors there are none', () => {
  const traces = (keys: string) => load(`{traces: {${keys}}}`).telemetry.traces;
  const exporter = 'exporter: {otlp: {protocol: grpc, endpoint: "http://c:4317"}}';
  assert.equal(traces('level: detailed, propagators: [tracecontext]'), undefined);
  assert.equal(traces(`level: none, processors: [{batch: {${exporter}}}]`), undefined);
  const plan = traces(`processors: [{batch: {schedule_delay: 700, ${exporter}}}, {simple: {${exporter}}}],
    propagators: [tracecontext], sampler: {parent_based: {root: {trace_id_ratio_based: {ratio: 0.1}}}}`)!;
  assert.deepEqual(
    plan.processors.map(({ delayMs, batchMax, queueMax }) => [delayMs, batchMax, queueMax]),
    [
      [700, 512, 2048],
      [0, 512, 2048],
    ],
  );
  assert.deepEqual(plan.sampler, {
    kind: 'parent',
    root: { kind: 'ratio', ratio: 0.1 },
    ifSampled: { kind: 'always_on' },
    ifNotSampled: { kind: 'always_off' },
  });
  assert.equal(plan.takesTraceContext, true);
  for (const [keys, message] of [
    ['propagators: [b3]', /"b3" is not supported yet/],
    ['propagators: [x]', /unknown propagator "x"/],
    ['sampler: {jaeger_remote: {}}', /sampler "jaeger_remote" is not supported/],
    ['sampler: {trace_id_ratio_based: {ratio: 2}}', /ratio must be a number from 0 to 1/],
    ['sampler: {parent_based: {local_parent_sampled: {}}}', /local_parent_sampled is not supported/],
    ['processors: [{}]', /must have either batch or simple/],
  ] as const)
    assert.match(mistakes(`{traces: {${keys}}}`), message, keys);
});
