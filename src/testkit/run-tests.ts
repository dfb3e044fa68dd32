/**
 * Runs the compiled tests with the node that runs this file: Node 20 takes no globs, later ones take no folders.
 *
 *   node dist/src/testkit/run-tests.js              every test that needs nothing but npm packages
 *   node dist/src/testkit/run-tests.js services     tests against programs from elsewhere (*.services.test.js)
 *   node dist/src/testkit/run-tests.js PART...      only files whose path contains one of the parts
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT, LOADED_ROOT, listFiles } from './source-tree.ts';

/** Two files more than cores: half of what runs waits for a time or a disk. Their order is the runner's own. */
const AT_ONCE = availableParallelism() + 2;
/** The longest file takes two minutes. One that hangs is ended, or nothing would be known of those behind it. */
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
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  .map((file) => join(LOADED_ROOT, file));
if (tests.length === 0) {
  process.stderr.write('no test file matches\n');
  process.exit(1);
}
const result = spawnSync(
  process.execPath,
  [
    '--test',
    `--test-concurrency=${isServices ? SERVICES_AT_ONCE : AT_ONCE}`,
    '--test-reporter=spec',
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    ...tests,
  ],
  {
    stdio: 'inherit',
    cwd: CHECKOUT,
  },
);
process.exit(result.status ?? 1);
