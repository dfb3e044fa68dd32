/**
 * Runs the compiled tests with the node that runs this file: Node 20 takes no globs, later ones take no folders.
 *
 *   node dist/src/testkit/run-tests.js              every test that needs nothing but npm packages
 *   node dist/src/testkit/run-tests.js services     tests against programs from elsewhere (*.services.test.js)
 *   node dist/src/testkit/run-tests.js PART...      only files whose path contains one of the parts
 */
import { readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { CHECKOUT, LOADED_ROOT, listFiles } from './source-tree.ts';
import { gatherTests, orderTests } from './test-order.ts';

/** Two files more than cores: half of what runs waits for a time or a disk. */
const AT_ONCE = availableParallelism() + 2;
/** The longest file takes some minutes on a busy machine. One that hangs is ended, or nothing would be known of those behind it. */
const FILE_TIMEOUT_MS = 900_000;
/** Programs from elsewhere are machines of their own. */
const SERVICES_AT_ONCE = 2;

const [mode, ...rest] = process.argv.slice(2);
const isServices = mode === 'services';
const parts = isServices || mode === undefined ? rest : [mode, ...rest];
const compiled = listFiles(LOADED_ROOT, ['src', 'loadtest', 'native-free-bench'], '.js');
const sources = new Set(listFiles(CHECKOUT, ['src', 'loadtest', 'native-free-bench'], '.ts'));
// A test whose source was deleted would go on running from an old build.
for (const file of compiled) if (!sources.has(file.replace(/\.js$/, '.ts'))) rmSync(join(LOADED_ROOT, file));
const tests = compiled
  .filter((file) => file.endsWith('.test.js') && sources.has(file.replace(/\.js$/, '.ts')))
  .filter((file) => file.endsWith('.services.test.js') === isServices)
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
if (tests.length === 0) {
  process.stderr.write('no test file matches\n');
  process.exit(1);
}
const sourceOf = (file: string) => readFileSync(join(CHECKOUT, file.replace(/\.js$/, '.ts')), 'utf8');
const isWhole = !isServices && parts.length === 0;
const files = isWhole ? orderTests(gatherTests(LOADED_ROOT, tests, sourceOf)) : tests;
process.chdir(CHECKOUT);
const results = run({
  files: files.map((file) => join(LOADED_ROOT, file)),
  concurrency: isServices ? SERVICES_AT_ONCE : AT_ONCE,
  timeout: FILE_TIMEOUT_MS,
});
results.on('test:fail', () => {
  process.exitCode = 1;
});
results.compose(spec).pipe(process.stdout);
