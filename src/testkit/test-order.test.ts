import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gatherTests, orderTests } from './test-order.ts';

const FILES = [
  'src/otlp/a.test.js',
  'src/otlp/b.test.js',
  'src/otlp/environment.test.js',
  'src/ring/ring.test.js',
  'src/testkit/e2e/a.test.js',
  'src/testkit/e2e/crash.test.js',
  'src/testkit/reliability/b.test.js',
];

test('tests of functions are gathered by folder, those that need a process for themselves are not, none is left out', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'millrace-order-'));
  t.after(() => rmSync(root, { recursive: true }));
  const readSource = (file: string) => (file.includes('environment') ? "process.env['A'] = 'b';" : '');
  const files = gatherTests(root, FILES, readSource);
  assert.deepEqual(files, [...FILES.slice(2), 'suites/src-otlp-0.test.js']);
  assert.deepEqual(readdirSync(join(root, 'suites')), ['src-otlp-0.test.js']);
  const suite = readFileSync(join(root, 'suites/src-otlp-0.test.js'), 'utf8');
  assert.equal(suite, "import '../src/otlp/a.test.js';\nimport '../src/otlp/b.test.js';\n");
});

test('files that wait stand between those that compute, the longest first', () => {
  const ordered = orderTests(FILES);
  assert.deepEqual([...ordered].sort(), FILES);
  assert.equal(ordered[0], 'src/testkit/e2e/crash.test.js');
  const places = FILES.slice(4).map((file) => ordered.indexOf(file));
  assert.ok(Math.max(...places) >= 4, 'they do not all stand in front');
});
