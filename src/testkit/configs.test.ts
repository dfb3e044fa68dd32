/** Every configuration that is shipped loads without a mistake, with nothing set in the environment. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { parseCollectorConfig } from '../config/collector-config.ts';
import { formatIssue } from '../config/config-node.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { CHECKOUT, listFiles } from './source-tree.ts';

const files = listFiles(CHECKOUT, ['configs/examples', 'configs/docker'], '.yaml').concat(
  'configs/scalable/gateway.yaml',
  'configs/scalable/processor.yaml',
  'configs/default.yaml',
);

test('there are examples', () => assert.ok(files.length >= 12, files.join()));

for (const file of files) {
  test(`${file} has no mistake`, () => {
    const text = readFileSync(join(CHECKOUT, file), 'utf8');
    const { issues = [] } = parseCollectorConfig(file, text, BUILTIN.values(), {});
    assert.deepEqual(issues.map(formatIssue), []);
  });
}
