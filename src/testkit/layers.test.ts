/** The house rules as a test: who may import whom, no cycles, bounded files and functions. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  CHECKOUT,
  findCycle,
  functionLengths,
  importsOf,
  LOADED_ROOT,
  listFiles,
  readSource,
} from './source-tree.ts';

const ROOTS = ['src', 'workers', 'loadtest', 'native-free-bench'];
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

const COMPONENT_FOLDERS = ['receivers', 'processors', 'exporters', 'connectors', 'extensions'];
const EDITING_MAY = ['processors', 'connectors'];
const CLIENTS = ['encodings', 'kafka', 's3'];
const COMPONENT_MAY = ['component', 'config', 'otlp', 'pdata', 'stdx', 'telemetry/metrics.ts'];

/** Folder of src -> folders (or single files) it may import besides itself. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  stdx: [],
  pdata: ['stdx'],
  ring: ['stdx'],
  component: ['pdata', 'stdx'],
  otlp: ['component/errors.ts', 'component/signal.ts', 'pdata', 'stdx'],
  // The expression language, which processors and connectors share.
  ottl: ['component/errors.ts', 'component/signal.ts', 'otlp', 'pdata', 'stdx'],
  // What other systems' records look like on the wire, for receivers and exporters alike.
  encodings: ['component/errors.ts', 'component/signal.ts', 'otlp', 'pdata', 'stdx'],
  config: ['component', 'stdx'],
  // Clients of systems that are both read and written: connection, keys and credentials once for both directions.
  kafka: ['component', 'config', 'stdx', 'telemetry/metrics.ts'],
  s3: ['component', 'config', 'stdx', 'telemetry/metrics.ts'],
  telemetry: ['component', 'stdx'],
  // The view of another process: it knows the scrape and nothing of the engine.
  top: ['telemetry', 'stdx'],
  queue: ['component', 'stdx'],
  // The delivery loop is the engine's half of every exporter: it reads the log, but only through its contract.
  'exporters/helper': [...COMPONENT_MAY, 'queue/log/contract.ts'],
  ...Object.fromEntries(COMPONENT_FOLDERS.map((folder) => [folder, COMPONENT_MAY])),
  ...Object.fromEntries(['receivers', 'exporters'].map((folder) => [folder, [...COMPONENT_MAY, ...CLIENTS]])),
  ...Object.fromEntries(EDITING_MAY.map((folder) => [folder, [...COMPONENT_MAY, 'ottl']])),
  registry: ['component', ...COMPONENT_FOLDERS],
  service: [
    ...['registry', 'component', 'config', 'ring', 'queue', 'otlp', 'pdata', 'telemetry', 'stdx'],
    ...['exporters/helper', 'top', 'encodings', 's3'],
  ],
  'main.ts': ['service', 'registry', 'config', 'telemetry', 'stdx', 'component'],
};

const files = ROOTS.flatMap((root) => listFiles(CHECKOUT, [root], '.ts'));
const isTest = (file: string) => /\.(test|test-peer|fuzz)\.ts$/.test(file) || file.startsWith('src/testkit/');
const production = files.filter((file) => !isTest(file));
const imports = production.flatMap(importsOf);

/** Rule key of a file of src: its folder, with `exporters/helper` apart. */
function layerOf(file: string): string {
  const parts = file.split('/');
  if (parts[1] === 'exporters' && parts[2] === 'helper') return 'exporters/helper';
  return parts[1]!;
}

/** For component folders the single component: `exporters/clickhouse`. */
function componentOf(file: string): string | undefined {
  const parts = file.split('/');
  return COMPONENT_FOLDERS.includes(parts[1]!) ? `${parts[1]}/${parts[2]}` : undefined;
}

function isAllowed(file: string, target: string): boolean {
  const layer = layerOf(file);
  const inSrc = target.slice('src/'.length);
  const component = componentOf(file);
  // A component may use its own kind's helper, never a neighbour.
  if (component !== undefined && inSrc.startsWith(`${file.split('/')[1]}/helper/`)) return true;
  if (component !== undefined && componentOf(target) !== undefined) return component === componentOf(target);
  if (layerOf(target) === layer) return true;
  return (MAY_IMPORT[layer] ?? []).some((allowed) => inSrc === allowed || inSrc.startsWith(`${allowed}/`));
}

test('imports inside src follow the layer table', () => {
  const broken = imports
    .filter(
      ({ file, target }) => file.startsWith('src/') && target.startsWith('src/') && !isAllowed(file, target),
    )
    .map(({ file, target }) => `${file} -> ${target}`);
  assert.deepEqual(broken, []);
});

test('every relative import names a file of the tree', () => {
  const missing = imports
    .filter(({ target }) => /^(src|workers|loadtest|native-free-bench)\//.test(target))
    .filter(({ target }) => !existsSync(join(CHECKOUT, target)))
    .map(({ file, target }) => `${file} -> ${target}`);
  assert.deepEqual(missing, []);
});

test('the scan sees the imports it judges', () => {
  assert.ok(imports.length > 200, `${imports.length} imports found`);
  assert.ok(imports.some(({ isTypeOnly }) => isTypeOnly) && imports.some(({ isTypeOnly }) => !isTypeOnly));
});

test('no import cycle between files, and none between folders even with types', () => {
  const byFile = new Map<string, string[]>();
  const byFolder = new Map<string, string[]>();
  for (const { file, target, isTypeOnly } of imports) {
    if (!target.startsWith('src/') || !file.startsWith('src/')) continue;
    if (!isTypeOnly) byFile.set(file, [...(byFile.get(file) ?? []), target]);
    const [from, to] = [layerOf(file), layerOf(target)];
    if (from !== to) byFolder.set(from, [...(byFolder.get(from) ?? []), to]);
  }
  assert.equal(findCycle(byFile), undefined);
  assert.equal(findCycle(byFolder), undefined);
});

test('loadtest and benches stay outside the engine', () => {
  const broken = imports.filter(({ file, target }) => {
    if (file.startsWith('loadtest/')) {
      return target.startsWith('src/') && !/^src\/(otlp|stdx|component|testkit\/generators)/.test(target);
    }
    return file.startsWith('native-free-bench/') && target.includes('/lmdb');
  });
  assert.deepEqual(
    broken.map(({ file, target }) => `${file} -> ${target}`),
    [],
  );
});

test('native and heavy packages are imported by the one file that wraps them', () => {
  const owners: Record<string, RegExp> = {
    lmdb: /^src\/queue\/log\/lmdb\/store\.ts$/,
    '@clickhouse/client': /^src\/exporters\/clickhouse\/insert-client\.ts$/,
    'uWebSockets.js': /^src\/receivers\/otlp\/uws-(native|server)\.ts$/,
    piscina: /^src\/service\/warm-pool\.ts$/,
    zod: /^src\/config\//,
    pino: /^src\/telemetry\/logger\.ts$/,
    chdb: /^src\/extensions\/embedded_clickhouse\//,
    kafkajs: /^src\/kafka\/client\.ts$/,
    '@aws-sdk/client-s3': /^src\/s3\/client\.ts$/,
    '@aws-sdk/client-sqs': /^src\/s3\/sqs-queue\.ts$/,
    '@aws-sdk/credential-providers': /^src\/s3\/client-options\.ts$/,
    'hyparquet-writer': /^src\/exporters\/awss3\/parquet-/,
  };
  const broken = imports.filter(({ file, target, isTypeOnly }) => {
    const owner =
      owners[
        target
          .split('/')
          .slice(0, target.startsWith('@') ? 2 : 1)
          .join('/')
      ];
    return owner !== undefined && !isTypeOnly && file.startsWith('src/') && !owner.test(file);
  });
  assert.deepEqual(
    broken.map(({ file, target }) => `${file} -> ${target}`),
    [],
  );
});

test(`no file is longer than ${FILE_LINES_MAX} lines`, () => {
  const long = files
    .map((file) => ({ file, lines: readSource(file).split('\n').length - 1 }))
    .filter(({ lines }) => lines > FILE_LINES_MAX);
  assert.deepEqual(long, []);
});

test(`no function is longer than ${FUNCTION_LINES_MAX} lines`, { skip: LOADED_ROOT === CHECKOUT }, () => {
  const compiled = ROOTS.flatMap((root) => listFiles(LOADED_ROOT, [root], '.js'));
  assert.ok(compiled.length > 50, `${compiled.length} compiled files found`);
  const long = compiled
    .filter((file) => !isTest(file.replace(/\.js$/, '.ts')))
    .flatMap((file) => functionLengths(join(LOADED_ROOT, file)))
    .filter(({ lines }) => lines > FUNCTION_LINES_MAX);
  assert.deepEqual(long, []);
});

test('what belongs to the process is used by main.ts, expand.ts, stdx and workers alone', () => {
  const banned = /\b(process\.exit\(|console\.|process\.env\b|Date\.now\(|Math\.random\()/;
  const broken = production
    .filter((file) => file.startsWith('src/') && !/^src\/(main\.ts|config\/expand\.ts|stdx\/)/.test(file))
    .flatMap((file) =>
      readSource(file)
        .split('\n')
        .flatMap((line, index) =>
          banned.test(line) && !/^\s*(\*|\/\/)/.test(line) ? [`${file}:${index + 1}`] : [],
        ),
    );
  assert.deepEqual(broken, []);
});
