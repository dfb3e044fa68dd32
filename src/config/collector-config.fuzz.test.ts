// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import * as yaml from 'yaml';
import { loadCollectorConfig, parseCollectorConfig } from './collector-config.ts';
import { testFactories } from './factories.test-peer.ts';

const KEYS = [
  'receivers',
  'processors',
  'exporters',
  'connectors',
  'extensions',
  'service',
  'pipelines',
  'telemetry',
  'otlp',
  'debug',
  'clickhouse',
  'file_storage',
  'batch',
  'traces',
  'logs/x',
  'metrics',
  'endpoint',
  'timeout',
  'sending_queue',
  'retry_on_failure',
  'storage',
  'enabled',
  'readers',
  'level',
  'pull',
  'exporter',
  'prometheus',
  '__proto__',
  'constructor',
  'toString',
  '',
  '0',
  'a::b',
];

const value = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 6, depthSize: 'medium' },
    fc.constantFrom(null, true, 0, -1, 1.5, 1e300, 'otlp', 'debug', 'file_storage', '5s', '${A}', '$$', 'x'),
    fc.array(tie('node'), { maxLength: 3 }),
    fc
      .array(fc.tuple(fc.constantFrom(...KEYS), tie('node')), { maxLength: 6 })
      .map((entries) => new Map(entries)),
  ),
})).node;

/** Now and then what a section needs, so that the checks between sections are reached. */
function section(valid: unknown) {
  return fc.oneof({ weight: 2, arbitrary: fc.constant(valid) }, { weight: 1, arbitrary: value });
}

const document = fc
  .record({
    receivers: section({ otlp: null }),
    exporters: section({
      debug: null,
      clickhouse: { endpoint: 'http://a', sending_queue: { storage: 'file_storage' } },
    }),
    extensions: section({ file_storage: null }),
    pipelines: section({ traces: { receivers: ['otlp'], exporters: ['debug', 'clickhouse'] } }),
    telemetry: section(null),
    started: section(['file_storage']),
  })
  .map(({ receivers, exporters, extensions, pipelines, telemetry, started }) => {
    return { receivers, exporters, extensions, service: { pipelines, telemetry, extensions: started } };
  });

test('any tree of known and hostile keys gives a plan or issues with places, and pollutes nothing', () => {
  const ownKeys = Reflect.ownKeys(Object.prototype);
  fc.assert(
    fc.property(
      fc.oneof(document, value),
      fc.constantFrom('x', '{endpoint: 1}', '[a]', '${A}'),
      (tree, variable) => {
        const result = parseCollectorConfig('f', yaml.stringify(tree), testFactories, { A: variable });
        if (result.plan !== undefined) {
          assert.deepEqual(structuredClone(result.plan), result.plan);
        } else assert.ok(result.issues.length > 0);
        for (const issue of result.issues ?? []) {
          assert.ok(Number.isInteger(issue.line) && issue.line >= 1 && issue.column >= 1);
          assert.notEqual(issue.message, '');
        }
        assert.deepEqual(Reflect.ownKeys(Object.prototype), ownKeys);
      },
    ),
    { numRuns: 600 },
  );
});

test('any text as a source is a plan or an issue', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const { issues = [] } = loadCollectorConfig(`yaml:${text}`, testFactories, {});
      assert.ok(issues.length > 0);
    }),
    { numRuns: 500 },
  );
});
