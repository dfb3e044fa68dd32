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
    },
    logs: {
      level: 'info',
      encoding: 'console',
      sampling: { tickMs: 10_000, initial: 10, thereafter: 100 },
      outputPaths: ['stderr'],
      errorOutputPaths: ['stderr'],
      initialFields: {},
    },
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

test('traces that would be exported are refused by name', () => {
  const text = `receivers: {otlp: }
exporters: {debug: }
service:
  telemetry: {traces: {processors: [{batch: {exporter: {otlp: {endpoint: "x:1"}}}}], level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [debug]}}
`;
  const { issues = [] } = parseCollectorConfig('t.yaml', text, testFactories, {});
  assert.match(
    issues.map(formatIssue).join('\n'),
    /service::telemetry::traces.*"processors" is not supported/,
  );
});
