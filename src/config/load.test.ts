// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { loadCollectorConfig } from './collector-config.ts';
import { formatIssue, plainValue } from './config-node.ts';
import { readAs } from './expanded-text.ts';
import { testFactories } from './factories.test-peer.ts';
import { type ConfigSources, loadConfig } from './load.ts';

function loadedValue(sources: ConfigSources, environment: Record<string, string> = {}): unknown {
  const { root, issues } = loadConfig(sources, environment);
  assert.deepEqual(issues.map(formatIssue), []);
  return readAs(plainValue(root!), 'yaml');
}

function issuesOf(sources: ConfigSources, environment: Record<string, string> = {}): string[] {
  return loadConfig(sources, environment).issues.map(formatIssue);
}

const yamls = (...texts: string[]) => texts.map((text) => `yaml:${text}`);

function directoryOf(t: TestContext, files: Record<string, string>): (name: string) => string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'millrace-load-'));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(directory, name), text);
  return (name) => path.join(directory, name);
}

test('maps are merged at every depth; lists, values and null replace', () => {
  const cases: [string, string, unknown][] = [
    ['a: {b: 1, c: {d: 2}}', 'a: {c: {e: 3}}', { a: { b: 1, c: { d: 2, e: 3 } } }],
    ['a: [1, 2]', 'a: [3]', { a: [3] }],
    ['a: {b: 1}', 'a:', { a: null }],
    ['a:', 'a: {b: 1}', { a: { b: 1 } }],
    ['a: {b: 1}', 'a: 5', { a: 5 }],
    ['a: 5', 'a: {b: 1}', { a: { b: 1 } }],
    ['a: [1]', 'a: {b: 1}', { a: { b: 1 } }],
    ['a: 1', '# nothing', { a: 1 }],
    ['a: &x {b: 1}\nc: *x', 'c: {b: 2}', { a: { b: 1 }, c: { b: 2 } }],
    ['__proto__: {a: 1}', '__proto__: {b: 2}', JSON.parse('{"__proto__": {"a": 1, "b": 2}}')],
  ];
  for (const [earlier, later, expected] of cases) {
    assert.deepEqual(loadedValue({ configs: yamls(earlier, later) }), expected, `${earlier} + ${later}`);
  }
  assert.deepEqual(loadedValue({ configs: yamls('a: 1', 'a: 2', 'a: 3') }), { a: 3 });
  assert.equal(Object.hasOwn(Object.prototype, 'b'), false);
});

test('references are replaced after merging: what a later source replaced is never looked up', () => {
  const configs = yamls('a: "${file:/nowhere/at/all}"\nb: ${env:B}', 'a: 1');
  assert.deepEqual(loadedValue({ configs }, { B: '[x]' }), { a: 1, b: ['x'] });
  // A reference is no map before it is replaced, so there is nothing to merge with.
  assert.deepEqual(loadedValue({ configs: yamls('a: ${env:A}', 'a: {c: 2}') }, { A: '{b: 1}' }), {
    a: { c: 2 },
  });
});

test('keys with :: at the top level are nested maps, in every kind of source', (t) => {
  const file = directoryOf(t, { 'a.yaml': 'a::b: 1\na: {c: 2}\nd: {"e::f": 3}\n' });
  assert.deepEqual(loadedValue({ configs: [file('a.yaml')] }), { a: { b: 1, c: 2 }, d: { 'e::f': 3 } });
  assert.deepEqual(loadedValue({ configs: ['env:C'] }, { C: 'x::y::z: [1]' }), { x: { y: { z: [1] } } });
  assert.deepEqual(loadedValue({ configs: yamls('::a: 1') }), { '::a': 1 });
  assert.deepEqual(issuesOf({ configs: yamls('a: {b: 1}\na::b: 2') }), ['yaml::2:1: a: duplicate key "b"']);
  assert.deepEqual(issuesOf({ configs: yamls('a: 1\na::b::c: 2') }), ['yaml::2:1: duplicate key "a"']);
});

test('--set wins over every source, the last over the ones before; its value is YAML', () => {
  const sets = ['a.b=2', 'a.c=[x, y]', 'd={e: 1}', 'f.g=', 'a.b=three', 'h=a=b', 'i::j=1', 'k=${env:K}'];
  assert.deepEqual(loadedValue({ configs: yamls('a: {b: 1, z: 0}'), sets }, { K: '8' }), {
    a: { b: 'three', c: ['x', 'y'], z: 0 },
    d: { e: 1 },
    f: { g: null },
    h: 'a=b',
    i: { j: 1 },
    k: 8,
  });
  assert.deepEqual(issuesOf({ configs: yamls('a: 1'), sets: ['a..b=1', '=1', 'a.b', 'a.b=[secret'] }), [
    '--set a..b:1:1: empty key: write --set key.below=value',
    '--set :1:1: empty key: write --set key.below=value',
    '--set a.b:1:1: missing equal sign: write --set key.below=value',
    '--set a.b:1:8: a::b: YAML syntax: Flow sequence must end with a ]',
  ]);
});

test('every source that cannot be read or parsed is reported, in the order of the sources', (t) => {
  const file = directoryOf(t, { 'b.yaml': 'a: [\n', 'c.yaml': 'x\n', 'd.yaml': 'a: 1\na: 2\n' });
  const configs = ['nowhere.yaml', file('b.yaml'), 'env:NONE', 'http://host/x', file('d.yaml')];
  const result = loadCollectorConfig({ configs }, testFactories, {});
  const lines = result.issues!.map((issue) => formatIssue(issue).replace(file('x').slice(0, -1), ''));
  assert.deepEqual(lines, [
    'nowhere.yaml:1:1: no such file',
    'b.yaml:2:1: YAML syntax: Flow sequence in block collection must be sufficiently indented and end with a ]',
    'env:NONE:1:1: environment variable "NONE" is not set',
    'http::1:1: configuration over HTTP is not supported yet',
    'd.yaml:2:1: duplicate key "a"',
  ]);
  assert.deepEqual(issuesOf({ configs: ['yaml:a: 1', file('c.yaml')] }), [
    `${file('c.yaml')}:1:1: expected a map of sections, got "x"`,
  ]);
  assert.deepEqual(issuesOf({ configs: yamls('', '# no') }), ['yaml:#1:1:1: empty configuration file']);
});

test('one run finds the mistakes of all sources and of the files that they name, each at its place', (t) => {
  const file = directoryOf(t, {
    'base.yaml': 'receivers:\n  otlp:\n    endpiont: x\nexporters:\n  debug:\n    verbosity: loud\n',
    'site.yaml': 'exporters:\n  clickhouse: ${file:SITE/ch.yaml}\n  debug:\n    verbosity: ${env:BAD-NAME}\n',
    'ch.yaml': 'endpoint: http://h\nsending_queue:\n  queue_size: x\n  storge: a\n',
  });
  const site = file('site.yaml');
  const text = 'exporters:\n  clickhouse: ${file:CH}\n  debug:\n    verbosity: ${env:BAD-NAME}\n';
  writeFileSync(site, text.replace('CH', file('ch.yaml')));
  const { issues } = loadCollectorConfig(
    {
      configs: [file('base.yaml'), site],
      sets: ['service.pipelines.traces.receivers=[otlp]', 'service.x=1'],
    },
    testFactories,
    {},
  );
  const lines = issues!.map((issue) => formatIssue(issue).replace(file('x').slice(0, -1), ''));
  assert.deepEqual(lines, [
    'base.yaml:3:5: receivers::otlp: unknown key "endpiont" (did you mean "endpoint"?)',
    'site.yaml:4:16: exporters::debug::verbosity: environment variable "BAD-NAME" has invalid name: must match regex ^[a-zA-Z_][a-zA-Z0-9_]*$',
    '--set service.pipelines.traces.receivers:1:1: service::pipelines::traces: must have at least one exporter',
    '--set service.x:1:1: service: unknown key "x"',
    'ch.yaml:3:15: exporters::clickhouse::sending_queue::queue_size: expected an integer, got "x"',
    'ch.yaml:4:3: exporters::clickhouse::sending_queue: unknown key "storge" (did you mean "storage"?)',
  ]);
});

test('E5: a password that YAML takes for syntax is not shown by what is said about it', () => {
  const signs = [
    '!',
    '!!',
    '*',
    '|',
    '>',
    '%',
    '@',
    '`',
    '"',
    "'",
    '[',
    '{',
    '- ',
    '? ',
    '&a &',
    'x: ',
    '"\\q',
    '!<',
    ', ',
    '}',
    '|2 ',
  ];
  const values = signs.flatMap((sign) => [
    `${sign}CANARY`,
    `${sign}CANARY: x`,
    `${sign}x CANARY`,
    `${sign}${sign}CANARY`,
  ]);
  let refused = 0;
  for (const value of values) {
    for (const text of [
      `exporters:\n  clickhouse:\n    endpoint: http://h\n    password: ${value}\n`,
      `exporters: {clickhouse: {endpoint: "http://h", password: ${value}}}`,
      `exporters:\n  clickhouse:\n    password:\n${value}\n`,
    ]) {
      const sources = { configs: [`yaml:${text}`], sets: [`exporters.clickhouse.password=${value}`] };
      for (const source of [{ configs: sources.configs }, { ...sources, configs: ['yaml:receivers:'] }]) {
        const result = loadCollectorConfig(source, testFactories, {});
        refused += result.issues?.length ?? 0;
        for (const issue of result.issues ?? []) {
          // A text that YAML reads as keys of the configuration is named as such.
          if (/unknown key|duplicate key|unknown type|invalid character/.test(issue.message)) continue;
          assert.doesNotMatch(formatIssue(issue), /CANARY/, text);
        }
      }
    }
  }
  assert.ok(refused > values.length);
});
