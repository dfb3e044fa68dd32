/** The plan of docs/scaling.md is what the command above it prints. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHECKOUT } from '../src/testkit/source-tree.ts';
import { planLines } from './tiers.ts';

test('docs/scaling.md has the table that its command prints', () => {
  const text = readFileSync(join(CHECKOUT, 'docs', 'scaling.md'), 'utf8');
  const found = /```\nnpm run loadtest -- --plan ([^`]*--costs [^`]*)```\n+```\n([^`]*)```/.exec(text);
  assert.ok(found, 'a command with costs, and what it printed below it');
  const argv = found[1]!.replaceAll('\\\n', ' ').trim().split(/\s+/);
  assert.equal(found[2]!.trimEnd(), planLines(argv).join('\n'));
});

test('costs are given whole, and every rate is a column', () => {
  const costs = 'gateway=4,consuming=1,sampling=1,delivering=5,trace=64';
  const lines = planLines([
    '--costs',
    costs,
    '--spans',
    '1000,1000000',
    '--kept',
    '0.2',
    '--cores',
    '2',
    '--use',
    '0.5',
  ]);
  assert.ok(lines.includes('| spans a second | 1000 | 1.00 M |'), lines.join('\n'));
  assert.ok(lines.includes('| gateways | 2 (0 cores) | 4 (4 cores) |'), lines.join('\n'));
  assert.ok(lines.includes('| processors | 2 (0 cores) | 3 (3 cores) |'), lines.join('\n'));
  for (const wrong of ['gateway=4', `${costs},more=1`, costs.replace('=64', '=much')])
    assert.throws(
      () => planLines(['--costs', wrong]),
      /--costs wants a number for each of gateway, consuming/,
    );
});
