/**
 * Configurations as people write them for the Collector. Each loads unchanged, or has exactly the issues of its
 * `.expected` file, all of the kind "not supported yet". Lines about components that this build has by now are passed over.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import type { ComponentKind } from '../component/factory.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { CHECKOUT } from '../testkit/source-tree.ts';
import { parseCollectorConfig } from './collector-config.ts';
import { formatIssue } from './config-node.ts';
import { spellingOf } from './known-components.ts';

const DIRECTORY = path.join(CHECKOUT, 'src/config/testdata/collector');
const names = readdirSync(DIRECTORY).filter((name) => name.endsWith('.yaml'));
const NOT_YET = / is not supported yet/;
/** Of zstd, which the oldest Node.js that runs millrace does not write. */
const NEEDS_LATER_NODE = / needs Node\.js \d/;

function expectedOf(name: string): string[] {
  const text = readFileSync(path.join(DIRECTORY, name.replace('.yaml', '.expected')), 'utf8');
  return text.split('\n').filter((line) => line !== '');
}

function isHereByNow(line: string): boolean {
  const match = /: ([a-z]+) type "(\w+)" is not supported yet$/.exec(line);
  if (match === null) return false;
  const [, kind, type] = match as unknown as [string, ComponentKind, string];
  return BUILTIN.has(`${kind}/${type}`) || BUILTIN.has(`${kind}/${spellingOf(kind, type).other}`);
}

test('there are examples of both sorts', () => {
  const whole = names.filter((name) => expectedOf(name).every(isHereByNow));
  assert.ok(whole.length >= 3, whole.join());
  assert.ok(names.length >= 8);
});

for (const name of names) {
  test(`${name} loads unchanged, but for what is not supported yet`, () => {
    const text = readFileSync(path.join(DIRECTORY, name), 'utf8');
    const { issues = [] } = parseCollectorConfig(name, text, BUILTIN.values(), {});
    const lines = issues.map((issue) => formatIssue(issue).replace(/(?<= is not supported yet).*$/, ''));
    const notYet = lines.filter((line) => !NEEDS_LATER_NODE.test(line));
    for (const line of notYet) assert.match(line, NOT_YET);
    assert.deepEqual(
      notYet,
      expectedOf(name).filter((line) => !isHereByNow(line)),
    );
  });
}
