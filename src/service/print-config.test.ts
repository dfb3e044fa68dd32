// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import * as yaml from 'yaml';
import { parseCollectorConfig } from '../config/collector-config.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { formatIssue } from '../config/config-node.ts';
import { type LeafField, type Shape, shapeOf } from '../config/schema.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { CHECKOUT, listFiles } from '../testkit/source-tree.ts';
import type { PrintConfigCommand } from './cli.ts';
import { printConfig } from './print-config.ts';

const SHIPPED = ['configs', 'loadtest/scenarios/configs'];
const EXAMPLES = 'src/config/testdata/collector';

function print(config: string, options: Partial<PrintConfigCommand> = {}) {
  const command: PrintConfigCommand = {
    command: 'print-config',
    configs: [`yaml:${config}`],
    sets: [],
    warnings: [],
    format: 'yaml',
    isRedacted: true,
    ...options,
  };
  return printConfig(command, BUILTIN.values());
}

function planOf(text: string): Omit<CollectorPlan, 'warnings'> {
  const { plan, issues = [] } = parseCollectorConfig('f', text, BUILTIN.values(), {});
  assert.deepEqual(issues.map(formatIssue), []);
  const { warnings: _, ...rest } = plan!;
  return rest;
}

const SECRETS = `
receivers: {otlp: {protocols: {http: {response_headers: {x-key: CANARY-1}}}}}
exporters:
  clickhouse:
    endpoint: https://user:CANARY-2@host:8443/?password=CANARY-3
    password: "CANARY-4$$\${x}"
    ttl: 1h
  debug/unused: {sending_queue: {batch: {min_size: 10}}, verbosity: DETAILED}
extensions: {file_storage: {directory: /tmp, compaction: {on_start: true}, fsync: true}}
service:
  extensions: [file_storage]
  telemetry: {metrics: {address: "127.0.0.1:0"}}
  pipelines: {" traces / a": {receivers: otlp, exporters: "clickhouse"}}
`;

test('secrets are hidden, in YAML and in JSON, and shown only when that is asked for', () => {
  for (const format of ['yaml', 'json'] as const) {
    const { text = '' } = print(SECRETS, { format });
    assert.doesNotMatch(text, /CANARY/);
    assert.equal(text.match(/\[REDACTED\]/g)?.length, 4);
  }
  assert.equal(print(SECRETS, { isRedacted: false }).text!.match(/CANARY/g)?.length, 4);
});

function leavesOf(shape: Shape<unknown>, place: string): [string, LeafField<unknown>][] {
  const others = shape.others.flatMap((other) => (other.form === 'ignored' ? [other.field] : []));
  return [...Object.values(shape.table), ...others].flatMap((field): [string, LeafField<unknown>][] => {
    if (field.form === 'leaf') return [[`${place}.${field.key}`, field]];
    if (field.form === 'sections') return leavesOf(field.itemShape, `${place}.${field.key}[]`);
    return leavesOf(field.shape, field.form === 'squash' ? place : `${place}.${field.key}`);
  });
}

test('every key of every component whose name says that it holds a secret is a secret, and is hidden', () => {
  const leaves = [...BUILTIN.values()].flatMap(({ kind, type, configSchema }) => {
    return leavesOf(shapeOf(configSchema), `${kind} ${type}`);
  });
  const named = leaves.filter(([place, { key, type }]) => {
    const isText = type === 'secret' || type.includes('string') || type.includes('url');
    return (
      isText &&
      // Names of what holds the secret, and of headers.
      !/_file$|^filename$|_source$/.test(key) &&
      !/header_extraction\.headers$/.test(place) &&
      /password|token|secret|_pem$|api_?key|^headers$|^response_headers$|credential|inline/.test(key)
    );
  });
  assert.ok(named.length >= 10);
  for (const [place, { isSecret }] of named) assert.ok(isSecret, place);
  for (const [place, field] of leaves.filter(([, { isSecret }]) => isSecret)) {
    for (const value of ['CANARY', ['CANARY'], { k: 'CANARY' }, 'http://CANARY@host/?CANARY']) {
      const isOfType = field.schema.safeParse(value).success;
      if (isOfType) assert.doesNotMatch(JSON.stringify(field.redact(value)), /CANARY/, place);
    }
  }
});

test('every default of every component is a value that its key takes', () => {
  const leaves = [...BUILTIN.values()].flatMap(({ kind, type, configSchema }) => {
    return leavesOf(shapeOf(configSchema), `${kind} ${type}`);
  });
  const defaults = leaves.filter(([, { defaultYaml }]) => defaultYaml !== undefined);
  assert.ok(defaults.length > 150);
  for (const [place, { defaultValue }] of defaults) assert.notEqual(defaultValue, undefined, place);
});

test('it holds defaults, present names and everything that was written', () => {
  const printed = yaml.parse(print(SECRETS).text!);
  assert.deepEqual(Object.keys(printed), ['receivers', 'exporters', 'extensions', 'service']);
  assert.equal(printed.exporters.clickhouse.ttl, '1h');
  assert.equal(printed.exporters.clickhouse.database, 'default');
  assert.equal(printed.exporters['debug/unused'].verbosity, 'DETAILED');
  assert.equal(printed.exporters['debug/unused'].sending_queue.batch.min_size, 10);
  assert.equal('grpc' in printed.receivers.otlp.protocols, false);
  assert.deepEqual(Object.keys(printed.extensions.file_storage).toSorted(), [
    'create_directory',
    'directory',
    'directory_permissions',
  ]);
  assert.deepEqual(printed.service.pipelines, {
    'traces/a': { receivers: ['otlp'], processors: [], exporters: ['clickhouse'] },
  });
  const [reader] = printed.service.telemetry.metrics.readers;
  assert.equal(reader.pull.exporter.prometheus.port, 0);
  assert.equal('address' in printed.service.telemetry.metrics, false);
});

test('what is printed with secrets, loaded again, gives the same plan', () => {
  const files = listFiles(CHECKOUT, [...SHIPPED, EXAMPLES], '.yaml');
  const texts = files.map((file) => readFileSync(path.join(CHECKOUT, file), 'utf8'));
  const configurations = [
    SECRETS,
    ...texts.filter((text) => /^service:$/m.test(text) && /^receivers:$/m.test(text)),
  ];
  let printedCount = 0;
  for (const text of configurations) {
    // Examples with parts that are not supported yet are no configurations.
    if (parseCollectorConfig('f', text, BUILTIN.values(), {}).plan === undefined) continue;
    printedCount += 1;
    for (const format of ['yaml', 'json'] as const) {
      // JSON has no escapes for dollar signs: texts with them are for YAML alone.
      if (format === 'json' && text.includes('$$')) continue;
      const printed = print(text, { format, isRedacted: false });
      assert.deepEqual(planOf(printed.text!), planOf(text));
    }
  }
  assert.ok(printedCount >= 8);
});

test('sources are merged, and mistakes are issues with the source that has them', () => {
  const base =
    'receivers: {otlp: {protocols: {http: }}}\nexporters: {nop: }\nservice: {pipelines: {logs: {receivers: [otlp], exporters: [nop]}}}';
  const merged = print('', {
    configs: [`yaml:${base}`, 'yaml:service::telemetry::logs::level: debug'],
    sets: ['exporters.nop.timeout=9s', 'receivers.otlp.protocols.http.endpoint=127.0.0.1:1'],
  });
  const printed = yaml.parse(merged.text!);
  assert.equal(printed.service.telemetry.logs.level, 'debug');
  assert.equal(printed.exporters.nop.timeout, '9s');
  assert.equal(printed.receivers.otlp.protocols.http.endpoint, '127.0.0.1:1');
  const wrong = print('', { configs: [`yaml:${base}`, 'yaml:exporters::nop::timeout: x'], sets: ['a.b=1'] });
  assert.equal(wrong.text, undefined);
  assert.deepEqual(wrong.issues!.map(formatIssue), [
    'yaml:#2:1:26: exporters::nop::timeout: invalid duration, got "x"',
    '--set a.b:1:1: unknown key "a"',
  ]);
});
