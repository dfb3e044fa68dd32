// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import * as yaml from 'yaml';
import { CHECKOUT } from '../testkit/source-tree.ts';
import { loadCollectorConfig, parseCollectorConfig } from './collector-config.ts';
import { formatIssue } from './config-node.ts';
import { loadEffectiveConfig } from './effective-config.ts';
import { testFactories } from './factories.test-peer.ts';
import type { ConfigSources } from './load.ts';
import { printYaml } from './yaml-text.ts';

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

const RUN_MS_MAX = 5_000;

const GOOD =
  '{receivers: {otlp: }, exporters: {debug: }, service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}}';

/** Never throws, within bounded time; what is accepted can be printed, and the print means the same. */
function checkSources(sources: ConfigSources, environment: Record<string, string>): void {
  const started = performance.now();
  const result = loadCollectorConfig(sources, testFactories, environment);
  const printed = loadEffectiveConfig(sources, testFactories, { isRedacted: false }, environment);
  assert.ok(performance.now() - started < RUN_MS_MAX);
  assert.equal(result.plan === undefined, printed.config === undefined);
  if (result.plan === undefined) {
    assert.ok(result.issues.length > 0);
    for (const issue of result.issues) assert.match(formatIssue(issue), /^.*:[1-9][0-9]*:[1-9][0-9]*: ./);
    return;
  }
  const again = parseCollectorConfig('f', printYaml(printed.config), testFactories, environment);
  assert.deepEqual(again.issues?.map(formatIssue) ?? [], []);
  assert.deepEqual({ ...again.plan, warnings: [] }, { ...result.plan, warnings: [] });
}

test('any list of sources and overrides gives a plan that survives printing, or issues', () => {
  const keyPath = fc
    .array(fc.constantFrom(...KEYS), { minLength: 1, maxLength: 5 })
    .map((keys) => keys.join('.'));
  const word = fc.constantFrom(
    '',
    '1',
    'x',
    '[otlp]',
    '{a: 1}',
    '${A}',
    '$$',
    ': ',
    '*a',
    '[',
    '5s',
    '${file:/nowhere}',
  );
  const set = fc.oneof(
    fc.tuple(keyPath, word).map(([key, text]) => `${key}=${text}`),
    fc.constantFrom('exporters.debug.timeout=9s', 'service.telemetry.logs.level=${A}', 'exporters.debug='),
  );
  const text = document.map((tree) => `yaml:${yaml.stringify(tree)}`);
  const source = fc.oneof(
    { weight: 4, arbitrary: fc.constant(`yaml:${GOOD}`) },
    {
      weight: 3,
      arbitrary: fc.constantFrom('yaml:exporters::debug::timeout: ${A}', 'yaml:receivers: {otlp/2: }'),
    },
    { weight: 2, arbitrary: text },
    { weight: 1, arbitrary: value.map((tree) => `yaml:${yaml.stringify(tree)}`) },
  );
  const others = fc.constantFrom(
    'env:A',
    'yaml:exporters::debug::timeout: ${A}',
    'yaml:',
    '/dev/null',
    'http://x',
  );
  const variable = fc.constantFrom(
    'x',
    '{endpoint: "h:1"}',
    '[debug]',
    '${A}',
    '5s',
    '${yaml:5s}',
    'a: b: c',
    '$$${B}',
  );
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.array(source, { minLength: 1, maxLength: 3 }),
      fc.array(others, { maxLength: 1 }),
      fc.array(set, { maxLength: 2 }),
      variable,
      (configs, more, sets, text) => {
        const sources = { configs: [...configs, ...more], sets };
        checkSources(sources, { A: text, B: '1' });
        if (loadCollectorConfig(sources, testFactories, { A: text, B: '1' }).plan !== undefined)
          accepted += 1;
        assert.equal(({} as Record<string, unknown>).a, undefined);
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(accepted > 50, `only ${accepted} were accepted: the generator tests little`);
});

test('a good file with random damage gives a plan that survives printing, or issues', () => {
  const text = readFileSync(path.join(CHECKOUT, 'src/config/testdata/good/full.yaml'), 'utf8');
  const pieces = [
    '',
    '\n',
    '  ',
    ':',
    '- ',
    '&a ',
    '*a',
    '<<: ',
    '${',
    '}',
    '$',
    '"',
    "'",
    '{',
    ']',
    '#',
    '\t',
    '|',
    '\u0000',
    '\ud800',
  ];
  const damage = fc.tuple(fc.nat(text.length), fc.nat(12), fc.constantFrom(...pieces));
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), (damages) => {
      let damaged = text;
      for (const [at, length, piece] of damages) {
        damaged = damaged.slice(0, at) + piece + damaged.slice(at + length);
      }
      checkSources(
        { configs: [`yaml:${damaged}`] },
        { CLICKHOUSE: 'h', PASSWORD: '0123', DATA: '/d', QUEUE_SIZE: '5' },
      );
    }),
    { numRuns: 1_000 },
  );
});
