// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import type { AnyFactory } from '../component/factory.ts';
import { loadCollectorConfig, parseCollectorConfig } from './collector-config.ts';
import type { CollectorPlan } from './collector-plan.ts';
import { formatIssue } from './config-node.ts';
import { testFactories } from './factories.test-peer.ts';

/** The compiler does not copy YAML files: compiled tests read those of the sources. */
function findTestdata(): string {
  for (let directory = import.meta.dirname; ; directory = path.dirname(directory)) {
    const testdata = path.join(directory, 'src', 'config', 'testdata');
    if (existsSync(testdata)) return testdata;
    assert.notEqual(directory, path.dirname(directory), 'testdata not found');
  }
}

const TESTDATA = findTestdata();
const CANARY = 'canary-7a1';
const BAD_ENVIRONMENT = { CANARY, CYCLE_A: '${env:CYCLE_B}', CYCLE_B: '${env:CYCLE_A}' };

function read(...segments: string[]): string {
  return readFileSync(path.join(TESTDATA, ...segments), 'utf8');
}

function planOf(text: string, factories: readonly AnyFactory[] = testFactories): CollectorPlan {
  const result = parseCollectorConfig('test.yaml', text, factories, {});
  assert.deepEqual(result.issues?.map(formatIssue) ?? [], []);
  return result.plan!;
}

const badFiles = readdirSync(path.join(TESTDATA, 'bad')).filter((name) => name.endsWith('.yaml'));
assert.ok(badFiles.length >= 18);

for (const name of badFiles) {
  test(`bad/${name}: every issue in one run, each with file, line and column`, () => {
    const result = parseCollectorConfig(name, read('bad', name), testFactories, BAD_ENVIRONMENT);
    const lines = result.issues?.map((issue) => `${formatIssue(issue)}\n`) ?? [];
    assert.equal(lines.join(''), read('bad', name.replace('.yaml', '.expected')));
    assert.equal(result.plan, undefined);
    for (const line of lines) {
      assert.match(line, /^[a-z-]+\.yaml:[1-9][0-9]*:[1-9][0-9]*: ./);
      assert.ok(!line.includes(CANARY), 'a secret is shown');
    }
    assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
  });
}

test('the smallest configuration gives a plan of defaults', () => {
  const plan = planOf(read('good', 'minimal.yaml'));
  assert.deepEqual(plan.receivers, [{ id: 'otlp', type: 'otlp', config: { endpoint: 'localhost:4317' } }]);
  assert.deepEqual(plan.pipelines, [
    { id: 'traces', signal: 'traces', receivers: ['otlp'], processors: [], exporters: ['debug'] },
  ]);
  const { metrics, logs } = plan.telemetry;
  assert.equal(metrics.level, 'normal');
  assert.deepEqual(metrics.prometheus, { host: '127.0.0.1', port: 8888 });
  assert.deepEqual([logs.level, logs.encoding], ['info', 'console']);
  assert.deepEqual(plan.warnings, []);
});

test('references, anchors, aliases of types and unusual spellings end in plain data', () => {
  const environment = {
    CLICKHOUSE: 'db',
    PASSWORD: '0123',
    QUEUE_SIZE: '20000',
    DATA: '/var/data',
    METRICS_PORT: '9999',
  };
  const result = parseCollectorConfig('full.yaml', read('good', 'full.yaml'), testFactories, environment);
  assert.deepEqual(result.issues?.map(formatIssue) ?? [], []);
  const plan = result.plan!;
  assert.deepEqual(
    plan.receivers.map(({ id, type }) => [id, type]),
    [
      ['otlp', 'otlp'],
      ['otlp/second', 'otlp'],
    ],
  );
  const [clickhouse, copy, printer] = plan.exporters;
  const config = clickhouse!.config as { endpoint: string; password: string; delivery: { queue: object } };
  assert.equal(config.endpoint, 'http://db:8123');
  assert.equal(config.password, '0123');
  assert.deepEqual(config.delivery.queue, {
    enabled: true,
    numConsumers: 10,
    queueSize: 20_000,
    sizer: 'requests',
    storage: 'file_storage/data',
    isAwaited: false,
    blocksOnOverflow: false,
    batch: { flushTimeoutMs: 200, minSize: 8192, maxSize: 0, sizer: 'items' },
    hasOwnBatch: true,
  });
  assert.equal((copy!.config as typeof config).endpoint, 'http://copy:8123');
  assert.equal((copy!.config as typeof config).password, '0123');
  assert.deepEqual([printer?.id, printer?.type], ['logging', 'debug']);
  assert.deepEqual(
    plan.extensions.map((extension) => extension.id),
    ['health_check', 'file_storage/data'],
  );
  assert.equal((plan.extensions[1]!.config as { directory: string }).directory, '/var/data');
  assert.deepEqual(plan.pipelines, [
    {
      id: 'traces',
      signal: 'traces',
      receivers: ['otlp', 'otlp/second'],
      processors: [],
      exporters: ['clickhouse', 'clickhouse/copy', 'logging'],
    },
    { id: 'logs/1', signal: 'logs', receivers: ['otlp'], processors: [], exporters: ['clickhouse'] },
  ]);
  const { metrics, logs } = plan.telemetry;
  assert.equal(metrics.level, 'detailed');
  assert.deepEqual(metrics.prometheus, { host: '0.0.0.0', port: 9999 });
  assert.deepEqual([logs.level, logs.encoding], ['debug', 'json']);
  assert.deepEqual(plan.warnings, [
    'full.yaml:7:3: receivers::otlp/unused: is configured but not used in any pipeline',
    'full.yaml:20:3: exporters::logging: "logging" alias is deprecated; use "debug" instead',
  ]);
  assert.deepEqual(structuredClone(plan), plan);
});

test('an unset variable warns with its place and keeps the default', () => {
  const text = read('good', 'minimal.yaml').replace(
    'debug:',
    'debug: {verbosity: basic, timeout: "${env:T}"}',
  );
  const plan = planOf(text);
  assert.deepEqual(plan.warnings, [
    'test.yaml:4:38: exporters::debug::timeout: environment variable "T" is not set',
  ]);
});

test('telemetry: old and new spelling of the Prometheus endpoint, and none', () => {
  const telemetry = (yaml: string) =>
    planOf(read('good', 'minimal.yaml').replace('service:\n', `service:\n  telemetry: {metrics: ${yaml}}\n`));
  assert.deepEqual(telemetry('{address: ":9000"}').telemetry.metrics.prometheus, { host: '', port: 9000 });
  assert.match(telemetry('{address: ":9000"}').warnings[0]!, /test\.yaml:6:34: .*"address" is deprecated/);
  assert.equal(telemetry('{level: none}').telemetry.metrics.prometheus, undefined);
  assert.equal(telemetry('{level: none, readers: []}').telemetry.metrics.prometheus, undefined);
  const reader = telemetry(
    '{readers: [{pull: {exporter: {prometheus: {port: 0, without_scope_info: true}}}}]}',
  );
  assert.deepEqual(reader.telemetry.metrics.prometheus, { host: 'localhost', port: 0 });
  assert.match(reader.warnings[0]!, /"without_scope_info" has no effect/);
});

test('both spellings of a renamed type load the one factory that exists', () => {
  const renamed = testFactories.map((factory) =>
    factory.kind === 'exporter' && factory.type === 'debug' ? { ...factory, type: 'otlp_http' } : factory,
  );
  for (const [type, warnings] of [
    ['otlp_http', 0],
    ['otlphttp', 1],
  ] as const) {
    const plan = planOf(read('good', 'minimal.yaml').replaceAll('debug', type), renamed);
    assert.deepEqual([plan.exporters[0]?.id, plan.exporters[0]?.type], [type, 'otlp_http']);
    assert.equal(plan.warnings.length, warnings);
  }
});

test('a source is a path or a URI; what cannot be read is an issue', (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'millrace-config-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'config.yaml');
  const text = read('good', 'minimal.yaml');
  writeFileSync(file, `\ufeff${text}`);
  const load = (source: string) => loadCollectorConfig(source, testFactories, { CONFIG: text });
  for (const source of [file, `file:${file}`, 'env:CONFIG', `yaml:${text}`]) {
    assert.equal(load(source).plan?.pipelines[0]?.id, 'traces', source.slice(0, 20));
  }
  const huge = path.join(directory, 'huge.yaml');
  writeFileSync(huge, '#'.repeat(10 * 1024 * 1024 + 1));
  const binary = path.join(directory, 'binary.yaml');
  writeFileSync(binary, Uint8Array.of(0xff, 0xfe, 0x00));
  const cases: [string, RegExp][] = [
    [path.join(directory, 'none.yaml'), /none\.yaml:1:1: no such file$/],
    [directory, /:1:1: cannot be read: EISDIR/],
    [huge, /huge\.yaml:1:1: larger than 10485760 bytes$/],
    ['/dev/zero', /^\/dev\/zero:1:1: larger than 10485760 bytes$/],
    [binary, /binary\.yaml:1:1: is not UTF-8 text$/],
    ['env:NONE', /^env:NONE:1:1: environment variable "NONE" is not set$/],
    ['https://host/c.yaml', /not supported yet$/],
    ['s3://bucket/c.yaml', /unsupported scheme on URI "s3:/],
    ['yaml:', /empty configuration file/],
  ];
  for (const [source, message] of cases) {
    const { issues = [] } = load(source);
    assert.equal(issues.length, 1, source);
    assert.match(formatIssue(issues[0]!), message);
  }
});

test('one issue is one line, whatever bytes the file or a variable holds', () => {
  const text = 'receivers: {"a\\nb\\e[31m": }';
  const { issues = [] } = parseCollectorConfig('test.yaml', text, testFactories, {});
  assert.ok(issues.some((issue) => /a\\u000ab\\u001b\[31m/.test(formatIssue(issue))));
  for (const issue of issues) assert.doesNotMatch(formatIssue(issue), /[\u0000-\u001f]/);
});

test('aliases that explode and nesting that never ends are refused in bounded time', () => {
  const anchors = Array.from({ length: 9 }, (_, level) => {
    const item = level === 0 ? `[${'x, '.repeat(20_000)}x]` : `[*a${level - 1}, *a${level - 1}]`;
    return `a${level}: &a${level} ${item}`;
  });
  const bomb = parseCollectorConfig('test.yaml', anchors.join('\n'), testFactories, {});
  assert.ok(bomb.issues!.some((issue) => issue.message === 'aliases stand for more than 100000 values'));
  assert.ok(bomb.issues!.length < 20);
  for (const deep of ['['.repeat(5_000), '- '.repeat(5_000), '{a: '.repeat(150) + '}'.repeat(150)]) {
    const { issues = [] } = parseCollectorConfig('test.yaml', deep, testFactories, {});
    assert.ok(
      issues.some((issue) => issue.message.includes('nested too deeply')),
      deep.slice(0, 9),
    );
  }
});
