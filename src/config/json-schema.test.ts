// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import * as yaml from 'yaml';
import * as z from 'zod';
import { BUILTIN } from '../registry/builtin.ts';
import { CHECKOUT, listFiles } from '../testkit/source-tree.ts';
import { parseCollectorConfig } from './collector-config.ts';
import { testFactories } from './factories.test-peer.ts';
import { configJsonSchema } from './json-schema.ts';

/** The validator is zod's own reader of JSON Schema: it knows nothing of the tables. */
function validatorOf(schema: object): (text: string) => boolean {
  const validator = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  return (text) => validator.safeParse(yaml.parse(text, { merge: true, logLevel: 'error' })).success;
}

const isValid = validatorOf(configJsonSchema(BUILTIN.values()));
const isValidForTests = validatorOf(configJsonSchema(testFactories));

/** Files of configs/ that configure something else, e.g. a container or the build of another program. */
function isConfiguration(text: string): boolean {
  const [document, ...others] = yaml
    .parseAllDocuments(text, { logLevel: 'error' })
    .map((each): unknown => each.toJS());
  return (
    others.length === 0 &&
    typeof document === 'object' &&
    document !== null &&
    'service' in document &&
    'receivers' in document
  );
}

test('every shipped configuration is valid for editors and for the loader', () => {
  const files = listFiles(CHECKOUT, ['configs', 'loadtest/scenarios/configs'], '.yaml');
  const configurations = files.filter((file) =>
    isConfiguration(readFileSync(path.join(CHECKOUT, file), 'utf8')),
  );
  assert.ok(configurations.length >= 5);
  for (const file of configurations) {
    const text = readFileSync(path.join(CHECKOUT, file), 'utf8');
    assert.ok(isValid(text), file);
    const { issues = [] } = parseCollectorConfig(file, text, BUILTIN.values(), {});
    // One scenario is for later versions of Node.js alone.
    const unexpected = issues.filter(({ message }) => !/^zstd needs Node\.js \d/.test(message));
    assert.deepEqual(unexpected, [], file);
  }
});

test('examples of the Collector that load are valid for editors, too', () => {
  const files = listFiles(CHECKOUT, ['src/config/testdata/collector'], '.yaml');
  let count = 0;
  for (const file of files) {
    const text = readFileSync(path.join(CHECKOUT, file), 'utf8');
    if (parseCollectorConfig(file, text, BUILTIN.values(), {}).plan === undefined) continue;
    count += 1;
    assert.ok(isValid(text), file);
  }
  assert.ok(count >= 3);
});

test('what the loader takes, editors take: the good files, and unusual forms of values', () => {
  for (const name of ['full', 'minimal']) {
    const file = path.join(CHECKOUT, 'src/config/testdata/good', `${name}.yaml`);
    assert.ok(isValidForTests(readFileSync(file, 'utf8')), name);
  }
  const forms = [
    'service::telemetry::logs::level: DEBUG',
    'exporters: {debug/1: {verbosity: "${env:V:-basic}", timeout: 5, sending_queue: {batch: }}}',
    'exporters: {logging: {verbosity: , sending_queue: {batch: {enabled: false}, blocking: true}}}',
    'exporters: {clickhouse: {endpoint: "${env:E}", sending_queue: "${file:queue.yaml}"}}',
    'service: {pipelines: {traces/2: {receivers: "otlp,otlp/2", exporters: [debug]}}, extensions: }',
    'receivers: {" otlp / a": }',
  ];
  for (const text of forms) assert.ok(isValidForTests(text), text);
});

test('what the loader refuses for its keys and types, editors mark', () => {
  const forms = [
    'recievers: {otlp: }',
    'receivers: {otpl: }',
    'receivers: {otlp: {endpiont: x}}',
    'receivers: {otlp: text}',
    'exporters: {clickhouse: {password: x}}',
    'exporters: {debug: {verbosity: loud}}',
    'exporters: {debug: {timeout: true}}',
    'exporters: {debug: {sending_queue: {num_consumers: "10"}}}',
    'exporters: {debug: {sending_queue: {persistent_storage_enabled: true}}}',
    'exporters: {debug: {retry_on_failure: {randomization_factor: 2}}}',
    'service: {pipelines: {spans: }}',
    'service: {pipelines: {traces: {recievers: [otlp]}}}',
    'service: {telemetry: {metrics: {level: loud}}}',
    'service: {telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {port: 70000}}}}]}}}',
  ];
  for (const text of forms) {
    assert.equal(isValidForTests(text), false, text);
    const { issues = [] } = parseCollectorConfig('f', text, testFactories, {});
    assert.ok(issues.length > 0, text);
  }
});

test('every key has a description, and the schema is plain JSON', () => {
  const schema = configJsonSchema(BUILTIN.values());
  assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema);
  let count = 0;
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { properties } = node as { properties?: Record<string, { description?: string }> };
    for (const [key, value] of Object.entries(properties ?? {})) {
      count += 1;
      assert.ok((value.description ?? '').length > 3, key);
    }
    Object.values(node).forEach(visit);
  };
  visit(schema);
  assert.ok(count > 150);
});
